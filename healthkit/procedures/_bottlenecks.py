"""Bottlenecks by the USE method: utilisation, saturation and errors of every resource, from daily statistics.

Source: Gregg (2013), Systems Performance, 2.5.9.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit.quantities import quantity

if TYPE_CHECKING:
    import pandas as pd


class _Kind(NamedTuple):
    """What tells of one kind of resource."""

    name: str
    use: str
    saturation: str
    errors: tuple[str, ...]


_KINDS = (
    _Kind("CPU", "cpu_busy_ratio", "cpu_pressure_some_ratio", ()),
    _Kind("memory", "memory_used_ratio", "memory_pressure_some_ratio", ("oom_kills_total",)),
    _Kind("disk space", "disk_used_ratio", "", ("disk_read_only",)),
    _Kind("disk time", "disk_io_seconds_total", "io_pressure_some_ratio", ()),
    _Kind("network", "", "", ("network_receive_errors_total", "network_transmit_errors_total")),
)
METRICS = tuple(dict.fromkeys(m for k in _KINDS for m in (k.use, k.saturation, *k.errors) if m))


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """One resource over the time looked at; NaN = not measured."""

    host: str
    resource: str
    device: str
    use: float
    """Median of the daily 95th percentiles of its use, a ratio."""
    saturation: float
    """The same of the share of time in which something waited for it."""
    errors: float
    """Days on which it had errors."""
    days: int
    """Days measured."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def __str__(self) -> str:
        errors = "errors unknown" if math.isnan(self.errors) else f"errors on {self.errors:.0f} of {self.days} days"
        told = f"{self.resource}{' ' if self.device else ''}{self.device} of {self.host}: used {quantity(self.use, 'ratio')}"
        return f"{told}, waited for {quantity(self.saturation, 'ratio')} of the time, {errors}"


def bottlenecks(rollup: pd.DataFrame) -> list[Bottleneck]:
    """Every resource that was measured: those with errors, then those waited for most, then those used most."""
    rows = rollup[rollup["n"] > 0]
    found = [one for kind in _KINDS for one in _of_kind(rows, kind)]

    def badness(one: Bottleneck) -> tuple[float, ...]:
        known = (0.0 if math.isnan(value) else value for value in (one.errors, one.saturation, one.use))
        errors, saturation, use = known
        return (-(errors > 0), -max(saturation, use), -saturation)

    return sorted(found, key=lambda one: (*badness(one), one.host, one.resource, one.device))


def _of_kind(rows: pd.DataFrame, kind: _Kind) -> Iterable[Bottleneck]:
    use = _p95(rows, kind.use)
    waits = {host: value for (host, _), (value, _) in _p95(rows, kind.saturation).items()}
    errors = _errors(rows, kind.errors)
    for host, device in sorted(use.keys() | errors.keys()):
        value, days = use.get((host, device), (math.nan, 0))
        bad, seen = errors.get((host, device), errors.get((host, ""), (math.nan, 0)))
        yield Bottleneck(host, kind.name, device, value, waits.get(host, math.nan), bad, max(days, seen))


def _p95(rows: pd.DataFrame, metric: str) -> dict[tuple[str, str], tuple[float, int]]:
    """Median of the daily 95th percentiles, and days, by host and device."""
    part = rows[rows["metric"] == metric]
    daily = part.assign(
        p95=[float(grid[19]) for grid in part["q"]], host=part["host"].astype(str), device=part["device"].astype(str)
    )
    groups = daily.groupby(["host", "device"], sort=True)["p95"]
    return {(str(h), str(d)): (float(g.median()), len(g)) for (h, d), g in groups}


def _errors(rows: pd.DataFrame, metrics: Iterable[str]) -> dict[tuple[str, str], tuple[float, int]]:
    """Days with an error, and days, by host and device."""
    found: dict[tuple[str, str], tuple[float, int]] = {}
    part = rows[rows["metric"].isin(list(metrics))]
    keyed = part.assign(host=part["host"].astype(str), device=part["device"].astype(str), bad=part["max"] > 0)
    for (host, device), group in keyed.groupby(["host", "device"], sort=True):
        by_day = group.groupby("date")["bad"].any()
        found[str(host), str(device)] = (float(by_day.sum()), len(by_day))
    return found
