"""One series forecast: dates instead of steps, refusals instead of guesses, a sentence at the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from healthkit.errors import NotEnoughData, ParameterError
from healthkit.forecasts.batches import LEVELS, bound, forecast_many, one_each
from healthkit.forecasts.grids import on_grid, seasonal_steps, steps_ahead
from healthkit.forecasts.results import Backtest, Forecast
from healthkit.quantities import quantity
from healthkit.series import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from healthkit.forecasts.histories import Floats

LEAST_COVERAGE = 0.5
"""Smaller share of the history measured than this, and nothing is said: the rest would be interpolation."""


def forecast(
    series: pd.Series[float],
    *,
    horizon: str = "180D",
    limit: float | None = None,
    levels: Sequence[int] = LEVELS,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
) -> Forecast:
    """Forecast a regular series, with intervals that are meant to hold.

    Values of a minute to an hour or so have a season of a day, daily values of a week, all others none. Times that are
    missing from the index count as not measured.

    Args:
        series: Values on a regular UTC index, oldest first; NaN = not measured. `series.attrs["unit"]`, else the ending of
            its name (disk_used_ratio), tells the unit.
        horizon: How far, as a pandas timedelta ("180D", "48h").
        limit: Level to watch, in the unit of the series.
        levels: Interval levels in per cent, of 80 and 95.
        lower_bound: What no value can be below, nor was; default 0 where no value was ever negative.
        upper_bound: What no value can be above, nor was; default 1 for a ratio that never was.

    Raises:
        BadSeries: Not numbers over aware, distinct, ordered times of one frequency.
        NotEnoughData: Fewer than 14 values or two seasons, or less than half of the steps measured.
        ParameterError: A horizon, limit, level or bound that cannot be.

    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=90, freq="D", tz="UTC")
    >>> used = pd.Series(range(90), days, name="disk_used_gb")
    >>> print(forecast(used, horizon="30D", limit=100).crossing(100).median)
    2026-04-11 00:00:00+00:00
    """
    import pandas as pd

    watched = _watched(limit)
    regular, step = on_grid(series)
    season = seasonal_steps(step)
    steps = steps_ahead(horizon, step)
    name, unit = named(series)
    values = regular.to_numpy(dtype=np.float64)
    seen = np.isfinite(values)
    what = f"forecast of {name or 'the series'}"
    if seen.sum() < 2 * season:
        raise NotEnoughData(n=int(seen.sum()), needed=2 * season, what=f"{what} (two seasons)")
    if seen.mean() < LEAST_COVERAGE:
        raise NotEnoughData(n=int(seen.sum()), needed=int(np.ceil(LEAST_COVERAGE * len(seen))), what=f"{what} (gaps)")
    low, high = _bounds(regular, unit, lower_bound, upper_bound)
    batch = forecast_many(values[None, :], steps, levels=levels, season=season, lower_bound=low, upper_bound=high)
    ahead = pd.date_range(regular.index[-1] + step, periods=steps, freq=step)

    def dated(path: Floats) -> pd.Series[float]:
        return pd.Series(path[0], ahead, name=series.name)

    return Forecast(
        history=regular,
        mean=dated(batch.mean),
        lower={level: dated(path) for level, path in batch.lower.items()},
        upper={level: dated(path) for level, path in batch.upper.items()},
        metric=name,
        unit=unit,
        n=int(batch.n[0]),
        coverage=float(seen.mean()),
        method=batch.method,
        backtest=Backtest(
            int(batch.origins[0]), float(batch.error[0]), float(batch.naive_error[0]), float(batch.covered[0])
        ),
        limit=watched,
        batch=batch,
    )


def _watched(limit: float | None) -> float | None:
    """The limit as a number that a chart has a place for."""
    if limit is None:
        return None
    level = float(one_each(limit, 1, "limits")[0])
    if not math.isfinite(level):
        raise ParameterError(f"limit {limit!r} is not a finite number")
    return level


def _bounds(known: pd.Series[float], unit: str, lower: float | None, upper: float | None) -> tuple[float, float]:
    """What no value can be below and above: what was asked for, else what the values and their unit say."""
    low, high = float(bound(lower, 1, -math.inf)[0]), float(bound(upper, 1, math.inf)[0])
    least, most = float(known.min()), float(known.max())
    if least < low or most > high:
        seen = f"{quantity(least, unit)} to {quantity(most, unit)}"
        raise ParameterError(f"bounds {lower} and {upper} leave out what was measured: {seen}")
    if lower is None and least >= 0:
        low = 0.0
    if upper is None and unit == "ratio" and most <= 1:
        high = 1.0
    return low, high
