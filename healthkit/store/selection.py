"""One series out of a frame of samples or rollups: regular in time, NaN where nothing was measured."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from healthkit import schema
from healthkit.errors import NotEnoughData, ParameterError
from healthkit.quantities import listed
from healthkit.store.rollup import QUANTILES

_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d+)?)\Z")
_WAYS = ("mean", "min", "max", "last", "count")
_MONDAY = pd.Timestamp("1970-01-05", tz="UTC")
"""Where buckets begin: days and hours at their start, weeks on Monday."""


def select(
    data: pd.DataFrame,
    metric: str,
    *,
    host: str | None = None,
    device: str | None = None,
    every: str | timedelta = "1D",
    how: str = "mean",
) -> pd.Series:
    """One series of one metric, from the first bucket that was measured to the last.

    Args:
        data: What `load` or `load_rollup` returned.
        metric: Its name.
        host: Its name; may be left out where there is only one.
        device: Its name; may be left out where there is only one.
        every: Length of a bucket: a fixed span such as `5min`, `1h`, `1D`, `7D`.
        how: What is said of a bucket: `mean`, `min`, `max`, `last`, `count`, or a percentile such as `p95`. From a rollup
            percentiles are those of whole days; longer ones come from `percentiles`, which merges the grids.

    Returns:
        Float values over a regular UTC index named `ts`; NaN = not measured. `attrs` holds metric, unit, host, device; of
        counts the metric ends in `_count` and has no unit.

    Raises:
        NotEnoughData: There is no such sample.
        ParameterError: Several hosts or devices have the metric and none is named, or *how* or *every* is unknown.
    """
    rows = _only_one(data, metric, host, device)
    step = _step(every)
    rollup = "date" in rows.columns
    if rollup and step % pd.Timedelta(days=1):
        raise ParameterError(f"every {every!r}: a rollup knows whole days only; take samples with load()")
    ts = rows["date" if rollup else "ts"]
    bucket = ((ts - _MONDAY) // step).to_numpy()
    values = _of_days(rows, bucket, how, step) if rollup else _of_samples(rows["value"], bucket, how)
    values = values.reindex(range(values.index.min(), values.index.max() + 1))
    start = _MONDAY.as_unit("ms") + values.index[0] * step
    index = pd.date_range(start, periods=len(values), freq=_frequency(step), name="ts", unit="ms")
    name = metric
    series = pd.Series(values.to_numpy(dtype=float), index=index)
    if how == "count":  # of samples: no longer a ratio, nor bytes
        name, series = f"{metric}_count", series.fillna(0.0)
    unit = schema.rate_unit(name) if data.attrs.get("rates", True) else schema.unit(name)
    first = rows.iloc[0]
    series.name = name
    series.attrs = {"metric": name, "unit": unit, "host": str(first["host"]), "device": str(first["device"])}
    return series


def _only_one(data: pd.DataFrame, metric: str, host: str | None, device: str | None) -> pd.DataFrame:
    rows = data.loc[(data["metric"] == metric).to_numpy()]
    for column, name in (("host", host), ("device", device)):
        if name is not None:
            rows = rows.loc[(rows[column] == name).to_numpy()]
    if rows.empty:
        what = " ".join(filter(None, (metric, device, f"of {host}" if host else "")))
        raise NotEnoughData(n=0, needed=1, what=what)
    for column, name in (("host", host), ("device", device)):
        found = rows[column].unique()
        if name is None and len(found) > 1:
            names = listed([repr(str(one)) for one in sorted(found)], 5)
            raise ParameterError(f"{metric}: {len(found)} {column}s have it, name one: {names}")
    return rows


def _step(every: str | timedelta) -> pd.Timedelta:
    try:
        step = pd.Timedelta(every)
    except ValueError as error:
        raise ParameterError(f"every {every!r}: write a fixed span such as 5min, 1h, 1D or 7D") from error
    if not step >= pd.Timedelta(1, "ms"):
        raise ParameterError(f"every {every!r}: at least a millisecond")
    return step


def _frequency(step: pd.Timedelta) -> str:
    """As pandas names it: a whole number of days is one of days, not of hours."""
    days, rest = divmod(step, pd.Timedelta(days=1))
    return to_offset(step).freqstr if rest else f"{days}D"


def _of_samples(values: pd.Series, bucket: np.ndarray, how: str) -> pd.Series:
    """A number for each bucket, from the finite values in it, in the order of time."""
    groups = values.where(np.isfinite(values)).groupby(bucket)
    if (share := _share(how)) is not None:
        return groups.quantile(share)
    return groups.agg(how)


def _of_days(rows: pd.DataFrame, bucket: np.ndarray, how: str, step: pd.Timedelta) -> pd.Series:
    """A number for each bucket of days, from rollup rows in the order of time."""
    n = rows["n"].astype(float)
    if (share := _share(how)) is not None:
        if step != pd.Timedelta(days=1):
            raise ParameterError(f"how {how!r} over {step}: percentiles of several days come from percentiles()")
        grid = np.stack(rows["q"].to_list())
        return pd.Series([np.interp(share, QUANTILES, row) for row in grid], index=bucket)
    if how == "count":
        return n.groupby(bucket).sum()
    if how == "mean":
        total = (rows["mean"] * n).groupby(bucket).sum(min_count=1)
        return total / n.groupby(bucket).sum().where(lambda sums: sums > 0)
    return rows[how].groupby(bucket).agg(how)


def _share(how: str) -> float | None:
    """0.95 for `p95`; None for another known way."""
    match = _PERCENTILE.match(how)
    if match and float(match[1]) <= 100:
        return float(match[1]) / 100
    if how not in _WAYS:
        raise ParameterError(f"how {how!r}: one of {', '.join(_WAYS)}, or a percentile such as p95")
    return None
