"""`healthkit init`."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import click

from healthkit.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("init")
@options.home
def command(*, home: Path) -> None:
    """Write a commented configuration and the alert rules; existing ones are kept."""
    from healthkit.alerts.rules import alerts_path
    from healthkit.config import config_path
    from healthkit.files import write_atomically

    for path in (config_path(home), alerts_path(home)):
        if path.exists():
            click.echo(f"{path} is there already: kept as it is", err=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, files("healthkit").joinpath(path.name).read_bytes())
    click.echo(config_path(home))
