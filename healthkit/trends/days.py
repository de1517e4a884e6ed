"""The steps in which a series is judged: days, where it is long enough."""

from __future__ import annotations

from typing import Any

import pandas as pd

from healthkit.series import regular

DAY = pd.Timedelta(days=1)
_HOUR = pd.Timedelta(hours=1)
_WEEK = 7
# From two weeks on a series is read by days: the cycle of the day is taken out, and weekdays are compared with weekdays.
_BY_DAY_FROM = 14 * DAY
# A day of which less was measured says little about the day.
_DAY_MEASURED = 0.25


def steps(series: pd.Series[Any]) -> tuple[pd.Series[float], pd.Timedelta, int]:
    """The series in the steps it is judged by, how long one is, and how many make a cycle (1 = none).

    Days with a cycle of a week, where it spans two weeks; else hours with a cycle of a day, or what it came in.

    Raises:
        BadSeries: As `regular`.
    """
    values, step = regular(series)
    even = pd.Series(values, pd.date_range(series.index[0], periods=len(values), freq=step).tz_convert("UTC"))
    if step < DAY and len(even) * step >= _BY_DAY_FROM:
        return _by_day(even, step), DAY, _WEEK
    if step < _HOUR:
        even, step = even.resample("h").mean(), _HOUR
    if step == DAY:
        return even, step, _WEEK
    divides = step < DAY and DAY % step == pd.Timedelta(0)
    return even, step, round(DAY / step) if divides else 1


def _by_day(even: pd.Series[float], step: pd.Timedelta) -> pd.Series[float]:
    """Means of UTC days without the cycle of the day, so that half a day is not mistaken for a quiet one."""
    index = pd.DatetimeIndex(even.index)
    cycle: pd.Series[float] = even.groupby(index - index.floor("D")).transform("median")
    days = (even - cycle + cycle.mean()).resample("D")
    return days.mean().where(days.count() >= _DAY_MEASURED * (DAY / step))
