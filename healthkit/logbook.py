"""What the records tell of procedures: who ran what, when, and what came of it.

A report never runs a procedure. It shows the runs that `health.db` has of its period, and where there is none it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    ours = (_of_procedure(row) for row in rows if isinstance(row["detail"], dict) and "procedure" in row["detail"])
    return Logbook(tuple(_run(row) for row in ours if not hosts or row["host"] in hosts))


def runs_of(
    state: State, procedure: str, *, since: datetime | None = None, limit: int | None = None, host: str | None = None
) -> list[dict[str, Any]]:
    """Rows of `task_runs` of a procedure, newest first, whoever started it; status and exit code are the procedure's.

    Raises:
        StoreError: The database cannot be read.
    """
    where: dict[str, Any] = {"procedure": procedure} | ({} if host is None else {"host": host})
    rows = state.records("task_runs", since=since, limit=limit, **where)
    return [_of_procedure(row) for row in rows]


def by_task(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of `task_runs` by task, in their order: what tells whether the tasks run.

    A procedure that was run by hand counts as a task until the schedule has run it again: from then on that run tells how
    things stand. Homes of before, which kept scheduled runs twice, are read as if they had kept them once.

    Args:
        rows: Newest first.
    """
    never = datetime.min.replace(tzinfo=UTC)
    scheduled: dict[str, datetime] = {}
    for row in rows:
        procedure = _procedure(row)
        if procedure and procedure != row["task"]:
            scheduled[procedure] = max(scheduled.get(procedure, never), row["ended"] or row["started"])
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["task"] and row["started"] > scheduled.get(row["task"], never):
            found.setdefault(row["task"], []).append(row)
    return found


def _procedure(row: Mapping[str, Any]) -> str:
    """Which procedure a row is about, by its evidence or by what the task calls; empty for anything else."""
    detail = row["detail"] if isinstance(row["detail"], dict) else {}
    kind, name = [*(detail.get("command") or ()), "", "", ""][1:3]
    return str(detail.get("procedure") or (name if kind == "run" else ""))


def _of_procedure(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the procedure's own verdict: a review that found the worst is a task that did its work."""
    detail = row["detail"] if isinstance(row["detail"], dict) else {}
    return row | {name: detail[name] for name in ("status", "exit_code") if name in detail}


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
