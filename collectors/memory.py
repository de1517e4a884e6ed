"""Memory, swap, and kills for want of memory."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from healthkit.collectors.procfs import Procfs, number
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("memory_total_bytes", "gauge", "Memory that the kernel manages."),
    Metric("memory_available_bytes", "gauge", "Memory that programs can get without swapping (the kernel's estimate)."),
    Metric("memory_used_ratio", "gauge", "Share of memory that is not available."),
    Metric("memory_cached_bytes", "gauge", "File pages in memory, given back on demand."),
    Metric("memory_dirty_bytes", "gauge", "Memory that waits to be written to disk."),
    Metric("memory_committed_bytes", "gauge", "Memory promised to programs; may exceed what there is."),
    Metric("swap_total_bytes", "gauge", "Size of all swap areas."),
    Metric("swap_used_bytes", "gauge", "Swap in use."),
    Metric("swap_used_ratio", "gauge", "Share of swap in use; absent where there is no swap."),
    Metric("swap_read_bytes_total", "counter", "Bytes brought back from swap."),
    Metric("swap_written_bytes_total", "counter", "Bytes moved out to swap."),
    Metric("memory_major_faults_total", "counter", "Page faults that had to wait for a disk."),
    Metric("oom_kills_total", "counter", "Processes killed because memory ran out."),
)
_PAGE = resource.getpagesize()
_GAUGES = (
    ("memory_total_bytes", b"MemTotal:"),
    ("memory_available_bytes", b"MemAvailable:"),
    ("memory_cached_bytes", b"Cached:"),
    ("memory_dirty_bytes", b"Dirty:"),
    ("memory_committed_bytes", b"Committed_AS:"),
    ("swap_total_bytes", b"SwapTotal:"),
)
_COUNTERS = (
    ("swap_read_bytes_total", b"pswpin", _PAGE),
    ("swap_written_bytes_total", b"pswpout", _PAGE),
    ("memory_major_faults_total", b"pgmajfault", 1),
    ("oom_kills_total", b"oom_kill", 1),
)


def measure(proc: Procfs) -> Iterator[Reading]:
    """The state of memory now. Source: proc_meminfo(5), proc_vmstat(5)."""
    text = proc.read("meminfo")
    size = {metric: kibibytes * 1024 for metric, key in _GAUGES if (kibibytes := number(text, key)) is not None}
    for metric, value in size.items():
        yield Reading(metric, value)
    total, available = size.get("memory_total_bytes"), size.get("memory_available_bytes")
    if total and available is not None:
        yield Reading("memory_used_ratio", max(0.0, 1 - available / total))
    swap, free = size.get("swap_total_bytes"), number(text, b"SwapFree:")
    if swap is not None and free is not None:
        yield Reading("swap_used_bytes", swap - free * 1024)
        if swap:
            yield Reading("swap_used_ratio", 1 - free * 1024 / swap)
    events = proc.read_if_there("vmstat")
    for metric, key, factor in _COUNTERS:
        count = number(events, key)
        if count is not None:
            yield Reading(metric, count * factor)


def collect(procfs: str = "/proc") -> Iterator[Reading]:
    """The state of memory now."""
    with Procfs(procfs) as proc:
        yield from measure(proc)


def watch(world: World) -> Callable[[], Iterator[Reading]]:
    """Measures on every tick."""
    return partial(measure, world.proc)
