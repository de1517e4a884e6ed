"""Percentiles: exact from samples, or merged from the rollup, and refused where there are too few values.

A p95 needs 20 values, a p99 100: below that it would lie beyond the greatest value seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from healthkit.errors import NotEnoughData, ParameterError
from healthkit.quantities import quantity
from healthkit.schema import rate_unit, title

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]

By = Literal["hour", "weekday", "host", "device"]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Percentile:
    """One percentile of one group."""

    group: str
    """Hour (`00` to `23`), weekday, host or device; empty for the whole."""
    q: float
    """Which one, 0 to 100."""
    value: float
    """Its value, in the unit of the metric; NaN where `unknown` says why."""
    lower: float
    """Lower end of the 95 % interval; -inf where there are too few values for an end."""
    upper: float
    """Upper end; inf where there are too few values for an end."""
    n: int
    """Values in the group."""
    error: float = 0.0
    """How far the rank of the value may be from q, in rank points: 0 from samples, more from a rollup."""
    unknown: str = ""
    """Why it could not be told; empty where it could."""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.unknown


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of a metric, with what they rest on."""

    rows: tuple[Percentile, ...]
    """One for each group and percentile."""
    metric: str
    """`cpu_busy_ratio`; empty for a series without a name."""
    unit: str
    """Unit of the values."""
    n: int
    """Values in all."""
    coverage: float
    """Share of the time that was measured, 0 to 1."""
    by: str
    """What the groups are; empty for one group."""
    method: str
    """How values and intervals were found."""

    def __getitem__(self, q: float) -> float:
        """The value of percentile *q* of an ungrouped result.

        Raises:
            NotEnoughData: It could not be told.
            ParameterError: It was not asked for, or there are groups.
        """
        row = next((row for row in self.rows if row.q == q), None)
        if row is None or self.by:
            raise ParameterError(f"p{q:g} was not asked for" if row is None else f"percentiles by {self.by}: use .rows")
        if not row.known:
            raise NotEnoughData(n=row.n, needed=needed(q), what=f"p{q:g} of {self.metric or 'the series'}")
        return row.value

    def __iter__(self) -> Iterator[Percentile]:
        return iter(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """One row a percentile; columns are the fields of `Percentile`."""
        import pandas as pd

        columns = ("group", "q", "value", "lower", "upper", "n", "error", "unknown")
        return pd.DataFrame([{name: getattr(row, name) for name in columns} for row in self.rows], columns=columns)

    def as_dict(self) -> dict[str, Any]:
        """JSON: numbers that are not finite become null."""
        rows = self.to_frame().to_dict("records")
        clean = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()} for r in rows]
        return {"metric": self.metric, "unit": self.unit, "n": self.n, "coverage": self.coverage, "by": self.by} | {
            "method": self.method,
            "rows": clean,
        }

    def __str__(self) -> str:
        name = title(self.metric) if self.metric else "The series"
        rows = self.rows
        if self.by:
            top = max(row.q for row in rows)
            rows = tuple(row for row in rows if row.q == top and row.known)
            if not rows:
                return f"{name} by {self.by}: too few values for p{top:g} in every group ({self.n} values)."
            worst = max(rows, key=lambda row: row.value)
            least = min(rows, key=lambda row: row.value)
            return (
                f"{name} by {self.by}: p{top:g} is highest at {worst.group} ({quantity(worst.value, self.unit)}) "
                f"and lowest at {least.group} ({quantity(least.value, self.unit)})."
            )
        return f"{name}: {', '.join(_phrase(row, self.unit) for row in rows)}; {self.coverage:.0%} measured."


def needed(q: float) -> int:
    """Values it takes for percentile *q*: at least one must be expected beyond it, on either side.

    >>> needed(50), needed(95), needed(99)
    (2, 20, 100)
    """
    if not 0 < q < 100:
        raise ParameterError(f"percentile {q}: must lie between 0 and 100")
    return math.ceil(round(100 / min(q, 100 - q), 9))


def percentiles(
    series: pd.Series[Any], q: Sequence[float] = (50, 90, 95, 99), *, by: Literal["hour", "weekday"] | None = None
) -> Percentiles:
    """Exact percentiles of samples, each with a distribution-free 95 % interval.

    The interval takes two order statistics whose ranks are binomial quantiles. Values of a server follow one another:
    the binomial counts not the values but how many independent ones they are worth, from the autocorrelation of
    "is above the percentile".

    Args:
        series: Samples on an aware index, oldest first. NaN = not measured. Hours and weekdays are the index's zone's.
        q: Percentiles, between 0 and 100.
        by: Group by hour of the day or by weekday.

    Raises:
        NotEnoughData: Too few values for every one of *q*. Where some can be told, the others are marked `unknown`.
        BadSeries: No numbers over aware, distinct, ordered times.
        ParameterError: A percentile outside 0 to 100, or an unknown *by*.

    Sources:
        Hyndman and Fan (1996), American Statistician 50, 361-365, definition 7. Intervals: Conover, Practical
        Nonparametric Statistics, 3.2. Independent values: Geyer (1992), Statistical Science 7, 473-483.

    >>> import pandas as pd
    >>> index = pd.date_range("2026-01-01", periods=99, freq="min", tz="UTC")
    >>> print(percentiles(pd.Series(range(1, 100), index, name="load1"), q=(50, 95, 99)))
    Load1: p50 50, p95 94.1, p99 unknown (99 values, needs 100); 100% measured.
    """
    from healthkit.series import check_series, coverage

    series = check_series(series)
    wanted = _wanted(q)
    name = str(series.attrs.get("metric") or series.name or "")
    measured = series.dropna()
    least = min(needed(one) for one in wanted)
    if len(measured) < least:
        what = f"percentiles of {name or 'the series'}"
        raise NotEnoughData(n=len(measured), needed=least, what=what)
    rows = [row for group, values in _groups(measured, by) for row in _exact(group, values, wanted)]
    return Percentiles(
        rows=tuple(rows),
        metric=name,
        unit=str(series.attrs.get("unit") or rate_unit(name)),
        n=len(measured),
        coverage=coverage(series),
        by=by or "",
        method="exact; interval from order statistics, for the number of independent values",
    )


def merge(
    rollup: pd.DataFrame, q: Sequence[float] = (50, 90, 95, 99), *, by: Literal["host", "device"] | None = None
) -> Percentiles:
    """Percentiles of a period from the rollup's daily grids; daily percentiles are never averaged.

    Args:
        rollup: Rows of one metric as `load_rollup` returns them: columns metric, host, device, n, coverage, q.
        q: Percentiles, between 0 and 100.
        by: One group for each host or device; without it all rows are pooled.

    Returns:
        Values with `error` in rank points; `lower` and `upper` are where the rank may be that far off.

    Raises:
        NotEnoughData: No values, or too few for every one of *q*.
        ParameterError: A column is missing, several metrics, or a percentile outside 0 to 100.
    """
    missing = {"metric", "n", "q", "coverage", *([by] if by else [])} - set(rollup.columns)
    if missing:
        raise ParameterError(f"not a rollup: column {', '.join(sorted(missing))} is missing")
    wanted = _wanted(q)
    rollup = rollup[rollup["n"] > 0]
    names = sorted(set(rollup["metric"]))
    if len(names) > 1:
        raise ParameterError(f"percentiles of one metric at a time, not of {', '.join(names[:5])}")
    total, least = int(rollup["n"].sum()), min(needed(one) for one in wanted)
    if total < least:
        raise NotEnoughData(n=total, needed=least, what=f"percentiles of {names[0] if names else 'the period'}")
    groups = [(str(key), part) for key, part in rollup.groupby(by, sort=True)] if by else [("", rollup)]
    return Percentiles(
        rows=tuple(row for group, part in groups for row in _merged(group, part, wanted)),
        metric=names[0],
        unit=rate_unit(names[0]),
        n=total,
        coverage=float(rollup["coverage"].mean()),
        by=by or "",
        method="merged from daily 21-point quantile grids",
    )


def _wanted(q: Sequence[float]) -> tuple[float, ...]:
    wanted = tuple(sorted({float(one) for one in q}))
    if not wanted:
        raise ParameterError("no percentile asked for")
    for one in wanted:
        needed(one)
    return wanted


def _groups(series: pd.Series[float], by: str | None) -> Iterator[tuple[str, Array]]:
    import numpy as np
    import pandas as pd

    index, values = pd.DatetimeIndex(series.index), np.asarray(series, dtype=np.float64)
    if by is None:
        yield "", values
    elif by == "hour":
        for hour in range(24):
            yield f"{hour:02d}", values[index.hour == hour]
    elif by == "weekday":
        for day, name in enumerate(_WEEKDAYS):
            yield name, values[index.day_of_week == day]
    else:
        raise ParameterError(f"by={by!r}: one of hour, weekday")


def _exact(group: str, values: Array, wanted: tuple[float, ...]) -> Iterator[Percentile]:
    import numpy as np

    ordered = np.sort(values)
    for q in wanted:
        if len(values) < needed(q):
            yield Percentile(group, q, math.nan, -math.inf, math.inf, len(values), unknown=_too_few(len(values), q))
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
    variance = float(centred @ centred)
    if n < 4 or variance == 0:
        return float(n)
    spectrum = np.fft.rfft(centred, 1 << (2 * n - 1).bit_length())
    rho = np.fft.irfft(np.abs(spectrum) ** 2)[: n // 2 * 2] / variance
    pairs = rho[0::2] + rho[1::2]
    end = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
    return float(np.clip(n / max(1.0, 2 * float(pairs[:end].sum()) - 1), 1.0, n))


def _interval(ordered: Array, p: float, worth: float) -> tuple[float, float]:
    """Order statistics between which the p-quantile lies with 95 %, as if there were *worth* values."""
    from scipy.stats import binom

    m = max(1, round(worth))
    low, high = int(binom.ppf(_ALPHA / 2, m, p)) - 1, int(binom.ppf(1 - _ALPHA / 2, m, p))
    if binom.cdf(low, m, p) > _ALPHA / 2:
        low -= 1
    scale = len(ordered) / m
    lower = -math.inf if low < 0 else float(ordered[max(0, math.floor(low * scale))])
    upper = math.inf if high >= m else float(ordered[min(len(ordered), math.ceil((high + 1) * scale)) - 1])
    return lower, upper


def _merged(group: str, part: pd.DataFrame, wanted: tuple[float, ...]) -> Iterator[Percentile]:
    import numpy as np

    from healthkit.grids import merge_grids

    grids, n = (
        np.stack([np.asarray(grid, dtype=np.float64) for grid in part["q"]]),
        part["n"].to_numpy(dtype=np.float64),
    )
    at = np.array(wanted)
    values, errors, _ = merge_grids(grids, n, at)
    lower = merge_grids(grids, n, np.maximum(at - errors, 0))[0]
    upper = merge_grids(grids, n, np.minimum(at + errors, 100))[0]
    total = int(n.sum())
    for index, q in enumerate(wanted):
        if total < needed(q):
            yield Percentile(group, q, math.nan, -math.inf, math.inf, total, unknown=_too_few(total, q))
            continue
        ends = float(lower[index]), float(upper[index])
        yield Percentile(group, q, float(values[index]), *ends, total, error=float(errors[index]))


def _too_few(n: int, q: float) -> str:
    return f"{n} values, needs {needed(q)}"


def _phrase(row: Percentile, unit: str) -> str:
    return f"p{row.q:g} {quantity(row.value, unit)}" if row.known else f"p{row.q:g} unknown ({row.unknown})"
