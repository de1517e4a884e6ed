"""Services stopped and started by their unit, or by the commands of the configuration; and proof that nobody writes."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from healthkit.errors import ProcedureError
from healthkit.findings import Severity
from healthkit.procedures._placements import BESIDE
from healthkit.procedures._writers import name_of, writers

if TYPE_CHECKING:
    from healthkit.config import Service
    from healthkit.procedures._scenes import Scene

_SECONDS = 120
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 10.0
"""Seconds that a process has to let go of a file after its service was stopped."""


def command_of(service: Service, verb: Literal["start", "stop", "restart"]) -> tuple[str, ...]:
    """What is run; empty where nothing is configured."""
    given: tuple[str, ...] | None = getattr(service, verb)
    return given or (("systemctl", verb, "--", service.unit) if service.unit else ())


def order(scene: Scene, service: Service, verb: Literal["start", "stop", "restart"]) -> str:
    """Start or stop a service; why that failed, empty if it did not, or if nothing is configured to do it by."""
    command = command_of(service, verb)
    if not command:
        return ""
    with tempfile.TemporaryFile(dir=scene.workspace) as said:
        try:
            # Not through a pipe: a daemon keeps it open, and we would wait for the daemon's end.
            done = subprocess.run(
                ["env", f"PATH={_PATH}", *command], stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=_SECONDS,
                start_new_session=True, check=False, cwd="/",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{' '.join(command)} did not end within {_SECONDS} s"
        said.seek(0)
        words = said.read().decode("utf-8", "replace").splitlines()
    if done.returncode:
        return f"{' '.join(command)} ended with exit code {done.returncode}: {' '.join(words[-2:])[:300]}"
    return ""


def require_no_writer(paths: Iterable[Path], *, unseen: bool = False, patience: float) -> int:
    """Wait until no process has one of these files, or what SQLite keeps beside them, open for writing.

    Args:
        paths: The files.
        unseen: Whether processes whose files we may not see are taken to be none.
        patience: Seconds to wait.

    Returns:
        How many files were looked for.

    Raises:
        ProcedureError: One has, or nobody can tell.
    """
    there = [
        place for path in paths for place in (path, *(path.with_name(path.name + s) for s in BESIDE)) if place.exists()
    ]
    inodes = {(status.st_dev, status.st_ino): place for place in there if (status := place.stat())}
    deadline = time.monotonic() + patience
    while True:
        found = writers(inodes)
        if not found.by_inode:
            break
        if time.monotonic() > deadline:
            inode, pids = next(iter(found.by_inode.items()))
            who = ", ".join(name_of(pid) for pid in pids)
            hint = "End it by its own means, then run this again; nothing was changed."
            raise ProcedureError(f"{who} still has {inodes[inode]} open for writing: refused", hint=hint)
        time.sleep(0.1)
    if found.blind and not unseen:
        hint = "Run it as root; or, if you know that nobody writes: -o unseen accept."
        message = f"the files of {found.blind} processes cannot be seen, so nobody knows who writes: refused"
        raise ProcedureError(message, severity=Severity.UNKNOWN, hint=hint)
    return len(there)
