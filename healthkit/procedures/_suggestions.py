"""What healthkit's own configuration might say better, each with the number that suggests it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from healthkit.errors import StoreError
from healthkit.manifests import backup_folders, read_manifest
from healthkit.quantities import counted, digits, quantity

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.config import Config

DAYS = 30
"""Measured days that a suggestion looks at."""
OFTEN = 0.5
"""Share of the days above a limit from which it is the limit that is wrong, or the host."""
FEW = 7
"""Measured days below which a limit is not blamed for what exceeds it."""
FAR = 20
"""How many times the p95 a limit may be before it says nothing."""
COSTLY = 0.02
"""Share of its interval that measuring may take."""
CLOSE = 0.8
"""Share of a time-out from which answers come close to it."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One key of the configuration, and the number that speaks against its value."""

    key: str
    value: float
    """What was measured."""
    threshold: float
    """What it was compared with."""
    unit: str
    text: str
    """One sentence with both numbers."""


@dataclass(frozen=True)
class Ground:
    """What suggestions stand on."""

    home: Path
    config: Config
    rollup: pd.DataFrame
    """Daily statistics of this host, of the last `DAYS` days."""

    def p95(self, metric: str, device: str | None = None) -> list[float]:
        """The 95th percentile of each measured day."""
        rows = self.rollup[(self.rollup["metric"] == metric) & (self.rollup["n"] > 0)]
        if device is not None:
            rows = rows[rows["device"] == device]
        return [float(grid[19]) for grid in rows["q"]]


def suggestions(ground: Ground) -> tuple[list[Suggestion], list[str]]:
    """Every suggestion, and what could not be told: question and reason."""
    found: list[Suggestion] = []
    unknown: list[str] = []
    for ask in QUESTIONS:
        try:
            found += ask(ground)
        except (_NotMeasuredError, OSError, StoreError) as error:
            unknown.append(f"{(ask.__doc__ or '').rstrip('.')}: {error}")
    return found, unknown


class _NotMeasuredError(Exception):
    """There is no number to judge by."""


def _response_limit(ground: Ground) -> Iterator[Suggestion]:
    """Limit of response times against what they are."""
    limit = ground.config.limits.response_seconds
    values = ground.p95("http_response_seconds")
    if not ground.config.services:
        return
    if not values:
        raise _NotMeasuredError("no response time was measured")
    usual = sorted(values)[len(values) // 2]
    if limit > FAR * usual:
        text = f"answers take {quantity(usual, 'seconds')} (median of daily p95); the limit of {quantity(limit, 'seconds')} tells only when they are {digits(limit / usual)} times slower"
        yield Suggestion("limits.response_seconds", usual, limit, "seconds", text)


def _timeouts(ground: Ground) -> Iterator[Suggestion]:
    """Time-outs of services against their slowest answers."""
    for service in ground.config.services:
        if not service.url:
            continue
        values = ground.p95("http_response_seconds", service.name)
        if not values:
            raise _NotMeasuredError(f"no response time of {service.name} was measured")
        slow = max(values)
        if slow > CLOSE * service.timeout:
            text = f"p95 of {service.name} reached {quantity(slow, 'seconds')}, close to its time-out of {quantity(service.timeout, 'seconds')}: slower answers count as none"
            yield Suggestion(f"services.{service.name}.timeout", slow, service.timeout, "seconds", text)


def _limits(ground: Ground) -> Iterator[Suggestion]:
    """Limits that are exceeded on most days."""
    limits = ground.config.limits
    for key, metric in (("cpu", "cpu_busy_ratio"), ("memory", "memory_used_ratio"), ("swap", "swap_used_ratio")):
        values, limit = ground.p95(metric), float(getattr(limits, key))
        over = sum(value > limit for value in values)
        if over and len(values) < FEW:
            raise _NotMeasuredError(
                f"{counted(len(values), 'day is', 'days are')} too few to blame the limit, {FEW} are needed"
            )
        if values and over / len(values) >= OFTEN:
            text = f"p95 was above the limit of {quantity(limit, 'ratio')} on {over} of {len(values)} days: raise the limit, or give the host more"
            yield Suggestion(f"limits.{key}", over / len(values), OFTEN, "ratio", text)


def _collecting(ground: Ground) -> Iterator[Suggestion]:
    """Time that measuring takes of its interval."""
    every = float(ground.config.collect.every)
    rows = ground.rollup[(ground.rollup["metric"] == "collector_seconds") & (ground.rollup["n"] > 0)]
    if rows.empty:
        raise _NotMeasuredError("the time that collectors take was not measured")
    share = float(rows.groupby("date", observed=True)["mean"].sum().max()) / every
    if share > COSTLY:
        text = f"measuring took up to {quantity(share, 'ratio')} of its interval of {quantity(every, 'seconds')}: measure less often, or see which collector is slow"
        yield Suggestion("collect.every", share, COSTLY, "ratio", text)


def _raw_samples(ground: Ground) -> Iterator[Suggestion]:
    """Space that raw samples will take against what is free."""
    from healthkit.store import info

    held = info(ground.home)
    if not held.days:
        raise _NotMeasuredError("there are no samples")
    days = ground.config.collect.keep_raw / timedelta(days=1).total_seconds()
    more = (held.raw_bytes + held.journal_bytes) / held.days * max(days - held.days, 0)
    free = shutil.disk_usage(ground.home).free
    if more > CLOSE * free:
        text = f"raw samples of {digits(days)} days take {quantity(more, 'bytes')} more, of {quantity(free, 'bytes')} that are free"
        yield Suggestion("collect.keep_raw", more, free, "bytes", text)


def _backups(ground: Ground) -> Iterator[Suggestion]:
    """Interval and space of backups against age and space allowed."""
    config = ground.config.backups
    if config is None:
        return
    directory = Path(config.directory)
    manifests = [read_manifest(folder) for folder in list(backup_folders(directory))[:8]]
    if len(manifests) < 2:
        raise _NotMeasuredError(
            f"{counted(len(manifests), 'backup is', 'backups are')} too few to see how often they are made"
        )
    made = [manifest.created for manifest in manifests]
    hours = max((a - b) / timedelta(hours=1) for a, b in pairwise(made))
    if hours > config.max_age_hours:
        text = f"up to {digits(hours)} hours lay between backups, {digits(config.max_age_hours)} may be their age: make them more often, or allow more"
        yield Suggestion("backups.max_age_hours", hours, config.max_age_hours, "hours", text)
    size = sum(file.bytes for file in manifests[0].files)
    keep = config.keep.daily + config.keep.weekly + config.keep.monthly
    more, free = size * max(keep - len(manifests), 0), shutil.disk_usage(directory).free
    if more > CLOSE * free:
        text = f"{keep} backups of {quantity(size, 'bytes')} are to be kept; that takes {quantity(more, 'bytes')} more, of {quantity(free, 'bytes')} that are free"
        yield Suggestion("backups.keep", float(more), float(free), "bytes", text)


def _unprotected(ground: Ground) -> Iterator[Suggestion]:
    """Databases that nothing backs up."""
    if ground.config.backups is None and ground.config.databases:
        count = len(ground.config.databases)
        yield Suggestion(
            "backups",
            float(count),
            0,
            "",
            f"{counted(count, 'database is', 'databases are')} configured, and no backup",
        )


def _unheard(ground: Ground) -> Iterator[Suggestion]:
    """Alerts that reach nobody."""
    config = ground.config
    ways = len(config.mail.recipients.operators) + len(config.alerting.apprise)
    ways += sum(url is not None for url in (config.alerting.webhook, config.alerting.alertmanager))
    if not ways:
        text = (
            "alerts reach nobody: neither an address of operators nor a webhook, Alertmanager or Apprise is configured"
        )
        yield Suggestion("mail.recipients.operators", 0, 1, "", text)


def _ports(ground: Ground) -> Iterator[Suggestion]:
    """Open sockets that no list allows."""
    if ground.config.security.ports is not None:
        return
    listening = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr]
    outside = {address.port for address in listening if not _local(address.ip)}
    if outside:
        text = f"{counted(len(outside), 'port is', 'ports are')} open to the outside, and no list says which are meant: {', '.join(map(str, sorted(outside)[:8]))}"
        yield Suggestion("security.ports", float(len(outside)), 0, "", text)


def _local(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


QUESTIONS: tuple[Callable[[Ground], Iterator[Suggestion]], ...] = (
    _response_limit, _timeouts, _limits, _collecting, _raw_samples, _backups, _unprotected, _unheard, _ports,
)  # fmt: skip
"""Each yields what it has to suggest; one that lacks its number says so by an error."""
