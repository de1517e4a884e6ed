"""Has the service been started from a backup lately, and did it work? That the files come back is only half of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable
from healthkit.findings import Finding, Severity
from healthkit.logbook import runs_of
from healthkit.periods import months_later
from healthkit.quantities import digits
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"

PROCEDURE = "dr_drill"
GRACE = timedelta(days=10)
"""The schedule drills on the first of a quarter: 92 days may lie between two of them."""
_RUN = "Run it: healthkit run dr_drill; and see that the schedule does: healthkit schedule show."


def check(context: Context) -> Iterator[Finding]:
    """The newest run of `dr_drill`, from `task_runs`.

    Raises:
        StoreError: healthkit's own database cannot be read.
    """
    drill = context.config.drill
    if drill is None:
        message = "no service is configured to be started in a drill"
        yield not_applicable("drill", "drill", message, hint="Say how under `drill:` in healthkit.yaml.")
        return
    runs = []
    if (context.home / "health.db").exists():
        with State(context.home, timeout=2) as state:
            runs = [run for run in runs_of(state, PROCEDURE, limit=100) if run["status"] != "running"]
    evidence = {"runs": len(runs), "source": "health.db: task_runs"}
    if not runs:
        yield Finding("drill", Severity.WARNING, "drill", "none was ever run", evidence=evidence, hint=_RUN)
        return
    last = runs[0]
    due = months_later(last["started"].date(), drill.every_months)
    days = (context.now - last["started"]) / timedelta(days=1)
    late = context.now.date() > due + GRACE
    passed = last["status"] == "ok"
    word = "passed" if passed else f"ended as {last['status']}"
    message = f"the last one, {digits(max(days, 0))} days ago, {word}; the next is due by {due}"
    yield Finding(
        "drill",
        Severity.OK if passed and not late else Severity.WARNING,
        "drill",
        message,
        value=days,
        unit="days",
        evidence=evidence | {"status": last["status"], "exit_code": last["exit_code"], "due": due.isoformat()},
        hint="" if passed and not late else _RUN if passed else "Read HOME/reports/quarterly/dr-test-report.md.",
    )
