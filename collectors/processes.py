"""How many processes and threads there are, and in which state."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from healthkit.collectors.procfs import Procfs, number, slurp
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("process_count", "gauge", "Processes, zombies included."),
    Metric("thread_count", "gauge", "Threads of all processes and of the kernel."),
    Metric("process_running_count", "gauge", "Threads that run or wait for a processor; this one is among them."),
    Metric("process_blocked_count", "gauge", "Threads in uninterruptible sleep: mostly waiting for a disk."),
    Metric("process_zombie_count", "gauge", "Processes that ended and whose parent does not take notice."),
    Metric("process_forks_total", "counter", "Processes and threads started since boot."),
)
COUNT_SECONDS = 5.0
"""Listing /proc costs as much as the other counts together: no more often than this."""
SCAN_SECONDS = 60.0
"""Zombies can only be counted by opening every process: no more often than this."""
_STAT = (
    ("process_running_count", b"procs_running"),
    ("process_blocked_count", b"procs_blocked"),
    ("process_forks_total", b"processes"),
)


class Meter:
    """Counts on every tick, processes every few seconds; looks at each process once a minute."""

    def __init__(self, proc: Procfs, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._counted: float | None = None
        self._scanned: float | None = None

    def __call__(self) -> Iterator[Reading]:
        """The counts now."""
        yield Reading("thread_count", int(self._proc.read("loadavg").split()[3].partition(b"/")[2]))
        text = self._proc.read("stat")
        for metric, key in _STAT:
            value = number(text, key)
            if value is not None:
                yield Reading(metric, value)
        now = self._clock()
        if self._counted is not None and now - self._counted < COUNT_SECONDS - 0.5:
            return
        self._counted = now
        # A Path a process would cost more than all the rest.
        pids = [name for name in os.listdir(self._proc.root) if name.isdigit()]  # noqa: PTH208
        yield Reading("process_count", len(pids))
        if self._scanned is None or now - self._scanned >= SCAN_SECONDS - 0.5:
            self._scanned = now
            yield Reading("process_zombie_count", sum(_is_zombie(f"{self._proc.root}/{pid}/stat") for pid in pids))


def _is_zombie(path: str) -> bool:
    try:
        return slurp(path).rpartition(b") ")[2].startswith(b"Z")  # the name may hold any character, ")" too
    except OSError:  # it has ended in the meantime
        return False


def collect(procfs: str = "/proc") -> Iterator[Reading]:
    """The counts now."""
    with Procfs(procfs) as proc:
        yield from Meter(proc)()


def watch(world: World) -> Meter:
    """Measures on every tick."""
    return Meter(world.proc)
