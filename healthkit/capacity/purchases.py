"""What to buy, and by when: how much more of a resource keeps it below its limit for as far as its forecast is believed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from healthkit.quantities import digits, quantity
from healthkit.schema import title, unit

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.capacity.results import Capacity
    from healthkit.capacity.rows import CapacityRow

SIZES = {
    "disk_used_ratio": "disk_total_bytes",
    "inodes_used_ratio": "disk_inodes",
    "memory_used_ratio": "memory_total_bytes",
    "swap_used_ratio": "swap_total_bytes",
    "cpu_busy_ratio": "cpu_count",
}
"""The metric that tells how much of a resource there is, by the one that tells how much of it is used."""
THINGS = {"cpu_busy_ratio": "cores", "inodes_used_ratio": "inodes"}
"""What is counted, where it is not bytes."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One resource that needs more, with the numbers that say so."""

    host: str
    metric: str
    device: str
    share: float
    """What is needed at the end of the horizon, as a share of today's: the upper end of the 80 % interval."""
    size: float | None
    """What there is today, in `unit`; None where that was not measured."""
    more: float | None
    """What to add, in `unit`; None where `size` is."""
    unit: str
    by: datetime
    """The lower end of the 80 % interval of the day on which the limit is reached."""
    until: datetime
    """The day up to which it is enough."""
    limit: float
    """What use must stay below: a ratio."""

    @property
    def sentence(self) -> str:
        """What there is to say, without a full stop."""
        what = title(self.metric.removesuffix("_used_ratio").removesuffix("_busy_ratio"))
        need = f"{digits(self.share)} times what it has today"
        if self.size is not None and self.more is not None:
            thing = THINGS.get(self.metric)
            more, size = (f"{digits(n)} {thing}" if thing else quantity(n, "bytes") for n in (self.more, self.size))
            need = f"{more} more than today's {size}"
        enough = f"to stay below {quantity(self.limit, 'ratio')} until {self.until:%Y-%m-%d}"
        return f"{self.host} {self.device or what}: {what.lower()} needs {need} by {self.by:%Y-%m-%d}, {enough}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        days = {"by": f"{self.by:%Y-%m-%d}", "until": f"{self.until:%Y-%m-%d}"}
        return asdict(self) | days | {"sentence": self.sentence}

    def __str__(self) -> str:
        return self.sentence


def purchases(plan: Capacity, rollup: pd.DataFrame) -> tuple[Purchase, ...]:
    """For every resource that reaches its limit, first need first; response times are not for sale.

    Args:
        plan: The forecasts.
        rollup: Daily statistics that hold the metrics of `SIZES`.
    """
    wanted = [i for i, row in enumerate(plan.rows) if row.metric in SIZES and row.days is not None and row.horizon]
    shares = _shares(plan, wanted)
    sizes = _sizes(rollup)
    found = [_purchase(plan.rows[i], share, sizes) for i, share in zip(wanted, shares, strict=True)]
    return tuple(sorted((p for p in found if p.share > 1), key=lambda p: (p.by, p.host, p.metric, p.device)))


def _shares(plan: Capacity, rows: list[int]) -> list[float]:
    """Use at the end of each row's horizon as a share of its limit, at the upper end of the 80 % interval.

    Forecast anew without the bound at "full": a disk that is to hold 1.4 times its size needs that much, and not 1.
    """
    import numpy as np

    from healthkit.forecasts import forecast_many

    if not rows:
        return []
    batch = forecast_many(plan.past[rows], plan.horizon, levels=(80,), season=7, lower_bound=0.0)
    upper = batch.mean + plan.factor * (batch.upper[80] - batch.mean)
    ends = [plan.rows[i].horizon - 1 for i in rows]
    limits = np.array([plan.rows[i].limit for i in rows])
    return [float(v) for v in upper[np.arange(len(rows)), ends] / limits]


def _sizes(rollup: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """The newest size by host, metric and device."""
    part = rollup[rollup["metric"].isin(SIZES.values()) & (rollup["n"] > 0)].sort_values("date")
    keys = zip(part["host"].astype(str), part["metric"].astype(str), part["device"].astype(str), strict=True)
    return dict(zip(keys, map(float, part["last"]), strict=True))


def _purchase(row: CapacityRow, share: float, sizes: dict[tuple[str, str, str], float]) -> Purchase:
    metric = SIZES[row.metric]
    size = sizes.get((row.host, metric, row.device))
    base = unit(metric)
    more = size * (share - 1) if size is not None else None
    if more is not None and base != "bytes":
        more = float(math.ceil(more))
    by = row.start + timedelta(days=max(math.ceil(row.days_lower or 0), 1) - 1)
    until = row.start + timedelta(days=row.horizon - 1)
    return Purchase(row.host, row.metric, row.device, share, size, more, base, by, until, row.limit)
