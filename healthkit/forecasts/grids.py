"""The regular time grid of a series: checked, completed, with its season and its horizon in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from healthkit.errors import BadSeries, NotEnoughData, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.forecasts.histories import Floats, Ints

LEAST_VALUES = 14
"""Fewer values than this, or than two seasons, and nothing is said."""
MOST_STEPS = 10_000
"""Longest horizon, in steps."""


def on_grid(series: pd.Series[float]) -> tuple[pd.Series[float], pd.Timedelta]:
    """*series* on its own regular grid, from its first to its last time, and the grid's step."""
    import pandas as pd

    values, ticks = checked_values(series), checked_ticks(series)
    if len(ticks) < 2:
        raise NotEnoughData(n=len(ticks), needed=LEAST_VALUES, what="forecast")
    gaps = np.diff(ticks)
    step = int(gaps.min())
    if (gaps % step).any() or (gaps == step).mean() < 0.5:
        raise BadSeries("times are not of one frequency: bring them on a regular grid (hk.select does)")
    where = (ticks - ticks[0]) // step
    if where[-1] > 100 * len(ticks):
        raise NotEnoughData(n=len(ticks), needed=int(where[-1] // 2), what="forecast (gaps)")
    table = np.full(int(where[-1]) + 1, np.nan)
    table[where] = values
    width = pd.Timedelta(step, unit="ns")
    grid = pd.date_range(pd.Timestamp(int(ticks[0]), tz="UTC"), periods=len(table), freq=width)
    return pd.Series(table, grid), width


def checked_values(series: pd.Series[float]) -> Floats:
    """The values of *series*, which are finite numbers or NaN."""
    import pandas as pd

    if not isinstance(series, pd.Series):
        raise BadSeries(f"not a pandas Series but {type(series).__name__}")
    if not len(series):
        raise BadSeries("the series is empty")
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        raise BadSeries(f"values are {series.dtype}, not numbers")
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise BadSeries("values hold infinities; NaN is what says not measured")
    if np.isnan(values).all():
        raise BadSeries("no value was measured: all are NaN")
    return np.asarray(values, dtype=np.float64)


def checked_ticks(series: pd.Series[float]) -> Ints:
    """The times of *series* in nanoseconds, which are aware, distinct and in order."""
    import pandas as pd

    index = series.index
    if not isinstance(index, pd.DatetimeIndex):
        raise BadSeries(f"the index holds {index.dtype}, not times")
    if index.tz is None:
        raise BadSeries("times are naive: tz_localize('UTC') says what they mean")
    if index.hasnans or not index.is_monotonic_increasing or index.has_duplicates:
        raise BadSeries("times are missing, not in order, or not distinct")
    return np.asarray(index.as_unit("ns").asi8)


def seasonal_steps(step: pd.Timedelta) -> int:
    """Steps per season: a day for anything faster, a week for days, none for slower."""
    seconds = step.total_seconds()
    if seconds < 86_400:
        return max(1, round(86_400 / seconds)) if 86_400 % seconds == 0 and seconds >= 60 else 1
    return 7 if seconds == 86_400 else 1


def steps_ahead(horizon: str, step: pd.Timedelta) -> int:
    """*horizon* in whole steps."""
    import pandas as pd

    try:
        ahead = pd.Timedelta(horizon)
    except ValueError as error:
        raise ParameterError(f"horizon {horizon!r} is not a duration such as 180D or 48h") from error
    if pd.isna(ahead) or ahead < step:
        raise ParameterError(f"horizon {horizon!r} is shorter than one step of the series ({step})")
    steps = int(ahead // step)
    if steps > MOST_STEPS:
        raise ParameterError(f"horizon {horizon!r} is {steps} steps of {step}: at most {MOST_STEPS}, resample first")
    return steps
