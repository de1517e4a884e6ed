"""What a procedure is made of, and what a run of it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from healthkit.findings import Finding, Findings, Severity
from healthkit.quantities import counted, quantity

if TYPE_CHECKING:
    import pandas as pd

OK, PLANNED, UNKNOWN, FAILED, SKIPPED = "ok", "planned", "unknown", "failed", "skipped"
STATUS = {Severity.CRITICAL: FAILED, Severity.UNKNOWN: UNKNOWN}
"""Of a step, by its worst finding."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step did or saw."""

    message: str
    """One sentence with the numbers in it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able."""
    findings: tuple[Finding, ...] = ()
    """What is wrong, or was told to be right."""
    status: str = ""
    """Of the step; by the worst finding if empty: critical is `failed`, unknown is `unknown`."""

    @property
    def state(self) -> str:
        """Of the step: what was said, or what follows from the findings."""
        worst = Findings(self.findings).worst if self.findings else Severity.OK
        return self.status or STATUS.get(worst, OK)


@dataclass(frozen=True, slots=True)
class Action:
    """A step as a procedure yields it: what to do, and what to say instead in a dry run."""

    name: str
    """One or two words."""
    do: Callable[[], Outcome]
    """Does it."""
    plan: Callable[[], Outcome] | None = None
    """Says what `do` would do, and changes nothing. None: `do` only reads, and runs in a dry run too."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run."""

    name: str
    """One or two words."""
    status: str
    """`ok`, `planned` (dry run), `unknown` (could not tell), `failed`, or `skipped` after a failure."""
    message: str
    """One sentence."""
    seconds: float = 0.0
    """How long it took."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What was seen or done: JSON-able."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "status": self.status,
            "message": self.message,
            "seconds": self.seconds,
            "evidence": dict(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class Run:
    """What a procedure did, step by step."""

    procedure: str
    """Its name."""
    dry_run: bool
    """Whether it only said what it would do. Procedures that only read are never dry."""
    started: datetime
    """UTC."""
    seconds: float
    """How long it took."""
    steps: tuple[Step, ...]
    """In order; after a failed one the others are `skipped`."""
    findings: Findings
    """What is wrong, or was told to be right."""
    host: str = ""
    """Where it ran."""

    @property
    def status(self) -> str:
        """`ok`, `unknown` (it could not tell), `failed`, or `skipped` if no step was taken: as in `task_runs`."""
        statuses = {step.status for step in self.steps}
        for worst in (FAILED, UNKNOWN):
            if worst in statuses:
                return worst
        return SKIPPED if statuses <= {SKIPPED} else OK

    @property
    def exit_code(self) -> int:
        """0 ok or info, 1 warning, 2 critical, 3 unknown (the Nagios plug-in contract)."""
        return self.findings.worst.exit_code if self.findings else 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "procedure": self.procedure,
            "dry_run": self.dry_run,
            "status": self.status,
            "exit_code": self.exit_code,
            "host": self.host,
            "started": self.started.isoformat(),
            "seconds": self.seconds,
            "steps": [step.as_dict() for step in self.steps],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a step: name, status, message, seconds, evidence."""
        import pandas as pd

        return pd.DataFrame([step.as_dict() for step in self.steps], columns=list(Step("", "", "").as_dict()))

    def __str__(self) -> str:
        took = f"in {quantity(self.seconds, 'seconds')}"
        stopped = next((step for step in self.steps if step.status in (FAILED, UNKNOWN)), None)
        if self.status == SKIPPED and self.steps:
            return f"{self.procedure} did nothing: {self.steps[0].message}."
        if stopped is not None:
            verb = "failed" if stopped.status == FAILED else "could not tell"
            return f"{self.procedure} {verb} at {stopped.name}, {took}: {stopped.message}."
        if self.dry_run:
            return f"{self.procedure}, dry run: {counted(len(self.steps), 'step')}, nothing was changed."
        done = sum(step.status == OK for step in self.steps)
        bad = len(self.findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN))
        return f"{self.procedure}: {done} of {counted(len(self.steps), 'step')} done {took}; {counted(bad, 'finding')} to act on."
