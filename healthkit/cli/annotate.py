"""`healthkit annotate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("annotate")
@click.argument("text")
@options.home
@click.option("--at", help="When, ISO 8601 such as 2026-11-23T12:00Z; UTC where it names no zone [default: now].")
@click.option("--host", help="Where [default: this host]; '*' is everywhere.")
def command(*, text: str, home: Path, at: str | None, host: str | None) -> None:
    """Keep that something happened, such as "deployed 2.4": it is shown on the charts of that time."""
    from healthkit.cli.options import moment, user
    from healthkit.config import load_config
    from healthkit.events import annotate

    where = load_config(home).host if host is None else host.replace("*", "")
    event = annotate(home, text, at=moment(at) if at else None, host=where, who=user())
    click.echo(f"kept: {event.at:%Y-%m-%d %H:%M} UTC, {event.host or 'every host'}: {event.text}", err=True)
