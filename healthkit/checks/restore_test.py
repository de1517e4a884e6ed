"""Has a backup been restored lately, and did it work? A backup that nobody restored is a hope."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable
from healthkit.findings import Finding, Severity
from healthkit.logbook import runs_of
from healthkit.quantities import digits
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "data_safety"
WEIGHT = 2
CAP = 59

PROCEDURE = "restore_test"
DAYS = 35
"""A month and some grace: the runbook tests every week, its disaster drill every quarter."""
WITHOUT = 84
"""What a host without a successful restore test scores at most."""
_RUN = "Run it: healthkit run restore_test; and see that the schedule does: healthkit schedule show."


def check(context: Context) -> Iterator[Finding]:
    """The newest run of the procedure `restore_test`, and the newest that succeeded, from `task_runs`.

    Raises:
        StoreError: healthkit's own database cannot be read.
    """
    if context.config.backups is None:
        yield not_applicable("restore_test", "restore test", "no backups are configured, so there is none to restore")
        return
    runs = []
    if (context.home / "health.db").exists():
        with State(context.home, timeout=2) as state:
            runs = [run for run in runs_of(state, PROCEDURE, limit=100) if run["status"] != "running"]
    good = next((run for run in runs if run["status"] == "ok"), None)
    evidence = {"threshold": DAYS, "runs": len(runs), "source": "health.db: task_runs"}
    if runs and runs[0] is not good:
        status, started = runs[0]["status"], runs[0]["started"]
        message = f"the last one, of {started:%Y-%m-%d}, ended as {status}"
        detail = evidence | {"exit_code": runs[0]["exit_code"], "detail": runs[0]["detail"]}
        hint = "See what failed: healthkit run restore_test; until it passes, treat the backups as useless."
        severity = Severity.CRITICAL if status == "failed" else Severity.WARNING
        capped = detail | {"cap": WITHOUT}
        yield Finding("restore_test", severity, "result", message, evidence=capped, hint=hint)
    else:
        message = f"the last one passed, {good['started']:%Y-%m-%d}" if good else "none was ever run"
        severity = Severity.OK if good else Severity.WARNING
        capped = evidence | ({} if good else {"cap": WITHOUT})
        yield Finding("restore_test", severity, "result", message, evidence=capped, hint="" if good else _RUN)
    if good:
        yield _age((context.now - good["started"]) / timedelta(days=1), evidence)


def _age(days: float, evidence: dict[str, object]) -> Finding:
    late = days > DAYS
    return Finding(
        "restore_test",
        Severity.WARNING if late else Severity.OK,
        "age",
        f"the last that passed is {digits(max(days, 0))} days old; {DAYS} are allowed",
        value=days,
        unit="days",
        evidence=evidence | ({"cap": WITHOUT} if late else {}),
        hint=_RUN if late else "",
    )
