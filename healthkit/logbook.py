"""What the records tell of procedures: who ran what, when, and what came of it.

A report never runs a procedure. It shows the runs that `health.db` has of its period, and where there is none it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from healthkit.errors import StoreError
from healthkit.findings import Finding, Findings
from healthkit.state import State

KILLED = "it never ended: killed, or the power failed"


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run of a procedure, as it was kept."""

    procedure: str
    """Its name."""
    status: str
    """`ok`, `unknown` (it could not tell), `failed` or `skipped`; `running` while it goes on."""
    host: str
    """Where it ran."""
    started: datetime
    """UTC."""
    ended: datetime | None
    """UTC; None while it runs."""
    steps: tuple[Mapping[str, Any], ...] = ()
    """As `Step.as_dict` gives them; none of a run that was killed."""
    findings: Findings = field(default_factory=Findings)
    """What it found."""
    reason: str = ""
    """Why there are no steps; empty where there are."""

    def step(self, name: str) -> Mapping[str, Any] | None:
        """The step of this name; None if it was not reached."""
        return next((step for step in self.steps if step["name"] == name), None)

    def evidence(self, step: str) -> Mapping[str, Any]:
        """What a step saw or did; empty if it was not reached."""
        found = self.step(step)
        return found["evidence"] if found else {}


@dataclass(frozen=True)
class Logbook(Sequence[RecordedRun]):
    """The recorded runs of a time, newest first."""

    runs: tuple[RecordedRun, ...] = ()
    unknown: str = ""
    """Why the records could not be read; empty where they could. Without records nobody knows what ran."""

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, index: Any) -> Any:  # one run, or a slice of them
        return self.runs[index]

    def __iter__(self) -> Iterator[RecordedRun]:
        return iter(self.runs)

    def of(self, procedure: str) -> tuple[RecordedRun, ...]:
        """The runs of one procedure, newest first."""
        return tuple(run for run in self.runs if run.procedure == procedure)

    def last(self, procedure: str) -> RecordedRun | None:
        """The newest run of a procedure that came to an end, well or not; None if there is none."""
        return next((run for run in self.of(procedure) if run.status != "running"), None)


def logbook(home: Path, *, since: datetime, until: datetime, hosts: Sequence[str] = ()) -> Logbook:
    """The recorded runs that began in a time.

    Args:
        home: Whose records.
        since: Its beginning, UTC.
        until: Its end, UTC.
        hosts: Only runs on these; empty: on any.
    """
    try:
        with State(home) as state:
            rows = state.records("task_runs", since=since, until=until)
    except StoreError as error:
        return Logbook(unknown=str(error))
    ours = (row for row in rows if isinstance(row["detail"], dict) and "procedure" in row["detail"])
    return Logbook(tuple(_run(row) for row in ours if not hosts or row["host"] in hosts))


def _run(row: Mapping[str, Any]) -> RecordedRun:
    detail = row["detail"]
    steps = tuple(detail.get("steps", ()))
    return RecordedRun(
        procedure=detail["procedure"],
        status=row["status"],
        host=row["host"] or "",
        started=row["started"],
        ended=row["ended"],
        steps=steps,
        findings=Findings(Finding.from_dict(one) for one in detail.get("findings", ())),
        reason="" if steps else str(detail.get("reason", "" if row["status"] == "running" else KILLED)),
    )
