"""The schedule as `/etc/cron.d/healthkit`.

Debian's cron knows no CRON_TZ: its times are the system's local ones, and so are those that `healthkit task --due` counts
by when it makes up for what a host slept through. Sources: crontab(5), cron(8) of Debian.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ParameterError
from healthkit.schedule.places import MARKER, Place

if TYPE_CHECKING:
    from healthkit.schedule.tasks import Task

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEADER = """\
# {marker}; written by `healthkit schedule install --cron`, removed by `healthkit schedule remove`.
# Times are this system's local ones: Debian's cron knows no CRON_TZ. The weekly tasks run on Monday, the clock changes
# on Sunday. Where a change of the clock skips the time of a task, cron runs it right after, and where it comes twice, once
# (cron(8)). What the host slept through is made up for, once, by the line with --due. A task that still runs is
# not started again: `healthkit task` holds a lock. It prints when it fails only, which is what MAILTO gets.
SHELL=/bin/sh
PATH={path}
MAILTO={mailto}

"""


def crontab(
    tasks: Sequence[Task],
    place: Place,
    *,
    user: str = "root",
    mailto: str = "root",
    delay: float = 0,
    every: float = 60,
) -> str:
    """The file's text.

    Args:
        tasks: What it starts.
        place: Interpreter and home.
        user: Whom it runs as.
        mailto: Who gets what a failed task prints.
        delay: Seconds that each start is put off by at most, at random.
        every: Seconds between samples.

    Raises:
        ParameterError: A path has a line break, or an address a blank: cron has no way to write them.
    """
    if not mailto.isprintable() or " " in mailto:
        raise ParameterError(f"{mailto!r} cannot stand in a crontab")
    lines = [_HEADER.format(marker=MARKER, path=PATH, mailto=mailto)]
    for task in tasks:
        spread = ["--random-delay", f"{delay:g}s"] if delay and not task.often else []
        command = line(place.command("task", task.name, *spread, "--home", str(place.home)))
        lines.append(f"# {task.what}\n{task.calendar.cron} {user} {command}\n")
    due = line(place.command("task", "--due", "--zone", "local", "--home", str(place.home)))
    lines.append(f"# what was missed while the host was down\n17 * * * * {user} {due}\n")
    collect = line(place.command("collect", "--every", f"{every:g}s", "--home", str(place.home)))
    # The collector's own lock ends the second one, with a sentence that would be mailed twelve times an hour.
    lines.append(f"# the collector, started again should it end\n*/5 * * * * {user} {collect} >/dev/null 2>&1\n")
    return "".join(lines)


def line(command: Sequence[str]) -> str:
    r"""A command for a crontab: quoted for the shell, and `%`, which is a line break to cron, escaped.

    Raises:
        ParameterError: It has a line break in it.

    >>> print(line(["/opt/my env/bin/python", "-c", "100%"]))
    '/opt/my env/bin/python' -c 100\%
    """
    text = shlex.join(command)
    if "\n" in text or "\r" in text or "\\%" in text:
        raise ParameterError(f"{text!r} cannot stand in a crontab")
    return text.replace("%", r"\%")


def crontab_path(root: Path) -> Path:
    """Where it lies; cron reads no file there with a dot in its name."""
    return root / "etc" / "cron.d" / "healthkit"
