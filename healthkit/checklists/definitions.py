"""What is on which list: the lists that ship with healthkit, and those of `HOME/config/checklists.yaml`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from healthkit.config import parse_struct, read_text
from healthkit.errors import ConfigError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What names and ids are made of; not a pattern on the type, which msgspec 0.22 may free twice."""
Cadence = Literal["weekly", "monthly", "quarterly"]


class Item(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that somebody has to do."""

    id: str
    text: str
    group: str = ""
    owner: str = ""
    """Who has to; the list's owner if empty."""
    due: Annotated[int, Meta(ge=1)] | None = None
    """Days after the period begins; the list's if None."""
    evidence: tuple[str, ...] = ()
    """What was measured about it: `PROCEDURE` or `PROCEDURE.STEP`, of its newest recorded run."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.id):
            raise ValueError(f"`{self.id}` is no id: lower-case letters, digits, - and _")


class Checklist(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One list, once a period."""

    title: str = ""
    every: Cadence | None = None
    due: Annotated[int, Meta(ge=1)] | None = None
    owner: str = ""
    items: tuple[Item, ...] = ()
    without: tuple[str, ...] = ()
    """Items of the list of this name that ships with healthkit, and that do not apply here."""

    @property
    def cadence(self) -> Cadence:
        """Its cadence; every list that `definitions` returns has one."""
        assert self.every is not None  # noqa: S101 - seen to by `definitions`
        return self.every

    def item(self, id_: str) -> Item | None:
        """The item of this id; None if there is none."""
        return next((item for item in self.items if item.id == id_), None)


class _Book(Struct, frozen=True, forbid_unknown_fields=True):
    checklists: dict[str, Checklist] = {}

    def __post_init__(self) -> None:
        for name in self.checklists:
            if not _NAME.fullmatch(name):
                raise ValueError(f"`{name}` is no name of a checklist: lower-case letters, digits, - and _")


def definitions(home: Path) -> dict[str, Checklist]:
    """Every list by name: those that ship with healthkit, changed and extended by those of the home.

    Raises:
        ConfigError: A file cannot be used; a list says no cadence or due date, or has an item twice.
    """
    lists = dict(_shipped().checklists)
    path = home / "config" / "checklists.yaml"
    text = read_text(path)
    own = parse_struct(text, _Book, file=str(path)) if text is not None else None
    for name, change in (own.checklists if own else {}).items():
        _require_distinct(name, change, str(path))
        lists[name] = _changed(lists.get(name, Checklist()), change)
        if lists[name].every is None or lists[name].due is None or not lists[name].title:
            raise ConfigError(f"checklist {name} needs title, every and due", file=str(path))
    return lists


@cache
def _shipped() -> _Book:
    return parse_struct(files("healthkit").joinpath("checklists.yaml").read_text(encoding="utf-8"), _Book) or _Book()


def _changed(known: Checklist, change: Checklist) -> Checklist:
    """The list with what the home says of it."""
    replaced = {item.id: item for item in change.items}
    kept = [replaced.pop(item.id, item) for item in known.items if item.id not in change.without]
    return replace(
        known,
        title=change.title or known.title,
        every=change.every or known.every,
        due=change.due or known.due,
        owner=change.owner or known.owner,
        items=(*kept, *replaced.values()),
    )


def _require_distinct(name: str, change: Checklist, file: str) -> None:
    ids = [item.id for item in change.items]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if twice:
        raise ConfigError(f"checklist {name} has two items with the id {twice[0]}", file=file)
