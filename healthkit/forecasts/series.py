"""One series forecast: dates instead of steps, refusals instead of guesses, a sentence at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from healthkit.errors import NotEnoughData
from healthkit.forecasts.batches import LEVELS, ForecastBatch, forecast_many
from healthkit.forecasts.grids import LEAST_VALUES, on_grid, seasonal_steps, steps_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from healthkit.forecasts.histories import Floats

LEAST_COVERAGE = 0.5
"""Smaller share of the history measured than this, and nothing is said: the rest would be interpolation."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a series reaches a level. None = not within the horizon."""

    level: float
    """The level, in the unit of the series."""
    median: pd.Timestamp | None
    """As likely before as after."""
    lower: pd.Timestamp | None
    """Earliest end of the 80 % interval."""
    upper: pd.Timestamp | None
    """Latest end of the 80 % interval."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """How the same method did on this series, from origins in its past."""

    origins: int
    """Rolling origins; 0 = the history was too short for any."""
    error: float
    """Mean absolute error, in the unit of the series; NaN without origins."""
    naive_error: float
    """That of the last value carried forward, from the same origins."""
    coverage: float
    """Share of the past inside the intervals of the first level, 0-1."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a series goes, and how sure that is."""

    mean: pd.Series[float]
    """Central forecast by UTC time, in the unit of the series."""
    lower: dict[int, pd.Series[float]]
    """{level in %: lower end of the interval}"""
    upper: dict[int, pd.Series[float]]
    """{level in %: upper end of the interval}"""
    name: str
    """Name of the series; empty when it has none."""
    unit: str
    """Unit of the values; empty when unknown."""
    n: int
    """Values it rests on."""
    coverage: float
    """Share of the history's steps that were measured, 0-1."""
    method: str
    """How it was made."""
    backtest: Backtest
    """The record it rests on."""
    limit: float | None
    """The level the caller watches, in the unit of the series."""
    batch: ForecastBatch = field(repr=False)
    """The same in steps, as the engine returned it."""

    def crossing(self, level: float) -> Crossing:
        """When the series first reaches *level* from below, with an 80 % interval."""
        when = (self._date(float(steps[0])) for steps in self.batch.crossing(level))
        median, lower, upper = when
        return Crossing(level, median, lower, upper)

    def _date(self, step: float) -> pd.Timestamp | None:
        return None if np.isinf(step) else self.mean.index[int(step) - 1]

    def to_frame(self) -> pd.DataFrame:
        """One row per step: mean, then lower and upper of each level."""
        import pandas as pd

        columns = {"mean": self.mean}
        for level in self.lower:
            columns |= {f"lower_{level}": self.lower[level], f"upper_{level}": self.upper[level]}
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        subject = f"{self.name} " if self.name else ""
        if self.limit is None:
            level, last = next(iter(self.lower)), self.mean.index[-1]
            low, mean, high = (
                self._said(float(path.iloc[-1])) for path in (self.lower[level], self.mean, self.upper[level])
            )
            return f"{subject}is expected at {mean} on {last:%Y-%m-%d}, {level} % interval {low} to {high}"
        crossing, said = self.crossing(self.limit), self._said(self.limit)
        if self.batch.last[0] >= self.limit:
            return f"{subject}is at or above {said} already"
        end = f"{self.mean.index[-1]:%Y-%m-%d}"
        until = f"{crossing.upper:%Y-%m-%d}" if crossing.upper is not None else f"after {end}"
        if crossing.median is not None:
            since = f"{crossing.lower:%Y-%m-%d}" if crossing.lower is not None else f"{crossing.median:%Y-%m-%d}"
            return f"{subject}reaches {said} on {crossing.median:%Y-%m-%d}, 80 % interval {since} to {until}"
        if crossing.lower is not None:
            return f"{subject}is not expected to reach {said} by {end}, but may from {crossing.lower:%Y-%m-%d} (80 % interval)"
        return f"{subject}does not reach {said} by {end} (80 % interval)"

    def _said(self, value: float) -> str:
        if self.unit == "ratio":
            return f"{100 * value:.4g} %"
        return f"{value:.4g} {self.unit}".rstrip()


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

    Hourly values have a season of 24 steps, daily of 7, weekly and slower none. Times that are missing from the index
    count as not measured.

    Args:
        series: Values on a regular UTC index, oldest first; NaN = not measured. `series.attrs["unit"]`, else the ending of
            its name (disk_used_ratio), tells the unit.
        horizon: How far, as a pandas timedelta ("180D", "48h").
        limit: Level to watch, in the unit of the series.
        levels: Interval levels in per cent, of 80 and 95.
        lower_bound: What no value can be below; default 0 where no value was ever negative.
        upper_bound: What no value can be above; default 1 for a ratio that never was.

    Raises:
        BadSeries: Not numbers over aware, distinct, ordered times of one frequency.
        NotEnoughData: Fewer than 14 values or two seasons, or less than half of the steps measured.
        ParameterError: A horizon or level that cannot be.

    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=90, freq="D", tz="UTC")
    >>> used = pd.Series(range(90), days, name="disk_used_gb")
    >>> print(forecast(used, horizon="30D", limit=100).crossing(100).median)
    2026-04-11 00:00:00+00:00
    """
    import pandas as pd

    regular, step = on_grid(series)
    season = seasonal_steps(step)
    steps = steps_ahead(horizon, step)
    name = str(series.name) if series.name is not None else ""
    values = regular.to_numpy(dtype=np.float64)
    seen = np.isfinite(values)
    what = f"forecast of {name}" if name else "forecast"
    if seen.sum() < max(LEAST_VALUES, 2 * season):
        raise NotEnoughData(n=int(seen.sum()), needed=max(LEAST_VALUES, 2 * season), what=what)
    if seen.mean() < LEAST_COVERAGE:
        raise NotEnoughData(n=int(seen.sum()), needed=int(np.ceil(LEAST_COVERAGE * len(seen))), what=f"{what} (gaps)")
    unit = str(series.attrs.get("unit", "")) or ("ratio" if name.endswith("_ratio") else "")
    known = values[seen]
    low = 0.0 if lower_bound is None and known.min() >= 0 else lower_bound
    high = 1.0 if upper_bound is None and unit == "ratio" and known.max() <= 1 else upper_bound
    batch = forecast_many(values[None, :], steps, levels=levels, season=season, lower_bound=low, upper_bound=high)
    ahead = pd.date_range(regular.index[-1] + step, periods=steps, freq=step)

    def dated(path: Floats) -> pd.Series[float]:
        return pd.Series(path[0], ahead, name=series.name)

    return Forecast(
        mean=dated(batch.mean),
        lower={level: dated(path) for level, path in batch.lower.items()},
        upper={level: dated(path) for level, path in batch.upper.items()},
        name=name,
        unit=unit,
        n=int(batch.n[0]),
        coverage=float(seen.mean()),
        method=batch.method,
        backtest=Backtest(
            int(batch.origins[0]), float(batch.error[0]), float(batch.naive_error[0]), float(batch.covered[0])
        ),
        limit=limit,
        batch=batch,
    )
