"""What the analysis asks of a series, checked in one place: numbers over aware, distinct, ordered times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from healthkit.errors import BadSeries
from healthkit.quantities import quantity
from healthkit.schema import limits, rate_unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

MAX_SLOTS = 20_000_000
"""A series that needs more slots than this to become regular is a mistake: seconds among years."""


def check_series(series: pd.Series[Any]) -> pd.Series[float]:
    """The series as float64; NaN = not measured.

    Raises:
        BadSeries: No Series; no numbers; infinite; times naive, missing, twice, or out of order.
    """
    import numpy as np
    import pandas as pd

    if not isinstance(series, pd.Series):
        raise BadSeries(f"a pandas Series is needed, not {type(series).__name__}")
    index = series.index
    if not isinstance(index, pd.DatetimeIndex):
        raise BadSeries(f"the index must be times (DatetimeIndex), not {type(index).__name__} of {index.dtype}")
    if index.tz is None:
        raise BadSeries("the times have no time zone: use tz_localize('UTC')")
    if not (pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_complex_dtype(series.dtype)):
        raise BadSeries(f"the values must be numbers, not {series.dtype}: astype('float64') if they are")
    if index.hasnans:
        raise BadSeries("a time is missing (NaT)")
    if not (index.is_monotonic_increasing and index.is_unique):
        raise BadSeries("the times must be in order and distinct: sort_index(), then drop duplicates")
    values = series.astype("float64")
    if np.isinf(values.to_numpy()).any():
        raise BadSeries("infinite values: replace them by NaN if they mean 'not measured'")
    return values


def named(series: pd.Series[Any]) -> tuple[str, str]:
    """The metric of a series and the unit of its values, each empty where nobody knows it.

    They are what `attrs` says, as `hk.select` writes it; else the name of the series, and what that name says of its unit.
    """
    metric = str(series.attrs.get("metric") or ("" if series.name is None else series.name))
    return metric, str(series.attrs["unit"] if "unit" in series.attrs else rate_unit(metric))


def can_be(metric: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Below and above what no value of a metric can be, as far as *values*, one at least, keep to it."""
    import numpy as np

    low, high = limits(metric) if metric else (-math.inf, math.inf)
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    return (low if least >= low else -math.inf), (high if most <= high else math.inf)


def check_table(values: ArrayLike) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Many series as (n_series, n_obs) of float64; NaN = not measured.

    Raises:
        BadSeries: No numbers; infinite; not two-dimensional.
    """
    import numpy as np

    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadSeries(f"values are not numbers: {error}") from error
    if table.ndim != 2:
        raise BadSeries(f"values have shape {table.shape}, not (n_series, n_obs)")
    if np.isinf(table).any():
        raise BadSeries("infinite values: replace them by NaN if they mean 'not measured'")
    return table


def regular(series: pd.Series[Any]) -> tuple[np.ndarray[Any, np.dtype[np.float64]], pd.Timedelta]:
    """Values at every step from the first time to the last, NaN where there is none, and the step.

    The step is the shortest distance between two times; all others must be multiples of it.

    Raises:
        BadSeries: As `check_series`, or the times do not fit one step.
    """
    import numpy as np
    import pandas as pd

    series = check_series(series)
    if len(series) < 2:
        return np.asarray(series, dtype=np.float64), pd.Timedelta(days=1)
    at = (
        pd.DatetimeIndex(series.index)
        .tz_convert("UTC")
        .tz_localize(None)
        .astype("datetime64[ns]")
        .astype("int64")
        .to_numpy()
    )
    step = int(np.diff(at).min())
    slots, rest = np.divmod(at - at[0], step)
    if rest.any():
        raise BadSeries(
            f"the times do not fit one step of {quantity(step / 1e9, 'seconds')}: resample them to one, or take them from "
            "hk.select(..., every='1h'); days of a zone with summer time are not equally long"
        )
    if slots[-1] >= MAX_SLOTS:
        raise BadSeries(
            f"{slots[-1] + 1} steps of {quantity(step / 1e9, 'seconds')}: the times are too far apart for their step"
        )
    values = np.full(int(slots[-1]) + 1, np.nan)
    values[slots] = series.to_numpy()
    return values, pd.Timedelta(step, "ns")


def coverage(series: pd.Series[Any]) -> float:
    """Share of the time that was measured, 0 to 1, by the usual distance of two times.

    A series without any value has coverage 0.
    """
    import numpy as np
    import pandas as pd

    n = int(series.notna().sum())
    if len(series) < 2:
        return float(n > 0)
    at = pd.DatetimeIndex(series.index).asi8
    expected = (at[-1] - at[0]) / float(np.median(np.diff(at))) + 1
    return float(min(1.0, n / max(expected, float(len(series)))))
