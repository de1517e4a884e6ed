"""`healthkit report weekly|…|PATH.ipynb`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from healthkit.cli import options, output


@click.command("report")
@click.argument("name")
@options.home
@options.format_
@click.option("--period", default="", help="2026-W47, 2026-11 or 2026-Q4; default: the newest ended one with samples.")
@click.option("--host", "hosts", multiple=True, help="Only this host; may be repeated.")
@click.option(
    "--parameter", "-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook."
)
@click.option(
    "--output",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put it [default: HOME/reports].",
)
@click.option("--to", multiple=True, metavar="ADDR", help="Mail it to this address; may be repeated.")
@click.option(
    "--engine",
    type=click.Choice(["healthkit", "stock"]),
    default="healthkit",
    show_default=True,
    help="stock: a Jupyter kernel.",
)
def command(
    *, name: str, home: Path, format_: str, period: str, hosts: tuple[str, ...], parameters: tuple[tuple[str, str], ...],
    directory: Path | None, to: tuple[str, ...], engine: Literal["healthkit", "stock"],
) -> None:  # fmt: skip
    """Make a report from its notebook: HTML, text and the executed notebook; mail it where --to says."""
    from healthkit import reports

    made = reports.make(
        home, name, period=period, hosts=hosts, parameters=dict(parameters), output=directory, to=to, engine=engine
    )
    if format_ == "json":
        output.write_json(made.as_dict())
    else:
        click.echo(made.html)
        click.echo(made, err=True)
