"""`healthkit report weekly|…|PATH.ipynb`, and `healthkit report send FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from healthkit.cli import options, output
from healthkit.cli.progress import bar
from healthkit.errors import ParameterError, ReportError


@click.command("report")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@options.home
@options.format_
@click.option("--period", default="", help="2026-W47, 2026-11 or 2026-Q4; default: the newest ended one with samples.")
@click.option("--host", "hosts", multiple=True, help="Only this host or group of hosts; may be repeated.")
@click.option(
    "--parameter", "-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put it [default: HOME/reports].",
)
@click.option("--to", multiple=True, metavar="ADDR", help="Mail it to this address; may be repeated.")
@click.option(
    "--recipients",
    type=click.Choice(["weekly", "monthly", "quarterly"]),
    help="Mail it to this list of the configuration, to each the hosts and severities they asked for.",
)
@click.option("--per-host", is_flag=True, help="Also a page for each host, linked from the fleet's.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes for --per-host.")
@click.option("--pdf", is_flag=True, help="Also a PDF, printed by an installed Chromium.")
@click.option("--timeout", type=options.DurationType(), default="30m", show_default=True, help="For each notebook.")
@click.option(
    "--engine",
    type=click.Choice(["healthkit", "stock"]),
    default="healthkit",
    show_default=True,
    help="stock: a Jupyter kernel.",
)
def command(
    *, name: str, file: Path | None, home: Path, format_: str, to: tuple[str, ...], recipients: str | None, per_host: bool,
    jobs: int, parameters: tuple[tuple[str, str], ...], **asked: Any,
) -> int:  # fmt: skip
    """Make a report from its notebook: HTML, text and the executed notebook; mail it where --to says.

    `healthkit report send FILE` mails one of the archive, named by its page or notebook.
    """
    from healthkit import reports

    if name == "send":
        return _send(home, file, to, recipients)
    if file is not None:
        raise ParameterError(f"{file}: one report at a time; only `healthkit report send` takes a file")
    if recipients and (to or per_host):
        raise ParameterError("--recipients goes with neither --to nor --per-host")
    asked |= {"parameters": dict(parameters)}
    failed: tuple[str, ...] = ()
    with bar(name) as told:
        if recipients:
            made = reports.circulate(home, name, recipients=recipients, **asked)
        elif per_host:
            fleet = reports.make_each(home, name, jobs=jobs, to=to, progress=told, **asked)
            made, failed = (fleet.report, *fleet.pages), fleet.failed
        else:
            made = (reports.make(home, name, to=to, progress=told, **asked),)
    _show(made, format_)
    if failed:
        raise ReportError(f"{len(failed)} pages failed: {'; '.join(failed)}")
    return 0


def _show(made: tuple[Any, ...], format_: str) -> None:
    if format_ == "json":
        output.write_json([one.as_dict() for one in made] if len(made) > 1 else made[0].as_dict())
        return
    for one in made:
        click.echo(one.html)
    click.echo(made[0], err=True)
    if len(made) > 1:
        click.echo(f"and {len(made) - 1} more pages", err=True)


def _send(home: Path, file: Path | None, to: tuple[str, ...], recipients: str | None) -> int:
    """Mail an archived report."""
    from healthkit import reports

    if file is None or not (to or recipients):
        raise ParameterError("write: healthkit report send FILE --to ADDR, or --recipients weekly")
    outcome = reports.send_again(home, file, to=to, recipients=recipients)
    click.echo(outcome, err=True)
    return 75 if outcome.queued else 1 if outcome.refused else 0
