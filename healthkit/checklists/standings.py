"""How a list stands in a period: who has to do what until when, and who signed what off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from healthkit.errors import ParameterError, StoreError
from healthkit.periods import Period
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.checklists.definitions import Checklist, Item

Word = Literal["open", "done", "skipped"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One item in one period."""

    checklist: str
    """Name of the list."""
    period: str
    """Label: `2026-Q4`."""
    item: Item
    owner: str
    due: datetime
    """UTC; of the next period where the day of this one was before anything was on record here (`unasked`)."""
    state: Word
    """`done` and `skipped` have a sign-off, `open` has none."""
    overdue: bool
    """Open, and its day has passed."""
    signed: datetime | None = None
    """When it was signed off, UTC."""
    who: str = ""
    """Who signed it off."""
    note: str = ""
    earlier: str = ""
    """The last sign-off of an earlier period, in words; empty if there is none."""
    unasked: bool = False
    """Open, and its day in this period was before the first record of this home: nobody could have signed it off here."""

    @property
    def word(self) -> str:
        """`open`, `overdue`, `done` or `skipped`."""
        return "overdue" if self.overdue else self.state

    @property
    def day(self) -> str:
        """When it is due, in words."""
        return f"{'next ' if self.unasked else ''}due {self.due:%Y-%m-%d}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "checklist": self.checklist, "period": self.period, "item": self.item.id, "group": self.item.group,
            "text": self.item.text, "owner": self.owner, "due": f"{self.due:%Y-%m-%d}", "state": self.word,
            "signed": self.signed.isoformat() if self.signed else None, "who": self.who, "note": self.note,
            "earlier": self.earlier, "unasked": self.unasked,
        }  # fmt: skip

    def __str__(self) -> str:
        signed = f" by {self.who} on {self.signed:%Y-%m-%d}" if self.signed else f", {self.day}"
        note = f": {self.note}" if self.note else ""
        return f"{self.item.id} ({self.owner}): {self.word}{signed}{note}"


def standings(
    home: Path, name: str, checklist: Checklist, *, now: datetime | None = None, period: str = ""
) -> tuple[Standing, ...]:
    """Every item of a list.

    Args:
        home: Whose records.
        name: Of the list.
        checklist: What is on it.
        now: The moment that due dates are compared with, UTC.
        period: Label; the period of *now* by default.

    Raises:
        StoreError: The records cannot be read.
        ParameterError: The label is of another cadence.
    """
    now = now or datetime.now(UTC)
    chosen = _period(checklist, period, now)
    with State(home) as state:
        rows = state.records("checklists", until=now + timedelta(milliseconds=1), name=name)
        first = state.first() or now
    return tuple(
        _standing(item, rows, name=name, checklist=checklist, period=chosen, now=now, first=first)
        for item in checklist.items
    )


def sign(
    home: Path, name: str, checklist: Checklist, item: str, *, who: str, state: Word = "done", note: str = "",
    owner: str = "", now: datetime | None = None, period: str = "",
) -> Standing:  # fmt: skip
    """Sign an item off, or take that back, or give it to somebody: one more record, nothing is overwritten.

    Raises:
        ParameterError: There is no such item; or it is skipped without a note that says why.
        StoreError: The records cannot be written, or not be read.
    """
    now = now or datetime.now(UTC)
    if checklist.item(item) is None:
        known = ", ".join(one.id for one in checklist.items)
        raise ParameterError(f"checklist {name} has no item {item!r}; it has {known}")
    if state == "skipped" and not note.strip():
        raise ParameterError(f"{item}: to skip it takes a note that says why")
    before = next(s for s in standings(home, name, checklist, now=now, period=period) if s.item.id == item)
    record = {"name": name, "period": before.period, "item": item, "done": now, "who": who, "note": note,
              "state": state, "owner": owner or before.owner, "due": before.due}  # fmt: skip
    with State(home) as records:
        if not records.record("checklists", record):
            raise StoreError(f"{records.problem}; the sign-off waits in {home / 'spool'}")
    return next(s for s in standings(home, name, checklist, now=now, period=period) if s.item.id == item)


def _period(checklist: Checklist, label: str, now: datetime) -> Period:
    chosen = Period.parse(label) if label else Period.of(checklist.cadence, now)
    if chosen.cadence != checklist.cadence:
        raise ParameterError(f"period {label!r} is {chosen.cadence}, the checklist is {checklist.cadence}")
    return chosen


def _due(item: Item, checklist: Checklist, period: Period) -> datetime:
    return min(period.start + timedelta(days=item.due or checklist.due or period.days), period.end)


def _standing(
    item: Item, rows: list[dict[str, Any]], *, name: str, checklist: Checklist, period: Period, now: datetime,
    first: datetime,
) -> Standing:  # fmt: skip
    """From the newest record of the item in the period; rows are newest first."""
    mine = [row for row in rows if row["item"] == item.id]
    last: dict[str, Any] = next((row for row in mine if row["period"] == period.label), {})
    state: Word = last.get("state") or ("done" if last else "open")
    signed = state != "open"
    due = _due(item, checklist, period)
    unasked = not signed and due <= first
    if unasked:
        due = _due(item, checklist, Period.of(period.cadence, period.end))
    return Standing(
        checklist=name,
        period=period.label,
        item=item,
        owner=last.get("owner") or item.owner or checklist.owner,
        due=due,
        state=state,
        overdue=not signed and now >= due,
        signed=last.get("done") if signed else None,
        who=(last.get("who") or "") if signed else "",
        note=last.get("note") or "",
        earlier=_earlier(mine, period),
        unasked=unasked,
    )


def _earlier(rows: list[dict[str, Any]], period: Period) -> str:
    """The newest sign-off of a period before this one."""
    seen: set[str] = set()
    for row in rows:
        if row["period"] in seen or row["period"] == period.label:
            continue
        seen.add(row["period"])
        if (row["state"] or "done") != "open" and Period.parse(row["period"]).end <= period.start:
            return f"{row['state'] or 'done'} for {row['period']} by {row['who']} on {row['done']:%Y-%m-%d}"
    return ""
