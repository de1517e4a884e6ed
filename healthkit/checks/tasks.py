"""Do the maintenance tasks run, on time, and do they succeed?

Their own records tell (`task_runs`), not the log of cron: a script's last command is not the script's result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from healthkit.checks._context import not_applicable
from healthkit.findings import Finding, Severity
from healthkit.logbook import by_task
from healthkit.quantities import quantity
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"
WEIGHT = 3

LATE = 1.5
"""How many of its own intervals a task may be away: a daily one that is 36 hours old has missed a run."""
HANGING = timedelta(hours=24)
"""How long a task may say that it is running."""
ON_DEMAND = frozenset({"incident", "recovery"})
"""Procedures that answer an event: they are never late, and the check of what they are about says how things stand."""
_TASK = re.compile(r"\btask\s+(\w[\w-]*)")
_SCHEDULE = "See why: healthkit schedule show; and by hand: healthkit task {name}."


def check(context: Context) -> Iterator[Finding]:
    """Every task that is scheduled or ever ran: its last result, and whether the next run is overdue.

    Raises:
        StoreError: healthkit's own database cannot be read.
    """
    scheduled = _scheduled(context)
    runs: dict[str, list[dict[str, Any]]] = {}
    if (context.home / "health.db").exists():
        with State(context.home, timeout=2) as state:
            kept = state.records("task_runs", since=context.now - timedelta(days=400))
        runs = {name: rows for name, rows in by_task(kept).items() if name not in ON_DEMAND}
    if not (scheduled or runs):
        hint = "Install the schedule: healthkit schedule install."
        yield not_applicable("tasks", "tasks", "no task is scheduled, and none ever ran", hint=hint)
        return
    for name in sorted(scheduled.keys() | runs.keys()):
        if name in runs:
            yield _judge(context, name, runs[name])
        else:
            yield _never(context, name, scheduled[name])


def _judge(context: Context, name: str, runs: Sequence[Mapping[str, Any]]) -> Finding:
    """Newest first."""
    last, age = runs[0], context.now - runs[0]["started"]
    usual = _interval([run["started"] for run in runs])
    overdue = usual is not None and age > LATE * usual
    if last["status"] == "failed":
        wrong = f"failed with exit code {last['exit_code']}"
    elif last["status"] == "running" and age > HANGING:
        wrong = "has not ended, or was killed"
    else:
        wrong = "is overdue" if overdue else ""
    every = f", usually every {quantity(usual.total_seconds(), 'seconds')}" if usual else ""
    ago = f"{quantity(max(age.total_seconds(), 0), 'seconds')} ago"
    return Finding(
        "tasks",
        Severity.WARNING if wrong else Severity.OK,
        name,
        f"{wrong}: started {ago}{every}" if wrong else f"{last['status']}, {ago}{every}",
        value=age.total_seconds() / 86400,
        unit="days",
        evidence={
            "threshold": LATE * usual.total_seconds() / 86400 if usual else None,
            "status": last["status"],
            "exit_code": last["exit_code"],
            "started": last["started"].isoformat(),
            "detail": last["detail"],
            "source": "health.db: task_runs",
        },
        hint=_SCHEDULE.format(name=name) if wrong else "",
    )


def _interval(starts: Sequence[datetime]) -> timedelta | None:
    """Median time between runs that are not repeats of one another; None below three of them."""
    apart = [later - earlier for later, earlier in pairwise(starts)]
    regular = [gap.total_seconds() for gap in apart if gap > timedelta(hours=1)]
    return timedelta(seconds=median(regular)) if len(regular) >= 2 else None


def _never(context: Context, name: str, since: datetime) -> Finding:
    """A task that is scheduled and never ran: patience until it must have been its turn."""
    days = (context.now - since) / timedelta(days=1)
    allowed = {"daily": 2, "weekly": 8, "monthly": 32, "quarterly": 93}.get(re.split(r"[_-]", name)[0], 32)
    late = days > allowed
    return Finding(
        "tasks",
        Severity.WARNING if late else Severity.INFO,
        name,
        f"never ran in the {days:.0f} days since it was scheduled",
        value=days,
        unit="days",
        evidence={"threshold": allowed, "scheduled": since.isoformat(), "source": "/etc/cron.d, systemd timers"},
        hint=_SCHEDULE.format(name=name) if late else "",
    )


def _scheduled(context: Context) -> dict[str, datetime]:
    """Tasks that cron or systemd call, and since when that is so."""
    found: dict[str, datetime] = {}
    files = [
        *context.path("/etc/cron.d").glob("*health*"),
        *context.path("/etc/systemd/system").glob("*health*.service"),
    ]
    for path in files:
        text = _text(path)
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#") and "healthkit" in line]
        found |= {match[1]: since for line in lines for match in _TASK.finditer(line)}
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
