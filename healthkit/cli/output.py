"""Data to stdout: JSON for programs, tables for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from healthkit.jsons import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def write_json(data: Any) -> None:
    """One JSON document; NaN and infinities, which JSON does not have, become null."""
    click.echo(json.dumps(plain(data), indent=2, ensure_ascii=False))


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table: folded to the width of a terminal; elsewhere a line per row, which grep finds whole.

    Control characters in its cells are shown, not obeyed.
    """
    cells = [[_visible(str(cell)) for cell in row] for row in rows]
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:  # a host that only collects
        _write_plain(columns, cells, title)
        return
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        _write_plain(columns, cells, title)
        return
    table = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=at == 0)  # the first one is what a row is called
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _write_plain(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    lines = [list(columns), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    if title:
        click.echo(title)
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\u00a0" else c.encode("unicode_escape").decode("ascii") for c in text)
