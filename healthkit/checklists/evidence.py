"""What was measured about an item of a checklist: sentences of the newest recorded runs that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.logbook import Logbook, logbook
from healthkit.quantities import utc

if TYPE_CHECKING:
    from healthkit.checklists.definitions import Item

REACH = timedelta(days=100)
"""How old a run may be to speak for a review: a quarter, and a margin."""


@dataclass(frozen=True)
class Evidence:
    """The runs that items may name."""

    runs: Logbook

    @classmethod
    def of(cls, home: Path, *, now: datetime | None = None) -> Evidence:
        """Of the last quarter."""
        now = now or datetime.now(UTC)
        return cls(logbook(home, since=now - REACH, until=now + timedelta(seconds=1)))

    def sentences(self, item: Item, *, without: Collection[str] = ()) -> list[str]:
        """What the runs say that the item names, each thing once; what did not run is unknown, with the command that runs it.

        Args:
            item: Of a checklist.
            without: Procedures of which something is said elsewhere.
        """
        named = [name.partition(".")[::2] for name in item.evidence]
        return list(dict.fromkeys(self._sentence(*name) for name in named if name[0] not in without))

    def missing(self, items: Iterable[Item]) -> list[str]:
        """The procedures that the items name and that did not run, in order."""
        named = (name.partition(".")[0] for item in items for name in item.evidence)
        return [] if self.runs.unknown else [one for one in dict.fromkeys(named) if self.runs.last(one) is None]

    def _sentence(self, procedure: str, step: str) -> str:
        if self.runs.unknown:
            return f"unknown: the records of procedures cannot be read ({self.runs.unknown})"
        run = self.runs.last(procedure)
        if run is None:
            return f"unknown: {procedure} did not run in {REACH.days} days; to run it: healthkit run {procedure}"
        found = run.step(step) if step else None
        if step and found is None:
            return f"unknown: {procedure} of {utc(run.started)} did not reach {step}"
        told = found["message"].rstrip(".") if found else f"ended {run.status}"
        return f"{told} ({procedure}, {run.started:%Y-%m-%d})"
