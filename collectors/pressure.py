"""Time lost waiting for processors, memory and disks (pressure stall information)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from healthkit.collectors.procfs import Procfs
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("cpu_pressure_some_ratio", "gauge", "Share of time in which some task waited for a processor."),
    Metric("memory_pressure_some_ratio", "gauge", "Share of time in which some task waited for memory."),
    Metric("memory_pressure_full_ratio", "gauge", "Share of time in which all tasks waited for memory."),
    Metric("io_pressure_some_ratio", "gauge", "Share of time in which some task waited for a disk."),
    Metric("io_pressure_full_ratio", "gauge", "Share of time in which all tasks waited for a disk."),
)
_WANTED = {metric.name for metric in METRICS}


class Meter:
    """Shares of stalled time between one call and the one before, from the kernel's totals in microseconds.

    The kernel's own averages cover 10, 60 or 300 seconds whatever the interval between samples: the totals miss nothing
    and count nothing twice. Source: https://docs.kernel.org/accounting/psi.html
    """

    def __init__(self, proc: Procfs, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._before = (clock(), dict(self._totals()))

    def __call__(self) -> Iterator[Reading]:
        """Shares since the call before."""
        then, before = self._before
        now, totals = self._clock(), dict(self._totals())
        self._before = (now, totals)
        if now <= then:
            return
        for name, total in totals.items():
            if name in before:
                yield Reading(name, min(1.0, max(0, total - before[name]) / 1e6 / (now - then)))

    def _totals(self) -> Iterator[tuple[str, int]]:
        for resource in ("cpu", "memory", "io"):
            try:
                text = self._proc.read(f"pressure/{resource}")
            except OSError:  # a kernel without PSI, or one where it is switched off: nothing to know
                continue
            for line in text.splitlines():
                kind, *_, total = line.split()
                name = f"{resource}_pressure_{kind.decode()}_ratio"
                if name in _WANTED:
                    yield name, int(total.removeprefix(b"total="))


def collect(
    procfs: str = "/proc",
    *,
    seconds: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Reading]:
    """One measurement over the next *seconds*."""
    with Procfs(procfs) as proc:
        meter = Meter(proc, clock=clock)
        sleep(seconds)
        proc.forget()
        yield from meter()


def watch(world: World) -> Meter:
    """Measures from tick to tick."""
    return Meter(world.proc)
