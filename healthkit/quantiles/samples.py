"""Exact percentiles of samples, with intervals that know that neighbours resemble each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from healthkit.errors import NotEnoughData, ParameterError
from healthkit.quantiles.frames import by_column, tidy
from healthkit.quantiles.results import Percentile, Percentiles, needed, too_few, wanted_of
from healthkit.schema import rate_unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ALPHA = 0.05


def percentiles(
    series: pd.Series[Any] | pd.DataFrame,
    q: Sequence[float] = (50, 90, 95, 99),
    *,
    by: Literal["hour", "weekday", "host", "device"] | None = None,
) -> Percentiles:
    """Exact percentiles of samples, each with a distribution-free 95 % interval.

    The interval takes two order statistics whose ranks are binomial quantiles. Values of a server follow one another:
    the binomial counts not the values but how many independent ones they are worth, from the autocorrelation of
    "is above the percentile".

    Args:
        series: Samples on an aware index, oldest first; or samples of one metric as `hk.load` returns them, of which all
            hosts and devices are pooled. NaN = not measured. Hours and weekdays are those of the times' zone.
        q: Percentiles, between 0 and 100.
        by: Group by hour of the day or by weekday; samples that `hk.load` returned by host or device as well.

    Raises:
        NotEnoughData: Too few values for every one of *q*. Where some can be told, the others are marked `unknown`.
        BadSeries: No numbers over aware, distinct, ordered times.
        ParameterError: A percentile outside 0 to 100, an unknown *by*, or several metrics.

    Sources:
        Hyndman and Fan (1996), American Statistician 50, 361-365, definition 7. Intervals: Conover, Practical
        Nonparametric Statistics, 3.2. Independent values: Geyer (1992), Statistical Science 7, 473-483.

    >>> import pandas as pd
    >>> index = pd.date_range("2026-01-01", periods=99, freq="min", tz="UTC")
    >>> print(percentiles(pd.Series(range(1, 100), index, name="load1"), q=(50, 95, 99)))
    Load1: p50 50, p95 94.1, p99 unknown (99 values, needs 100); 100% measured.
    """
    import pandas as pd

    wanted = wanted_of(q)
    if isinstance(series, pd.DataFrame):
        measured, name, share = tidy(series)
        unit = rate_unit(name)
    else:
        measured, name, share, unit = _of_series(series)
    least = min(needed(one) for one in wanted)
    if len(measured) < least:
        raise NotEnoughData(n=len(measured), needed=least, what=f"percentiles of {name or 'the series'}")
    rows = [row for group, values in _groups(measured, by) for row in _exact(group, values, wanted)]
    return Percentiles(
        rows=tuple(rows),
        metric=name,
        unit=unit,
        n=len(measured),
        coverage=share,
        by=by or "",
        method="exact; interval from order statistics, for the number of independent values",
    )


def _of_series(series: pd.Series[Any]) -> tuple[pd.DataFrame, str, float, str]:
    """Its measured values as a table, the name of the metric, the coverage, and the unit."""
    import pandas as pd

    from healthkit.series import check_series, coverage, named

    series = check_series(series)
    name, unit = named(series)
    table = pd.DataFrame({"ts": series.index, "value": series.to_numpy()}).dropna(subset="value")
    return table, name, coverage(series), unit


def _groups(samples: pd.DataFrame, by: str | None) -> Iterator[tuple[str, Array]]:
    import pandas as pd

    index, values = pd.DatetimeIndex(samples["ts"]), samples["value"].to_numpy(dtype=float)
    if by is None:
        yield "", values
    elif by == "hour":
        for hour in range(24):
            yield f"{hour:02d}", values[index.hour == hour]
    elif by == "weekday":
        for day, name in enumerate(_WEEKDAYS):
            yield name, values[index.day_of_week == day]
    elif by in {"host", "device"} and by in samples.columns:
        yield from by_column(samples, by)
    else:
        has = "hour, weekday, host, device" if "host" in samples.columns else "hour, weekday"
        raise ParameterError(f"by={by!r}: one of {has}")


def _exact(group: str, values: Array, wanted: tuple[float, ...]) -> Iterator[Percentile]:
    import numpy as np

    ordered = np.sort(values)
    for q in wanted:
        if len(values) < needed(q):
            yield Percentile(group, q, math.nan, -math.inf, math.inf, len(values), unknown=too_few(len(values), q))
            continue
        value = float(np.quantile(ordered, q / 100))
        lower, upper = _interval(ordered, q / 100, independent(values > value))
        yield Percentile(group, q, value, lower, upper, len(values))


def independent(above: np.ndarray[Any, Any]) -> float:
    """How many independent values a run of autocorrelated true/false is worth: n over the integrated autocorrelation.

    The sum ends where two neighbouring lags together are no longer positive (Geyer 1992, section 3.3).
    """
    import numpy as np

    n = len(above)
    centred = above - above.mean()
    variance = float(np.square(centred).sum())  # @ would wake BLAS's threads, which wait busily for one another
    if n < 4 or variance == 0:
        return float(n)
    spectrum = np.fft.rfft(centred, 1 << (2 * n - 1).bit_length())
    rho = np.fft.irfft(np.abs(spectrum) ** 2)[: n // 2 * 2] / variance
    pairs = rho[0::2] + rho[1::2]
    end = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
    return float(np.clip(n / max(1.0, 2 * float(pairs[:end].sum()) - 1), 1.0, n))


def _interval(ordered: Array, p: float, worth: float) -> tuple[float, float]:
    """Order statistics between which the p-quantile lies with 95 %, as if there were *worth* values."""
    from scipy.special import bdtr

    m = max(1, round(worth))
    low, high = binomial_quantile(_ALPHA / 2, m, p) - 1, binomial_quantile(1 - _ALPHA / 2, m, p)
    if low >= 0 and bdtr(low, m, p) > _ALPHA / 2:
        low -= 1
    scale = len(ordered) / m
    lower = -math.inf if low < 0 else float(ordered[max(0, math.floor(low * scale))])
    upper = math.inf if high >= m else float(ordered[min(len(ordered), math.ceil((high + 1) * scale)) - 1])
    return lower, upper


def binomial_quantile(share: float, n: int, p: float) -> int:
    """The least count that at most has a probability of *share* at least: scipy.stats' `binom.ppf`, without its 0.7 s of imports."""
    from scipy.special import bdtr, bdtrik

    count: int = math.ceil(bdtrik(share, n, p))
    # rounding may have lifted it above a count that will do
    return count - 1 if count >= 1 and bdtr(count - 1, n, p) >= share else count
