"""`healthkit import csv …`: history that exists already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import pandas as pd


@click.group("import")
def command() -> None:
    """Bring history that exists already into the store; doing it twice is doing it once."""


def _text(_: click.Context, __: click.Parameter, file: BinaryIO) -> TextIO:
    """A file as UTF-8, its line ends as they are: a carriage return may be part of a value."""
    import io

    return io.TextIOWrapper(file, encoding="utf-8", newline="")


def importing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every source: `--home --dry-run --format`."""
    dry_run = click.option("--dry-run", is_flag=True, help="Read everything, say what would come, write nothing.")
    return options.store_home(dry_run(options.format_(function)))


def labelled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of sources with labels: `--host --host-label --keep-port`."""
    function = click.option("--keep-port", is_flag=True, help="web-1:9100 and web-1:8080 are two hosts.")(function)
    function = click.option(
        "--host-label", metavar="LABEL", default="instance", show_default=True, help="The label that names the host."
    )(function)
    return click.option("--host", default="", help="Host of series without that label [default: as configured].")(
        function
    )


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


def _moment(text: str) -> datetime:
    """`now`, or a time as `options.moment` takes it."""
    from datetime import UTC, datetime

    return datetime.now(UTC) if text == "now" else options.moment(text)


def host_of(home: Path | str, host: str) -> str:
    """The host that was named, else the one of the configuration."""
    import socket

    from healthkit.config import load_config

    return host or (load_config(home).host if isinstance(home, Path) else socket.gethostname())


@command.command("csv")
@click.argument("file", type=click.File("rb"), callback=_text)
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


@command.command("openmetrics")
@click.argument("file", type=click.File("rb"), callback=_text)
@click.option("--at", metavar="TIME", help="Time of samples that have none: `now`, or 2026-11-23T02:00Z.")
@click.option(
    "--dialect", type=click.Choice(["openmetrics", "prometheus"]), help="[default: OpenMetrics after `# EOF`]"
)
@labelled
@importing
def openmetrics(
    *, file: Any, at: str | None, dialect: Any, host: str, host_label: str, keep_port: bool, home: Path | str,
    dry_run: bool, format_: str,
) -> None:  # fmt: skip
    """Import OpenMetrics or Prometheus text: a FILE, or - for standard input."""
    from healthkit.imports.openmetrics import read
    from healthkit.imports.series import Hosts

    hosts = Hosts(host_of(home, host), host_label, keep_port)
    seconds = _moment(at).timestamp() if at else None
    bring(
        home, read(file, hosts=hosts, dialect=dialect, at=seconds, source=file.name), dry_run=dry_run, format_=format_
    )


@command.command("prometheus")
@click.argument("url")
@click.option(
    "--match",
    "matches",
    multiple=True,
    metavar="SELECTOR",
    help="Such as node_load1 or '{job=\"node\"}'; may be repeated [default: everything].",
)
@click.option("--from", "start", metavar="TIME", help="First moment [default: thirty days before --to].")
@click.option(
    "--to", "end", metavar="TIME", default="now", show_default=True, help="First moment that no longer belongs to it."
)
@click.option("--step", type=options.DurationType(), default="60s", show_default=True, help="Between samples.")
@click.option("--token-file", metavar="FILE", help="Whose first line is sent as a bearer token; mode 0600.")
@labelled
@importing
def prometheus(
    *, url: str, matches: tuple[str, ...], start: str | None, end: str, step: float, token_file: str | None, host: str,
    host_label: str, keep_port: bool, home: Path | str, dry_run: bool, format_: str,
) -> None:  # fmt: skip
    """Import what the Prometheus at URL has kept; node_exporter's metrics get our names where there is one."""
    from datetime import timedelta

    from healthkit.imports.prometheus import read
    from healthkit.imports.series import Hosts
    from healthkit.imports.servers import Server

    until = _moment(end)
    since = _moment(start) if start else until - timedelta(days=30)
    hosts = Hosts(host_of(home, host), host_label, keep_port)
    server = Server(url, token_file)
    frames = read(server, start=since, end=until, step=step, matches=matches, hosts=hosts)
    bring(home, frames, dry_run=dry_run, format_=format_)


@command.command("sar")
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...")
@click.option("--host", default="", help="Whose they are [default: the name in the file].")
@importing
def sar(*, files: tuple[BinaryIO, ...], host: str, home: Path | str, dry_run: bool, format_: str) -> None:
    """Import sysstat's daily files (/var/log/sysstat/sa24), or the JSON of `sadf -j FILE -- -A`; - for standard input."""
    from healthkit.imports import sar as source

    frames = (frame for file in files for frame in source.read(source.json_of(file), host=host, source=file.name))
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
