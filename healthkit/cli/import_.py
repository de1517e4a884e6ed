"""`healthkit import csv …`: history that exists already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd


@click.group("import")
def command() -> None:
    """Bring history that exists already into the store; doing it twice is doing it once."""


def importing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every source: `--home --dry-run --format`."""
    dry_run = click.option("--dry-run", is_flag=True, help="Read everything, say what would come, write nothing.")
    return options.store_home(dry_run(options.format_(function)))


def bring(home: Path | str, frames: Iterable[pd.DataFrame], *, dry_run: bool, format_: str) -> None:
    """Import, and say what came; also what came before an error."""
    from healthkit.errors import HealthkitError
    from healthkit.imports import Arrivals, bring_in

    arrivals = Arrivals()
    try:
        bring_in(home, frames, dry_run=dry_run, arrivals=arrivals)
    except HealthkitError:
        if arrivals.samples:
            click.echo(f"healthkit: before the error: {arrivals}. Once it is mended, import again", err=True)
        raise
    if format_ == "json":
        output.write_json(arrivals.as_dict())
    else:
        click.echo(str(arrivals))


def host_of(home: Path | str, host: str) -> str:
    """The host that was named, else the one of the configuration."""
    import socket

    from healthkit.config import load_config

    return host or (load_config(home).host if isinstance(home, Path) else socket.gethostname())


@command.command("csv")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--time", metavar="COLUMN", default="", help="One row a moment, one column a metric; here are the times.")
@click.option("--host", default="", help="Host of rows that name none [default: as configured].")
@click.option("--host-column", metavar="COLUMN", default="", help="With --time: where the hosts are.")
@click.option("--timezone", metavar="ZONE", help="Of times that name none, such as Europe/Berlin.")
@importing
def csv(
    *, file: Any, time: str, host: str, host_column: str, timezone: str | None, home: Path | str, dry_run: bool,
    format_: str,
) -> None:  # fmt: skip
    """Import a CSV FILE (- for standard input) with the columns ts,host,metric,device,value; or a wide one."""
    from healthkit.imports import csv_files

    zone = options.parse_timezone(timezone) if timezone else None
    who, source = host_of(home, host), file.name
    if time:
        frames = csv_files.wide(file, time=time, host=who, host_column=host_column, source=source, zone=zone)
    else:
        frames = csv_files.tidy(file, host=who, source=source, zone=zone)
    bring(home, frames, dry_run=dry_run, format_=format_)


@command.command("runbook")
@click.argument("places", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FILE|DIR]...")
@click.option("--host", default="", help="Whose they are [default: as configured].")
@importing
def runbook(*, places: tuple[Path, ...], host: str, home: Path | str, dry_run: bool, format_: str) -> int:
    """Import the runbook's daily-YYYYMMDD.json: files, or folders of them [default: HOME/metrics].

    A file that is damaged is named and left out; exit code 1 then, once the others are in.
    """
    from healthkit.imports import daily_json

    refused: dict[Path, str] = {}
    found = daily_json.files(places or [Path(home) / "metrics"])
    bring(
        home, daily_json.daily_json(found, host=host_of(home, host), refused=refused), dry_run=dry_run, format_=format_
    )
    for reason in refused.values():
        click.echo(f"refused: {reason}", err=True)
    return 1 if refused else 0
