"""Up-time, clock synchronisation, open files."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit.collectors.procfs import Procfs
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("host_uptime_seconds", "gauge", "Time since boot."),
    Metric("clock_synchronised", "gauge", "1 if the kernel's clock is being held on time, 0 if not; absent if untold."),
    Metric("clock_offset_seconds", "gauge", "What the clock still has to be moved by; only while synchronised."),
    Metric("host_open_files", "gauge", "Open files of all processes."),
    Metric("host_open_files_limit", "gauge", "Open files that the kernel allows."),
)
_UNSYNCHRONISED, _NANOSECONDS, _ERROR = 0x0040, 0x2000, 5


class Clock(NamedTuple):
    """What the kernel knows about its own clock."""

    synchronised: bool
    offset: float
    """Seconds."""


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),  # longer than any kernel's
    )


def clock() -> Clock | None:
    """State of the clock by adjtimex(2), which needs no privilege to read; None where it cannot be called."""
    call = _adjtimex()
    timex = _Timex()
    state = call(ctypes.byref(timex)) if call else -1
    if state < 0:
        return None
    scale = 1e9 if timex.status & _NANOSECONDS else 1e6
    return Clock(state != _ERROR and not timex.status & _UNSYNCHRONISED, timex.offset / scale)


@lru_cache(maxsize=1)
def _adjtimex() -> Callable[[Any], int] | None:
    try:
        return ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None


def measure(proc: Procfs, clock: Callable[[], Clock | None]) -> Iterator[Reading]:
    """The state of the host now. Source: proc_uptime(5), proc_sys_fs(5)."""
    yield Reading("host_uptime_seconds", float(proc.read("uptime").split()[0]))
    known = clock()
    if known:
        yield Reading("clock_synchronised", known.synchronised)
        if known.synchronised:
            yield Reading("clock_offset_seconds", known.offset)
    opened, _, limit = map(int, proc.read("sys/fs/file-nr").split())
    yield Reading("host_open_files", opened)
    yield Reading("host_open_files_limit", limit)


def collect(procfs: str = "/proc", *, clock: Callable[[], Clock | None] = clock) -> Iterator[Reading]:
    """The state of the host now."""
    with Procfs(procfs) as proc:
        yield from measure(proc, clock)


def watch(world: World) -> Callable[[], Iterator[Reading]]:
    """Measures on every tick."""
    return partial(measure, world.proc, clock)
