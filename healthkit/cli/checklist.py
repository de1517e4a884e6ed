"""`healthkit checklist`."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from healthkit.checklists import Standing


@click.command("checklist")
@click.argument("name", required=False)
@click.option("--done", metavar="ITEM", help="Sign an item off.")
@click.option("--skip", metavar="ITEM", help="Say that an item does not apply this time; takes --note.")
@click.option("--reopen", metavar="ITEM", help="Take a sign-off back.")
@click.option("--assign", nargs=2, metavar="ITEM WHO", help="Give an item to somebody.")
@click.option("--note", default="", help="A sentence that is kept with it.")
@click.option("--who", default="", help="Who signs [default: the user].")
@click.option("--period", default="", help="2026-Q4 or 2026-11 [default: the running one].")
@options.home
@options.format_
def command(
    *, name: str | None, done: str | None, skip: str | None, reopen: str | None, assign: tuple[str, str] | None,
    note: str, who: str, period: str, home: Path, format_: str,
) -> None:  # fmt: skip
    """The tasks that take people: lists, items with what was measured about them, and sign-offs.

    Without NAME every list of the running period; with it its items.
    """
    from healthkit.checklists import definitions, sign, standings
    from healthkit.errors import ParameterError

    lists = definitions(home)
    asked = {"done": done, "skipped": skip, "open": reopen}
    if name is None:
        if any(asked.values()) or assign:
            raise ParameterError("name the checklist that the item is on")
        _overview({key: standings(home, key, one, period="") for key, one in lists.items()}, format_)
        return
    if name not in lists:
        raise ParameterError(f"no checklist is named {name!r}; there are {', '.join(lists)}")
    known, signer = lists[name], who or _user()
    for state, item in asked.items():
        if item:
            signed = sign(home, name, known, item, who=signer, state=state, note=note, period=period)  # type: ignore[arg-type]
            click.echo(signed, err=True)
    if assign:
        click.echo(
            sign(home, name, known, assign[0], who=signer, state="open", owner=assign[1], note=note, period=period),
            err=True,
        )
    _items(home, standings(home, name, known, period=period), format_)


def _user() -> str:
    """Who sits at the keyboard, also behind sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _overview(lists: dict[str, tuple[Standing, ...]], format_: str) -> None:
    rows: list[dict[str, Any]] = []
    for name, items in lists.items():
        counts = {word: sum(item.word == word for item in items) for word in ("open", "overdue", "done", "skipped")}
        due = min((item.due for item in items if item.state == "open"), default=None)
        rows.append(
            {
                "name": name,
                "period": items[0].period if items else "",
                **counts,
                "due": f"{due:%Y-%m-%d}" if due else "",
            }
        )
    if format_ == "json":
        output.write_json(rows)
    else:
        heads = ["Checklist", "Period", "Open", "Overdue", "Done", "Skipped", "Next due"]
        output.write_table(heads, [[str(value) for value in row.values()] for row in rows])


def _items(home: Path, items: tuple[Standing, ...], format_: str) -> None:
    from healthkit.checklists import Evidence

    known = Evidence.of(home)
    if format_ == "json":
        output.write_json([item.as_dict() | {"evidence": known.sentences(item.item)} for item in items])
        return
    rows = [
        (item.word, item.item.id, item.item.text, item.owner, item.day.removeprefix("due "), _signed(item))
        for item in items
    ]
    output.write_table(["State", "Item", "What", "Owner", "Due", "Signed off"], rows)
    measured = [(item.item.id, line) for item in items for line in known.sentences(item.item)]
    if measured:
        click.echo()
        output.write_table(["Item", "Measured"], measured)


def _signed(item: Standing) -> str:
    if item.signed:
        return f"{item.who} {item.signed:%Y-%m-%d}{': ' if item.note else ''}{item.note}"
    return item.earlier or item.note
