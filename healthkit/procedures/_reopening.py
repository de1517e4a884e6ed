"""Has the writers of rotated logs open them anew, and sees who did not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.findings import Finding, Severity
from healthkit.procedures._runs import Outcome
from healthkit.procedures._writers import family, name_of, writers

if TYPE_CHECKING:
    from healthkit.config import Reopen
    from healthkit.procedures._log_files import LogFile
    from healthkit.procedures._scenes import Scene

REOPEN = (
    "Say under `logs: reopen` how to tell it; a writer that cannot reopen its log must be restarted after a rotation."
)
_PATIENCE = 5.0
"""Seconds that writers get to open their logs anew."""


def tell(scene: Scene, how: Reopen, rotated: Iterable[LogFile], *, proc: Path) -> Outcome:
    """Run the command, or send the signal.

    Args:
        scene: The run.
        how: The command, or the signal and where the process's number is.
        rotated: The archives that logs became, which their writers still have open.
        proc: Where processes are looked up.
    """
    if how.command:
        done = scene.tool(*how.command, timeout=60)
        message = f"{how.command[0]} ended with {done.returncode}"
        said = (done.stderr or done.stdout)[-500:]
        bad = scene.finding(Severity.CRITICAL, "reopen", f"{message}: {said}", hint=REOPEN)
        return Outcome(message, {"said": said}, (bad,) if done.returncode else ())
    return _signal(scene, how, rotated, proc=proc)


def would_tell(how: Reopen | None) -> str:
    """What `tell` would do, in a sentence."""
    if how is None:
        return "would tell nobody: `logs: reopen` is not configured"
    what = f"run {' '.join(how.command)}" if how.command else f"send SIG{how.signal} to the process in {how.pid_file}"
    return f"would {what}, if a log was rotated"


def stragglers(scene: Scene, rotated: Iterable[LogFile], *, proc: Path) -> Iterator[Finding]:
    """Writers that did not open their log anew in time."""
    deadline = time.monotonic() + _PATIENCE
    inodes = {log.inode: log for log in rotated}
    seen = writers(inodes, proc=proc)
    while seen.by_inode and time.monotonic() < deadline:
        time.sleep(0.1)
        seen = writers(inodes, proc=proc)
    if seen.by_inode:
        late = {
            inodes[inode].path.name: [name_of(pid, proc=proc) for pid in pids] for inode, pids in seen.by_inode.items()
        }
        name, who = next(iter(late.items()))
        message = f"{', '.join(who)} still writes to {name} and has not opened its log anew"
        yield scene.finding(Severity.WARNING, "writers", message, hint=REOPEN, writers=late)


def _signal(scene: Scene, how: Reopen, rotated: Iterable[LogFile], *, proc: Path) -> Outcome:
    """Only to a process that writes to what was rotated: the number in an old file may be anybody's by now."""
    try:
        pid = int(Path(how.pid_file or "").read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        bad = scene.finding(Severity.CRITICAL, "reopen", f"no process to signal: {error}", hint=REOPEN)
        return Outcome(bad.message, {}, (bad,))
    seen = writers((log.inode for log in rotated), proc=proc)
    involved = {holder for holders in seen.by_inode.values() for holder in holders}
    if pid < 2 or not involved & family(pid, proc=proc):
        message = f"process {pid} of {how.pid_file} has none of the rotated logs open: it was sent no signal"
        odd = scene.finding(Severity.WARNING, "reopen", message, hint=REOPEN)
        return Outcome(message, {"pid": pid}, (odd,))
    os.kill(pid, signal.Signals[f"SIG{how.signal}"])
    return Outcome(f"SIG{how.signal} sent to {name_of(pid, proc=proc)}", {"pid": pid})
