"""`healthkit config check|show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path


@click.group("config")
def command() -> None:
    """Check or show the configuration."""


@command.command("check")
@options.home
def check(*, home: Path) -> None:
    """Exit 0 if the configuration can be used, 78 naming key, file and line if not."""
    from healthkit.config import config_path, load_config

    load_config(home)
    path = config_path(home)
    click.echo(f"{path}: {'valid' if path.exists() else 'absent, the defaults apply'}", err=True)


@command.command("show")
@options.home
@options.format_
def show(*, home: Path, format_: str) -> None:
    """The configuration as it applies, defaults included."""
    import msgspec
    import yaml

    from healthkit.config import Size, load_config

    data = msgspec.to_builtins(load_config(home), enc_hook=lambda v: int(v) if isinstance(v, Size) else float(v))
    if format_ == "json":
        output.write_json(data)
    else:
        click.echo(yaml.safe_dump(data, sort_keys=False), nl=False)
