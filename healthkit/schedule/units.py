"""The schedule as systemd units: a timer and a service a task, and the resident collector.

Times are in UTC, so no change of the clock skips or doubles one; `Persistent=` makes up for what the host slept through.
Sources: systemd.timer(5), systemd.time(7), systemd.exec(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ParameterError
from healthkit.schedule.places import MARKER, Place

if TYPE_CHECKING:
    from healthkit.schedule.tasks import Task

COLLECTOR = "healthkit-collect.service"

_SERVICE = """\
# {marker}
[Unit]
Description=healthkit {name}: {what}

[Service]
Type=oneshot
User={user}
ExecStart={command}
# healthkit task has its own time-out, kills what it started, and records that.
TimeoutStartSec=infinity
TimeoutStopSec=30
Nice=5
# A lock held by a run that is still going on is no failure of this one.
SuccessExitStatus=75
"""
_TIMER = """\
# {marker}
[Unit]
Description=healthkit {name}

[Timer]
OnCalendar={calendar}
Persistent={persistent}
RandomizedDelaySec={delay}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
_COLLECTOR = """\
# {marker}
[Unit]
Description=healthkit collector
After=local-fs.target

[Service]
Type=exec
User={user}
ExecStart={command}
Restart=on-failure
RestartSec=10
# 75: another collector runs already; starting again would not change that.
RestartPreventExitStatus=64 75 78
# Nothing here may give the collector a mount namespace of its own (ProtectSystem=, PrivateTmp=, ProtectHome=, ...):
# it would see its own read-only mounts and report those, not the host's.
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
# adjtimex: reading whether the clock is synchronised.
SystemCallFilter=@system-service adjtimex clock_adjtime
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def units(
    tasks: Sequence[Task], place: Place, *, user: str = "root", delay: float = 0, every: float = 60
) -> dict[str, str]:
    """Every unit by its file name.

    Args:
        tasks: What the timers start.
        place: Interpreter and home.
        user: Whom it runs as.
        delay: Seconds that each start is put off by at most, at random.
        every: Seconds between samples.

    Raises:
        ParameterError: A path has a control character in it.
    """
    found: dict[str, str] = {}
    for task in tasks:
        command = line(place.command("task", task.name, "--home", str(place.home)))
        stem = f"healthkit-{task.name}"
        found[f"{stem}.service"] = _SERVICE.format(
            marker=MARKER, name=task.name, what=task.what, user=user, command=command
        )
        found[f"{stem}.timer"] = _TIMER.format(
            marker=MARKER,
            name=task.name,
            calendar=task.calendar.systemd,
            persistent="no" if task.often else "yes",
            delay=f"{0 if task.often else delay:g}",
        )
    collect = line(place.command("collect", "--every", f"{every:g}s", "--home", str(place.home)))
    found[COLLECTOR] = _COLLECTOR.format(marker=MARKER, user=user, command=collect)
    return found


def line(command: Sequence[str]) -> str:
    r"""A command for ExecStart=: quoted where need be; `%` and `$` would stand for something else.

    Raises:
        ParameterError: It has a control character in it.

    >>> print(line(["/opt/my env/bin/python", "100%", "$HOME"]))
    "/opt/my env/bin/python" 100%% $$HOME
    """
    words = []
    for word in command:
        if not word.isprintable():
            raise ParameterError(f"{word!r} cannot stand in a unit")
        plain = word.replace("%", "%%").replace("$", "$$")
        needs = not word or any(c in word for c in " '\"\\;")
        words.append('"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"' if needs else plain)
    return " ".join(words)


def units_folder(root: Path) -> Path:
    """Where an administrator's units lie."""
    return root / "etc" / "systemd" / "system"
