"""How busy the processors are: user, system, waiting, stolen, per-core saturation, load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from healthkit.collectors.procfs import Procfs, number
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("cpu_busy_ratio", "gauge", "Share of processor time that was neither idle nor waiting for disks."),
    Metric("cpu_user_ratio", "gauge", "Share of processor time spent in programs, niced ones included."),
    Metric("cpu_system_ratio", "gauge", "Share of processor time spent in the kernel, interrupts included."),
    Metric("cpu_iowait_ratio", "gauge", "Share of processor time idle while a disk was being waited for."),
    Metric("cpu_steal_ratio", "gauge", "Share of processor time that the hypervisor gave to others."),
    Metric("cpu_saturated_cores_ratio", "gauge", "Share of cores more than 95 % busy: one hot thread shows here."),
    Metric("cpu_count", "gauge", "Cores that are on line."),
    Metric("cpu_context_switches_total", "counter", "Context switches of all cores."),
    Metric("cpu_interrupts_total", "counter", "Interrupts served by all cores."),
    Metric("load1", "gauge", "Tasks running or in uninterruptible sleep, averaged over 1 minute."),
    Metric("load5", "gauge", "Tasks running or in uninterruptible sleep, averaged over 5 minutes."),
    Metric("load15", "gauge", "Tasks running or in uninterruptible sleep, averaged over 15 minutes."),
)
SATURATED = 0.95
_Times = tuple[int, int, int, int, int]
"""user, system, idle, iowait, steal; in clock ticks."""


class Meter:
    """Shares of processor time between one call and the one before.

    Source: proc_stat(5). Guest time is contained in user time. iowait may step back when a core goes off line or
    sleeps; a negative difference counts as none.
    """

    def __init__(self, proc: Procfs) -> None:
        self._proc = proc
        self._before = _times(proc.read("stat"))

    def __call__(self) -> Iterator[Reading]:
        """Shares since the call before, and what can be told at once."""
        text = self._proc.read("stat")
        now, before = _times(text), self._before
        self._before = now
        yield from _ratios(now, before)
        yield Reading("cpu_count", len(now) - 1)
        for key, metric in ((b"ctxt", "cpu_context_switches_total"), (b"intr", "cpu_interrupts_total")):
            value = number(text, key)
            if value is not None:
                yield Reading(metric, value)
        for metric, average in zip(("load1", "load5", "load15"), self._proc.read("loadavg").split(), strict=False):
            yield Reading(metric, float(average))


def collect(
    procfs: str = "/proc", *, seconds: float = 1.0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Reading]:
    """One measurement over the next *seconds*."""
    with Procfs(procfs) as proc:
        meter = Meter(proc)
        sleep(seconds)
        proc.forget()
        yield from meter()


def watch(world: World) -> Meter:
    """Measures from tick to tick."""
    return Meter(world.proc)


def _times(text: bytes) -> dict[bytes, _Times]:
    found: dict[bytes, _Times] = {}
    for line in text.splitlines():
        if not line.startswith(b"cpu"):
            break
        name, *fields = line.split()
        user, nice, system, idle, iowait, irq, softirq, steal = map(int, fields[:8])
        found[name] = (user + nice, system + irq + softirq, idle, iowait, steal)
    return found


def _shares(now: _Times, before: _Times) -> list[float] | None:
    spent = [max(0, a - b) for a, b in zip(now, before, strict=True)]
    total = sum(spent)
    return [part / total for part in spent] if total else None


def _ratios(now: dict[bytes, _Times], before: dict[bytes, _Times]) -> Iterator[Reading]:
    whole = _shares(now[b"cpu"], before[b"cpu"])
    if whole is None:  # not one clock tick has passed: nothing is known about this interval
        return
    user, system, idle, iowait, steal = whole
    yield Reading("cpu_busy_ratio", max(0.0, 1 - idle - iowait))
    yield Reading("cpu_user_ratio", user)
    yield Reading("cpu_system_ratio", system)
    yield Reading("cpu_iowait_ratio", iowait)
    yield Reading("cpu_steal_ratio", steal)
    cores = [_shares(now[name], before[name]) for name in now if name != b"cpu" and name in before]
    known = [1 - shares[2] - shares[3] for shares in cores if shares]
    if known:
        yield Reading("cpu_saturated_cores_ratio", sum(busy > SATURATED for busy in known) / len(known))
