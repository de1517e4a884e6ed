"""The maintenance tasks: those of the runbook's cron table at its times, those that it forgot, and healthkit's own.

The weekly ones run on Monday, not on Sunday, which still belongs to the week they report on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from importlib.util import find_spec
from typing import Literal

from healthkit.errors import ParameterError
from healthkit.schedule.calendars import Calendar

Cadence = Literal["weekly", "monthly", "quarterly"]
RAN = frozenset({0, 1, 2, 3})
"""A check or a review that ran, whatever it found: other alerts tell of that."""
DID = frozenset({0, 1})
"""A procedure that did its work, perhaps with a warning; critical or unknown means that it did not."""
MADE = frozenset({0, 75})
"""A report that was made; its mail may wait."""


@dataclass(frozen=True)
class Task:
    """Something that the schedule does."""

    name: str
    what: str
    """One line for people."""
    calendar: Calendar
    command: tuple[str, ...]
    """Arguments of healthkit."""
    good: frozenset[int] = frozenset({0})
    """Exit codes that mean it did its work."""
    timeout: timedelta = timedelta(hours=1)
    """When it is stopped, with everything that it started."""
    recipients: Cadence | None = None
    """Whom its report goes to: this list of `mail.recipients`."""
    own: bool = False
    """Whether its notebook is in HOME/notebooks."""
    often: bool = False
    """Runs so often that only a change, and one run a day, is recorded."""

    @property
    def procedure(self) -> str:
        """The procedure that it runs; empty if it does something else."""
        return self.command[1] if self.command[0] == "run" else ""

    @property
    def lacks(self) -> str:
        """What it calls and this version does not have; empty if it can run."""
        kind, about = self.command[0], self.command[1] if len(self.command) > 1 else ""
        if find_spec("healthkit.cli") and not find_spec(f"healthkit.cli.{kind}"):
            return f"healthkit {kind}"
        if self.procedure and not find_spec(f"healthkit.procedures.{self.procedure}"):
            return f"healthkit run {about}"
        if kind == "report" and not self.own and not files("healthkit.notebooks").joinpath(f"{about}.ipynb").is_file():
            return f"healthkit report {about}"
        return ""


_PERFORMANCE = ("check", "performance", "cpu", "memory", "swap", "pressure", "oom", "services")
_HOURS = timedelta(hours=1)

TASKS: tuple[Task, ...] = (
    Task("alerts", "judge the alert rules and deliver what waits", Calendar(every=5), ("alert", "check"),
         frozenset({0, 75}), timedelta(minutes=4), often=True),
    Task("daily-backup", "make a backup", Calendar(5, 0), ("run", "backup", "--apply"), DID, 4 * _HOURS),
    Task("daily-health-check", "all checks and the score", Calendar(6, 0), ("check",), RAN),
    Task("daily-log-management", "rotate, compress and expire logs", Calendar(6, 15),
         ("run", "log_rotation", "--apply"), DID, 2 * _HOURS),
    Task("daily-performance-monitoring", "use, saturation and answers against the host's own history", Calendar(6, 30),
         _PERFORMANCE, RAN),
    Task("daily-backup-verification", "read every file of the newest backup", Calendar(6, 45),
         ("run", "backup_verification"), DID, 4 * _HOURS),
    Task("daily-expiry", "delete raw samples older than the configuration keeps", Calendar(7, 0), ("store", "expire")),
    Task("weekly-system-review", "the weekly report", Calendar(2, 0, weekday=0), ("report", "weekly"), MADE,
         recipients="weekly"),
    Task("weekly-security-review", "what changed in security since last week", Calendar(2, 30, weekday=0),
         ("run", "security_review"), RAN),
    Task("weekly-backup-test", "restore the newest backup and count", Calendar(3, 0, weekday=0),
         ("run", "restore_test"), DID, 6 * _HOURS),
    Task("weekly-performance-analysis", "score, response time and resources of the week, as the runbook's JSON",
         Calendar(3, 30, weekday=0), ("run", "performance_analysis"), RAN),
    Task("weekly-database-maintenance", "look after the databases", Calendar(4, 0, weekday=0),
         ("run", "database_maintenance", "--apply"), DID, 2 * _HOURS),
    Task("monthly-optimization-review", "what could run better", Calendar(1, 0, day=1),
         ("run", "optimization_review"), RAN),
    Task("monthly-configuration-review", "what the configuration might say better", Calendar(1, 30, day=1),
         ("run", "configuration_review"), RAN),
    Task("monthly-capacity-planning", "when does what run out", Calendar(1, 0, day=2), ("run", "capacity_plan"), RAN),
    Task("monthly-security-audit", "the whole of security", Calendar(1, 0, day=3), ("run", "security_audit"), RAN),
    Task("monthly-report", "the monthly report", Calendar(2, 0, day=4), ("report", "monthly"), MADE,
         recipients="monthly"),
    Task("monthly-dr-test", "restore the service from its backup, somewhere else", Calendar(1, 0, day=5, months=(2, 3, 5, 6, 8, 9, 11, 12)),
         ("run", "dr_drill"), DID, 6 * _HOURS),
    Task("quarterly-dr-test", "the disaster recovery drill", Calendar(0, 0, day=1, months=(1, 4, 7, 10)),
         ("run", "dr_drill"), DID, 6 * _HOURS),
    Task("quarterly-architecture-measurements", "what the review of the architecture starts from",
         Calendar(3, 0, day=5, months=(1, 4, 7, 10)), ("run", "architecture_review"), RAN),
    Task("quarterly-host-benchmark", "how fast the host is", Calendar(4, 0, day=5, months=(1, 4, 7, 10)),
         ("run", "host_benchmark"), RAN),
    Task("quarterly-architecture-review", "the report that the review of the architecture starts from",
         Calendar(2, 0, day=6, months=(1, 4, 7, 10)), ("report", "quarterly"), MADE, recipients="quarterly"),
)  # fmt: skip
"""Every task, in the order of its time; `Task.lacks` says which ones cannot run yet."""


def every(notebooks: Mapping[str, Cadence] | None = None) -> tuple[Task, ...]:
    """All tasks: our own, and a report of each notebook of one's own, half an hour after ours of that cadence.

    Args:
        notebooks: Name of a notebook in HOME/notebooks, and its cadence.
    """
    calendars = {
        "weekly": Calendar(4, 30, weekday=0),
        "monthly": Calendar(2, 30, day=4),
        "quarterly": Calendar(2, 30, day=6, months=(1, 4, 7, 10)),
    }
    own = (
        Task(f"{cadence}-report-{name}", f"the report of notebooks/{name}.ipynb", calendars[cadence], ("report", name),
             MADE, recipients=cadence, own=True)
        for name, cadence in (notebooks or {}).items()
    )  # fmt: skip
    return (*TASKS, *own)


def task(name: str, notebooks: Mapping[str, Cadence] | None = None) -> Task:
    """The task of this name.

    Raises:
        ParameterError: There is none.
    """
    known = {one.name: one for one in every(notebooks)}
    if name not in known:
        raise ParameterError(f"no task is named {name!r}: there are {', '.join(known)}")
    return known[name]


def ready(notebooks: Mapping[str, Cadence] | None = None) -> tuple[Task, ...]:
    """The tasks that can run, in the order of `every`."""
    return tuple(known for known in every(notebooks) if not known.lacks)
