"""The trend of one pandas Series, per day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from healthkit.errors import NotEnoughData
from healthkit.quantities import quantity
from healthkit.series import check_series, coverage, named
from healthkit.trends.batches import FREEDOM, NEEDED, trend_many
from healthkit.trends.days import DAY, steps
from healthkit.trends.results import Shift, Trend

if TYPE_CHECKING:
    from healthkit.trends.results import Direction, TrendBatch

_FEW_DAYS = 30
_MOSTLY = 0.5
# What is left of so straight a line is rounding, and rounding does not wander.
_CLEAN = 1e-3
_METHOD = "least squares on season, line and level shifts under AR(1) noise, integrated over its correlation"


def trend(series: pd.Series[Any], *, alpha: float = 0.05) -> Trend:
    """Slope of a regular series per day, whether it is more than chance, and the level shifts beside it.

    The slope is that of `trend_many`: its test keeps its level under autocorrelation, season, gaps and heavy tails.
    Where there is more than one value a day and they span two weeks, the means of days are judged, the cycle of the day
    taken out. It is a slope over time: what is missing, as NaN or as a missing row, does not change it.

    Args:
        series: Values over aware, distinct, ascending times of one step. NaN = not measured. `series.attrs["unit"]`
            names the unit; else the name of the series does, if it is a metric's.
        alpha: Level of the test, and of the intervals (1 - alpha).

    Raises:
        BadSeries: Not numbers, infinite, or not over such times.
        NotEnoughData: Fewer than ten values, or too few to tell a line from the season.
        ParameterError: alpha outside 0 to 1.

    >>> trend(pd.Series(range(48), pd.date_range("2026-01-01", periods=48, freq="h", tz="UTC"))).slope
    24.0
    """
    series = check_series(series)
    name, unit = named(series)
    n = int(series.notna().sum())
    if n < NEEDED:
        raise NotEnoughData(n=n, needed=NEEDED, what=f"trend of {name or 'the series'}")
    even, step, season = steps(series)
    batch = trend_many(np.asarray(even, dtype=np.float64)[None], season=season, alpha=alpha)
    if np.isnan(batch.p_value[0]):
        measured = int(batch.n[0])
        needed = max(NEEDED, season + 1 + FREEDOM, measured + 1)
        raise NotEnoughData(
            n=measured,
            needed=needed,
            what=f"trend of {name or 'the series'}, in steps of {quantity(step.total_seconds(), 'seconds')}",
        )
    per_day = DAY / step
    return Trend(
        slope=_rounded(batch.slope[0] * per_day),
        lower=float(batch.lower[0] * per_day),
        upper=float(batch.upper[0] * per_day),
        p_value=float(batch.p_value[0]),
        direction=_direction(batch),
        evidence=_evidence(batch, days=_span(even, step)),
        shifts=_shifts(batch, pd.DatetimeIndex(even.index)),
        metric=name,
        unit=unit,
        n=n,
        coverage=coverage(series),
        method=_METHOD,
        alpha=alpha,
        series=series,
    )


def _rounded(number: float) -> float:
    """Twelve digits: 24.0 a day, not 23.999999999999996."""
    return float(f"{number:.12g}")


def _span(even: pd.Series[float], step: pd.Timedelta) -> float:
    """Days from the first measured step to the last, both included."""
    at = np.flatnonzero(even.notna())
    return float((at[-1] - at[0] + 1) * (step / DAY))


def _direction(batch: TrendBatch) -> Direction:
    if batch.p_value[0] >= batch.alpha:
        return "none"
    return "rising" if batch.slope[0] > 0 else "falling"


def _evidence(batch: TrendBatch, *, days: float) -> str:
    significant = batch.p_value[0] < batch.alpha
    notes = []
    if days < _FEW_DAYS:
        notes.append(f"weak evidence: {days:.0f} days, fewer than {_FEW_DAYS}")
    if batch.ambiguous[0]:
        notes.append("shift or trend, cannot tell")
    clean = batch.upper[0] - batch.lower[0] < _CLEAN * abs(batch.slope[0])
    if significant and batch.persistence[0] > _MOSTLY and not clean:
        notes.append("weak evidence: it wanders like a random walk, which often looks like a trend")
    return "; ".join(notes) or ("more than chance" if significant else "no more than chance")


def _shifts(batch: TrendBatch, index: pd.DatetimeIndex) -> tuple[Shift, ...]:
    rows = zip(batch.shift_at[0], batch.shift_size[0], batch.shift_lower[0], batch.shift_upper[0], strict=True)
    return tuple(
        Shift(index[at], float(size), float(lower), float(upper)) for at, size, lower, upper in rows if at >= 0
    )
