"""Daily courses and period percentiles of many series at once, for tables of a whole fleet."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np
    import pandas as pd

    from healthkit.reviews import Review

    Array = np.ndarray[Any, np.dtype[np.float64]]


def of_metric(rollup: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of one metric."""
    return rollup[rollup["metric"] == metric]


def period_percentile(rollup: pd.DataFrame, metric: str, percent: float) -> dict[tuple[str, str], float]:
    """A percentile of the period by (host, device), merged from the daily quantile grids of *rollup*.

    NaN where there are too few values for it: no p95 of seven.
    """
    import numpy as np

    from healthkit.grids import merge_grids
    from healthkit.quantiles import needed

    rows = of_metric(rollup, metric)
    rows = rows[rows["n"] > 0]
    if rows.empty:
        return {}
    keys = list(zip(rows["host"].astype(str), rows["device"].astype(str), strict=True))
    series = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    days = {day: i for i, day in enumerate(sorted(set(rows["date"])))}
    shape = (len(series), len(days))
    grids, n, mean = np.full((*shape, 21), np.nan), np.zeros(shape), np.full(shape, np.nan)
    place = [series[key] for key in keys], [days[day] for day in rows["date"]]
    grids[place], n[place] = np.stack(rows["q"].to_list()), rows["n"].to_numpy(dtype=float)
    mean[place] = rows["mean"].to_numpy(dtype=float)
    values = merge_grids(grids, n, np.array([percent]), mean=mean)[0][:, 0]
    enough = n.sum(axis=1) >= needed(percent)
    return {key: float(values[i]) if enough[i] else math.nan for key, i in series.items()}


def rank(value: float) -> float:
    """What to sort a value by that may be unknown: below all others."""
    return value if math.isfinite(value) else -math.inf


def percentiles(review: Review, metric: str, percent: float) -> Mapping[tuple[str, str], float]:
    """`period_percentile` of a review's period, worked out once for all of its sections, and of its hosts' pages."""
    known: dict[tuple[str, float], Mapping[tuple[str, str], float]] = review.known
    if (metric, percent) not in known:
        known[metric, percent] = period_percentile(review.rollup, metric, percent)
    return known[metric, percent]


def daily(rollup: pd.DataFrame, metric: str, column: str, first: datetime, days: int) -> dict[tuple[str, str], Array]:
    """One value a day from *first* on by (host, device); NaN = not measured.

    Args:
        rollup: Rollup rows.
        metric: Name.
        column: `mean`, `min`, `max`, `last`, or `p95` from the day's own grid.
        first: First day, midnight UTC.
        days: How many.
    """
    import numpy as np
    import pandas as pd

    rows = of_metric(rollup, metric)
    at = (rows["date"] - pd.Timestamp(first)).dt.days.to_numpy()
    inside = (at >= 0) & (at < days) & (rows["n"].to_numpy() > 0)
    rows, at = rows[inside], at[inside]
    values = [grid[19] for grid in rows["q"]] if column == "p95" else rows[column].to_list()
    found: dict[tuple[str, str], Array] = {}
    for host, device, day, value in zip(rows["host"].astype(str), rows["device"].astype(str), at, values, strict=True):
        found.setdefault((host, device), np.full(days, np.nan))[day] = value
    return found


def by_host(values: Mapping[tuple[str, str], float]) -> dict[str, tuple[str, float]]:
    """The device with the greatest value of each host, and that value."""
    found: dict[str, tuple[str, float]] = {}
    for (host, device), value in values.items():
        if host not in found or rank(value) > rank(found[host][1]):
            found[host] = (device, value)
    return found


def empty_days(review: Review, host: str) -> list[str]:
    """Days without a sample; those in a row as `1 Oct to 2 Nov`."""
    seen = {f"{day:%Y-%m-%d}" for day in review.rollup.loc[review.rollup["host"] == host, "date"]}
    days = (review.period.start + timedelta(days=k) for k in range(review.period.days))
    runs: list[list[datetime]] = []
    for day in days:
        if day >= review.until or f"{day:%Y-%m-%d}" in seen:
            continue
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return [f"{run[0]:%-d %b}" + (f" to {run[-1]:%-d %b}" if len(run) > 1 else "") for run in runs]
