"""The trend of one pandas Series, per day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from healthkit.errors import BadSeries, NotEnoughData
from healthkit.trends.batches import FREEDOM, NEEDED, trend_many
from healthkit.trends.results import Shift, Trend

if TYPE_CHECKING:
    from healthkit.trends.results import Direction, TrendBatch

_DAY = pd.Timedelta(days=1)
_HOUR = pd.Timedelta(hours=1)
_WEEK = 7
# From two weeks on a series is read by days: the cycle of the day is taken out, and weekdays are compared with weekdays.
_BY_DAY_FROM = 14
# A day of which less was measured says little about the day.
_DAY_MEASURED = 0.25
_FEW_DAYS = 30
_MOSTLY = 0.5
_METHOD = "GLS on season, line and level shifts; AR(1) noise integrated out (restricted likelihood)"


def trend(series: pd.Series[float], *, alpha: float = 0.05) -> Trend:
    """Slope of a regular series per day, whether it is more than chance, and the level shifts beside it.

    The slope is that of `trend_many`: it keeps its level under autocorrelation, season, gaps and heavy tails. Series
    of more than one value a day that span two weeks or more are first reduced to the means of days, the cycle of the
    day taken out. It is a slope over time: what is missing, as NaN or as a missing row, does not change it.

    Args:
        series: Values over aware, distinct, ascending times that all lie on one grid. NaN = not measured.
            `series.attrs["unit"]` names the unit, if there is one.
        alpha: Level of the test, and of the intervals (1 - alpha).

    Raises:
        BadSeries: Not numbers, infinite, or not over such times.
        NotEnoughData: Fewer than ten values, or too few days to tell a line from the season.

    >>> trend(pd.Series(range(48), pd.date_range("2026-01-01", periods=48, freq="h", tz="UTC"))).slope
    24.0
    """
    regular = regular_series(series)
    steps, season = _reduced(regular)
    batch = trend_many(steps.to_numpy()[None], season=season, alpha=alpha)
    per_day = _DAY / _step_of(steps)
    if np.isnan(batch.p_value[0]):
        short = int(batch.n[0])
        cycle = season if len(steps) >= 2 * season else 1
        raise NotEnoughData(n=short, needed=max(NEEDED, cycle + 1 + FREEDOM, short + 1), what=_what(series))
    return Trend(
        # twelve digits: 24.0 a day, not 23.999999999999996
        slope=_rounded(batch.slope[0] * per_day),
        lower=float(batch.lower[0] * per_day),
        upper=float(batch.upper[0] * per_day),
        p_value=float(batch.p_value[0]),
        direction=_direction(batch, alpha),
        evidence=_evidence(batch, alpha, days=len(steps) / per_day),
        shifts=_shifts(batch, _index(steps)),
        unit=str(series.attrs.get("unit", "")),
        n=int(regular.notna().sum()),
        coverage=float(regular.notna().mean()),
        method=_METHOD,
        alpha=alpha,
    )


def regular_series(series: pd.Series[float]) -> pd.Series[float]:
    """The series as float64 on a gapless UTC index, from its first measured value to its last.

    Raises:
        BadSeries: Not numbers, infinite, or not over aware, distinct, ascending times on one grid.
        NotEnoughData: Fewer than ten values.
    """
    if not isinstance(series, pd.Series):
        raise BadSeries(f"{type(series).__name__} is not a pandas Series")
    if not pd.api.types.is_numeric_dtype(series.dtype) or series.dtype.kind in "bc":
        raise BadSeries(f"{_what(series)}: dtype {series.dtype} is not real numbers")
    index = _utc_index(series)
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise BadSeries(f"{_what(series)}: {int(np.isinf(values).sum())} infinite values")
    n = int(np.isfinite(values).sum())
    if n < NEEDED:
        raise NotEnoughData(n=n, needed=NEEDED, what=_what(series))
    at = np.flatnonzero(np.isfinite(values))
    steps = np.diff(index.as_unit("ns").asi8)
    step = int(steps.min())
    if (steps % step).any():
        raise BadSeries(
            f"{_what(series)}: times are not on one grid (steps of {step / 1e9:g} s to {steps.max() / 1e9:g} s)"
        )
    grid = pd.date_range(index[at[0]], index[at[-1]], freq=pd.Timedelta(step, unit="ns"))
    return pd.Series(values, index).reindex(grid)


def _utc_index(series: pd.Series[float]) -> pd.DatetimeIndex:
    index = series.index
    if not isinstance(index, pd.DatetimeIndex):
        raise BadSeries(f"{_what(series)}: index is {type(index).__name__}, not DatetimeIndex")
    if index.tz is None:
        raise BadSeries(f"{_what(series)}: times are naive; use tz_localize")
    if index.hasnans:
        raise BadSeries(f"{_what(series)}: times are missing in places")
    if not index.is_unique:
        raise BadSeries(f"{_what(series)}: {int(index.duplicated().sum())} duplicate times")
    if not index.is_monotonic_increasing:
        raise BadSeries(f"{_what(series)}: times are not in order; use sort_index")
    return index.tz_convert("UTC")


def _reduced(series: pd.Series[float]) -> tuple[pd.Series[float], int]:
    """The series in the steps it is judged by, and the season in such steps."""
    step = _step_of(series)
    span = len(series) * step
    if step < _DAY and span >= _BY_DAY_FROM * _DAY:
        return _by_day(series), _WEEK
    if step < _HOUR:
        series = series.resample("h").mean()
        step = _HOUR
    cycle = _WEEK if step == _DAY else _DAY // step if step < _DAY and _DAY % step == pd.Timedelta(0) else 1
    return series, int(cycle)


def _by_day(series: pd.Series[float]) -> pd.Series[float]:
    """Means of UTC days without the cycle of the day, so that half a day is not mistaken for a quiet one."""
    index = _index(series)
    time_of_day = index - index.floor("D")
    cycle = series.groupby(time_of_day).transform("median")
    days = (series - cycle + cycle.mean()).resample("D")
    enough = _DAY_MEASURED * (_DAY / _step_of(series))
    return days.mean().where(days.count() >= enough)


def _index(series: pd.Series[float]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(series.index)


def _step_of(series: pd.Series[float]) -> pd.Timedelta:
    return pd.Timedelta(_index(series)[1] - _index(series)[0])


def _what(series: pd.Series[float]) -> str:
    return f"trend of {series.name}" if getattr(series, "name", None) is not None else "trend"


def _rounded(number: float) -> float:
    return float(f"{number:.12g}")


def _direction(batch: TrendBatch, alpha: float) -> Direction:
    if batch.p_value[0] >= alpha:
        return "none"
    return "rising" if batch.slope[0] > 0 else "falling"


def _evidence(batch: TrendBatch, alpha: float, *, days: float) -> str:
    notes = []
    if days < _FEW_DAYS:
        notes.append(f"weak evidence: {days:.0f} days, fewer than {_FEW_DAYS}")
    if batch.ambiguous[0]:
        notes.append("shift or trend, cannot tell")
    if batch.p_value[0] < alpha and batch.persistence[0] > _MOSTLY:
        notes.append("weak evidence: it wanders like a random walk, which often looks like a trend")
    return "; ".join(notes) or ("clear" if batch.p_value[0] < alpha else "no more than chance")


def _shifts(batch: TrendBatch, index: pd.DatetimeIndex) -> tuple[Shift, ...]:
    return tuple(
        Shift(index[at], float(size), float(lower), float(upper))
        for at, size, lower, upper in zip(
            batch.shift_at[0], batch.shift_size[0], batch.shift_lower[0], batch.shift_upper[0], strict=True
        )
        if at >= 0
    )
