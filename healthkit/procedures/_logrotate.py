"""The host's logrotate, driven by a configuration of ours and a state file of ours. Source: logrotate(8)."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
import time
from collections.abc import Container, Iterable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import NOT_INSTALLED
from healthkit.errors import ProcedureError
from healthkit.findings import Severity
from healthkit.procedures._log_files import DATEFORMAT

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

_WORDS = f"""\
    daily
    rotate -1
    missingok
    notifempty
    create
    dateext
    dateformat {DATEFORMAT}
    compress
    delaycompress
    nocopytruncate
    noolddir
    nomail
"""
"""Rename, never copy and truncate, which loses what is written in between. Compression waits for the next rotation, when
writers have let go. Nothing is removed: retention is ours, so that it can be shown before it is done."""
_TICK = 0.02
"""Seconds by which time(2), whose second logrotate writes, may lag behind: Linux moves it on once a tick, of 10 ms at most."""
_NAME = re.compile(r"[\w.-]+\Z", re.ASCII)


def stanzas(logs: Iterable[Path]) -> str:
    """The configuration that rotates these logs; names must have been found fit for it.

    Raises:
        ProcedureError: A folder belongs to somebody without a name.
    """
    parts = ["# Written by healthkit before each rotation.\n"]
    for folder, paths in groupby(sorted(logs, key=lambda path: (str(path.parent), path.name)), lambda p: p.parent):
        names = "\n".join(f'"{path}"' for path in paths)
        parts.append(f"{names} {{\n{_WORDS}{_su(folder)}}}\n")
    return "\n".join(parts)


def _su(folder: Path) -> str:
    """Root does not rotate in a folder that others may write: there it acts as the folder's owner."""
    status = folder.stat()
    shared = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
    if os.geteuid() != 0 or (status.st_uid == 0 and not shared):
        return ""
    try:
        user, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
    except KeyError as error:
        raise ProcedureError(f"{folder} belongs to nobody who has a name", hint="Give it to a user.") from error
    if not (_NAME.match(user) and _NAME.match(group)):
        raise ProcedureError(f"{folder} belongs to {user!r}, {group!r}: names that cannot be written down")
    return f"    su {user} {group}\n"


def pass_by(stamps: Container[int]) -> None:
    """Wait for a second from which no archive is named: logrotate, which names by the second, would refuse to rotate."""
    while int(now := time.time()) in stamps or int(now - _TICK) in stamps:
        time.sleep(1.0 + _TICK - now % 1)


def rotate(scene: Scene, conf: Path, state: Path, *, dry: bool, force: bool) -> str:
    """Call logrotate; what it said.

    Raises:
        ProcedureError: It is not installed, or failed.
    """
    flags = [*(["--debug"] if dry else ["--verbose"]), *(["--force"] if force else [])]
    try:
        done = scene.tool("logrotate", *flags, "--state", str(state), str(conf))
    except FileNotFoundError as error:
        if error.strerror != NOT_INSTALLED:
            raise
        hint = "Install it: apt-get install logrotate."
        raise ProcedureError(
            "logrotate is not installed: no log was rotated", severity=Severity.UNKNOWN, hint=hint
        ) from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")] or done.stderr.splitlines()[
            -3:
        ]
        raise ProcedureError(
            f"logrotate ended with {done.returncode}: {' '.join(errors)[:500]}",
            hint=f"By hand: logrotate --debug --state {state} {conf}",
        )
    return done.stderr + done.stdout
