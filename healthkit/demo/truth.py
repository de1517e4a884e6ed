"""What is hidden in the simulated fleet, where, when and how much: nothing of it depends on the seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from healthkit.errors import ParameterError
from healthkit.periods import Period

GROUP = "shop"
"""What the simulated hosts are called together."""
ROLES = ("web", "db", "cache", "web", "db")
"""Hosts take these roles in turn: web-1, db-1, cache-1, web-2, db-2, web-3, ..."""


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """What is hidden in the simulated samples. Of two hosts or fewer, one plays several parts."""

    hosts: tuple[str, ...]
    """Names."""
    start: datetime
    """Time of the first samples, UTC."""
    end: datetime
    """First moment without samples, UTC."""
    every: timedelta
    """Time between samples."""
    leak_host: str
    leak_device: str
    """Mount that fills."""
    leak_bytes_per_day: float
    """Growth of `disk_used_bytes`."""
    leak_start: datetime
    """Since when it grows."""
    leak_full: datetime
    """When the disk is full if nothing is done."""
    shift_host: str
    shift_metric: str
    """What a deployment raised."""
    shift_at: datetime
    shift_size: float
    """By how much, in the unit of the metric."""
    gap_host: str
    gap_start: datetime
    """From here the host sent nothing ..."""
    gap_end: datetime
    """... until here: a whole day."""
    noisy_host: str
    """Much noise, no change: healthy."""
    sawtooth_host: str
    sawtooth_device: str
    """Mount that log rotation empties every Sunday 00:00: no trend."""
    outage_host: str
    outage_service: str
    outage_start: datetime
    outage_end: datetime
    availability: float
    """Share of the probes of the service that succeeded, over the whole data."""
    certificate_host: str
    certificate_service: str
    certificate_end: datetime
    """When it runs out."""
    reboot_host: str
    """Its counters start again from zero."""
    reboot_at: datetime


def demo_truth(
    *, hosts: int = 5, days: int = 21, end: datetime | None = None, every: str | timedelta = "5min"
) -> DemoTruth:
    """What `demo_data` with the same arguments hides; nothing of it depends on the seed.

    All events lie in the newest whole ISO week before *end*, or, when *days* is small, before the first sample.

    Raises:
        ParameterError: An argument has a value it cannot have.
    """
    if hosts < 1 or days < 1:
        raise ParameterError(f"a demo of {hosts} hosts and {days} days: at least one of each")
    step = _step(every)
    end = _end(end)
    start = end - timedelta(days=days)
    names = host_names(hosts)
    first = {role: next((name for name in names if name.startswith(role)), names[0]) for role in ROLES}
    second = {role: next((name for name in names if name == f"{role}-2"), first[role]) for role in ROLES}
    monday = Period.of("weekly", end).start - timedelta(days=7)
    outage = (monday + timedelta(days=4, hours=10), monday + timedelta(days=4, hours=11, minutes=30))
    ticks = -((start - end) // step)
    down = sum(1 for at in range(ticks) if outage[0] <= start + at * step < outage[1])
    leak_start = max(start, end - LEAK_LONGEST)
    return DemoTruth(
        hosts=names,
        start=start,
        end=end,
        every=step,
        leak_host=first["db"],
        leak_device="/var",
        leak_bytes_per_day=LEAK_RATE,
        leak_start=leak_start,
        leak_full=end + timedelta(days=(LEAK_DISK - LEAK_END) / LEAK_RATE),
        shift_host=first["web"],
        shift_metric="cpu_busy_ratio",
        shift_at=monday + timedelta(hours=9),
        shift_size=0.15,
        gap_host=second["db"],
        gap_start=monday + timedelta(days=1),
        gap_end=monday + timedelta(days=2),
        noisy_host=first["cache"],
        sawtooth_host=second["web"],
        sawtooth_device="/var",
        outage_host=first["web"],
        outage_service="shop",
        outage_start=outage[0],
        outage_end=outage[1],
        availability=1 - down / ticks,
        certificate_host=second["web"],
        certificate_service="shop",
        certificate_end=end + timedelta(days=12),
        reboot_host=second["web"],
        reboot_at=monday + timedelta(days=3, hours=3),
    )


LEAK_RATE = 3e9
LEAK_DISK = 400e9
LEAK_END = 312e9
LEAK_LONGEST = timedelta(days=90)


def host_names(hosts: int) -> tuple[str, ...]:
    """The names of a fleet of so many.

    >>> host_names(6)
    ('cache-1', 'db-1', 'db-2', 'web-1', 'web-2', 'web-3')
    """
    roles = [ROLES[at % len(ROLES)] for at in range(hosts)]
    return tuple(sorted(f"{role}-{roles[: at + 1].count(role)}" for at, role in enumerate(roles)))


def _step(every: str | timedelta) -> timedelta:
    import pandas as pd

    try:
        step = pd.Timedelta(every).to_pytimedelta()
    except ValueError as error:
        raise ParameterError(f"every {every!r}: write 5min, 1h, ...") from error
    if not timedelta(seconds=1) <= step <= timedelta(days=1):
        raise ParameterError(f"every {every!r}: from a second to a day")
    return step


def _end(end: datetime | None) -> datetime:
    if end is None:
        return Period.of("daily", datetime.now(UTC)).start
    if end.tzinfo is None:
        raise ParameterError(f"end {end!r} has no time zone")
    return end.astimezone(UTC)
