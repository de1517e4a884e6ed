"""The regular time grid of a series: checked, completed, with its season and its horizon in steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from healthkit.errors import BadSeries, NotEnoughData, ParameterError
from healthkit.quantities import quantity
from healthkit.series import named, regular

if TYPE_CHECKING:
    import pandas as pd

LEAST_VALUES = 14
"""Fewer values than this, or than two seasons, and nothing is said."""
MOST_STEPS = 10_000
"""Longest horizon, in steps."""


def on_grid(series: pd.Series[float]) -> tuple[pd.Series[float], pd.Timedelta]:
    """*series* on its own regular grid, from its first to its last time, and the grid's step.

    Raises:
        NotEnoughData: Fewer than `LEAST_VALUES`.
        BadSeries: As `regular`, or half of the times are not a step apart.
    """
    import pandas as pd

    values, step = regular(series)
    if (n := int(np.isfinite(values).sum())) < LEAST_VALUES:
        raise NotEnoughData(n=n, needed=LEAST_VALUES, what=f"forecast of {named(series)[0] or 'the series'}")
    index = pd.DatetimeIndex(series.index).tz_convert("UTC")
    if (index[1:] - index[:-1] == step).mean() < 0.5:
        raise BadSeries("times are not of one frequency: bring them on a regular grid (hk.select does)")
    return pd.Series(values, pd.date_range(index[0], periods=len(values), freq=step)), step


def seasonal_steps(step: pd.Timedelta) -> int:
    """Steps per season: a day for anything faster, a week for days, none for slower."""
    seconds = step.total_seconds()
    if seconds < 86_400:
        return max(1, round(86_400 / seconds)) if 86_400 % seconds == 0 and seconds >= 60 else 1
    return 7 if seconds == 86_400 else 1


def steps_ahead(horizon: str, step: pd.Timedelta) -> int:
    """*horizon* in whole steps."""
    import pandas as pd

    if re.fullmatch(r"\s*[-+]?[\d.]+\s*", str(horizon)):  # pandas would take it for nanoseconds
        raise ParameterError(f"horizon {horizon!r} has no unit: write 180D or 48h")
    try:
        ahead = pd.Timedelta(horizon)
    except ValueError as error:
        raise ParameterError(f"horizon {horizon!r} is not a duration such as 180D or 48h") from error
    if pd.isna(ahead):
        raise ParameterError(f"horizon {horizon!r} is not a duration such as 180D or 48h")
    size = quantity(step.total_seconds(), "seconds")
    if ahead < step:
        raise ParameterError(f"horizon {horizon!r} is shorter than a step of the series, {size}")
    steps = int(ahead // step)
    if steps > MOST_STEPS:
        raise ParameterError(f"horizon {horizon!r} is {steps} steps of {size}: at most {MOST_STEPS}, resample first")
    return steps
