"""`healthkit outbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("outbox")
@options.home
@click.option("--force", is_flag=True, help="Try all of it now, not only what is due.")
def command(*, home: Path, force: bool) -> int:
    """Try again to send mail that could not be sent: exit 0 if none is left, 75 if some still waits."""
    from healthkit import reports

    outcome = reports.flush_outbox(home, force=force)
    click.echo(outcome, err=True)
    return 75 if outcome.queued else 1 if outcome.refused else 0
