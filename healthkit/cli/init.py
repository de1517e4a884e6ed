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
    """Write a commented configuration; an existing one is kept."""
    from healthkit.config import config_path
    from healthkit.files import write_atomically

    path = config_path(home)
    if path.exists():
        click.echo(f"{path} is there already: kept as it is", err=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, files("healthkit").joinpath("healthkit.yaml").read_bytes())
    click.echo(path)
