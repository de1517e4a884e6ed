"""Capacity: when each resource of a fleet reaches its limit, how much room is left, and how much more it takes.

All series are forecast in one batch, from daily statistics. Where the history is too short, too gappy or has ended, the
row says so and what it needs; it never gives a number instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from healthkit.config import Growth, Limits
from healthkit.errors import ParameterError
from healthkit.quantities import quantity
from healthkit.schema import limits as bounds_of
from healthkit.schema import title, unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]

NEEDED = 14
"""Measured days below which nothing is forecast."""
REACH = 4
"""A forecast is believed for so many times the length of its history, and no further."""
STALE = 3
"""Days without a value, up to now, after which a series has ended."""
_DAY = timedelta(days=1)


class Resource(NamedTuple):
    """Something that can run out."""

    metric: str
    how: str
    """Which number of a day: `max` of what fills, `p95` of what is busy."""
    limit: str
    """Its key in `config.Limits`."""


RESOURCES = (
    Resource("disk_used_ratio", "max", "disk"),
    Resource("disk_inodes_used_ratio", "max", "inodes"),
    Resource("memory_used_ratio", "p95", "memory"),
    Resource("swap_used_ratio", "p95", "swap"),
    Resource("cpu_busy_ratio", "p95", "cpu"),
    Resource("http_response_seconds", "p95", "response_seconds"),
)

State = Literal["over", "reaches", "below", "unknown"]


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """One resource of one host."""

    host: str
    metric: str
    device: str
    how: str
    """Which number of a day was forecast: `max`, `p95`."""
    unit: str
    limit: float
    """What must not be reached, in `unit`."""
    state: State
    """`over` the limit now, `reaches` it within the horizon, stays `below`, or `unknown`."""
    value: float
    """Median of the newest seven days, in `unit`; NaN where nothing was measured."""
    headroom: float
    """Limit minus value, in `unit`."""
    days: float | None
    """Days until the limit is reached, 0 = now; None where it is not within the horizon, or unknown."""
    days_lower: float | None
    """Lower end of the 80 % interval of `days`; None = not within the horizon."""
    days_upper: float | None
    """Upper end; None = not within the horizon."""
    start: datetime
    """From when days are counted: the end of the newest whole day, UTC."""
    horizon: int
    """Days for which this forecast is believed: at most four times its history."""
    needed: float
    """Capacity needed at the end of the horizon to stay below the limit, as a share of today's; NaN where unknown."""
    needed_upper: float
    """The same for the upper end of the 80 % interval."""
    slope: float
    """Trend per day, in `unit`; NaN where none is significant."""
    growth: float
    """Mean of the newest 30 days over that of the 30 before, minus 1; NaN with fewer than 60 days."""
    growing: bool
    """Whether `slope` or `growth` exceeds what the configuration allows."""
    n: int
    """Days measured."""
    coverage: float
    """Share of the days since the first that were measured, 0 to 1."""
    unknown: str = ""
    """Why it could not be told, and what it needs; empty where it could."""

    @property
    def date(self) -> datetime | None:
        """The day on which the limit is reached."""
        return _date(self.start, self.days)

    @property
    def subject(self) -> str:
        """Host, and device or name of the metric: `web-1 /var`."""
        return f"{self.host} {self.device or title(self.metric)}".strip()

    @property
    def sentence(self) -> str:
        """What there is to say, without a full stop."""
        limit = quantity(self.limit, self.unit)
        if self.state == "unknown":
            return f"{self.subject}: cannot tell when it reaches {limit}: {self.unknown}"
        if self.state == "over":
            return f"{self.subject} is at {quantity(self.value, self.unit)}, limit {limit}"
        if self.date is None:
            tail = f", possibly from {_date(self.start, self.days_lower):%Y-%m-%d}" if self.days_lower else ""
            return f"{self.subject} stays below {limit} for {self.horizon} days{tail}"
        lower, upper = _date(self.start, self.days_lower), _date(self.start, self.days_upper)
        late = f"{upper:%Y-%m-%d}" if upper else f"beyond {self.start + self.horizon * _DAY:%Y-%m-%d}"
        return f"{self.subject} reaches {limit} on {self.date:%Y-%m-%d} (80 % interval {lower:%Y-%m-%d} to {late})"

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Capacity:
    """Every resource of a fleet: what needs action first, what cannot be told next, what has room last."""

    rows: tuple[CapacityRow, ...]
    horizon: int
    """Days looked ahead."""
    start: datetime
    """From when days are counted, UTC."""
    factor: float
    """By how much the intervals were widened because earlier ones held too rarely."""
    n: int
    """Days measured, of all series."""
    coverage: float
    """Mean of the rows' coverage, 0 to 1; NaN without rows."""
    method: str
    past: Array = field(repr=False)
    """Daily values, (rows, days), oldest first, NaN = not measured; the last column is the day before `start`."""
    mean: Array = field(repr=False)
    """Forecasts, (rows, horizon), NaN where unknown or beyond the row's own horizon."""
    lower: dict[int, Array] = field(repr=False)
    """{level in %: (rows, horizon)}"""
    upper: dict[int, Array] = field(repr=False)
    unit: str = ""
    """Each row has its own."""

    def __iter__(self) -> Iterator[CapacityRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def required(self, row: int, target: datetime) -> tuple[float, float]:
        """Capacity that row needs on *target* to stay below its limit, as a share of today's; and at the 80 % end.

        Raises:
            ParameterError: The day is not within the row's horizon.
        """
        step = math.ceil((target - self.start) / _DAY)
        if not 1 <= step <= self.rows[row].horizon or math.isnan(self.mean[row, step - 1]):
            raise ParameterError(f"{target:%Y-%m-%d} is not within the horizon of {self.rows[row].subject}")
        limit = self.rows[row].limit
        return float(self.mean[row, step - 1] / limit), float(self.upper[80][row, step - 1] / limit)

    def fan(self, row: int) -> pd.DataFrame:
        """The forecast of a row by day: mean, lower80, upper80, lower95, upper95; empty where unknown."""
        import pandas as pd

        index = pd.date_range(self.start, periods=self.horizon, freq="D", name="date")
        ends = {f"{name}{at}": getattr(self, name)[at][row] for at in (80, 95) for name in ("lower", "upper")}
        return pd.DataFrame({"mean": self.mean[row], **ends}, index=index).dropna(how="all")

    def history(self, row: int) -> pd.Series[float]:
        """The daily values that a row's forecast rests on."""
        import pandas as pd

        index = pd.date_range(end=self.start - _DAY, periods=self.past.shape[1], freq="D", name="date")
        return pd.Series(self.past[row], index, name=self.rows[row].metric)

    def to_frame(self) -> pd.DataFrame:
        """One row a resource, in order; columns are the fields of `CapacityRow`, and date and sentence."""
        import pandas as pd

        names = [*CapacityRow.__dataclass_fields__, "date", "sentence"]
        return pd.DataFrame([{name: getattr(row, name) for name in names} for row in self.rows], columns=names)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the forecasts' arrays."""
        from healthkit.jsons import plain

        fields = ("horizon", "start", "factor", "n", "coverage", "method")
        rows = self.to_frame().to_dict("records")
        body: dict[str, Any] = plain({name: getattr(self, name) for name in fields} | {"rows": rows})
        return body

    def __str__(self) -> str:
        if not self.rows:
            return "No resource with a limit was measured."
        count = {state: sum(row.state == state for row in self.rows) for state in ("over", "reaches", "unknown")}
        words = [f"{count['over'] + count['reaches']} of {len(self.rows)} resources reach their limit"]
        words[0] += f" within {self.horizon} days" if not count["over"] else f", {count['over']} are there already"
        if count["unknown"]:
            words.append(f"{count['unknown']} cannot be told")
        if count["over"] + count["reaches"]:
            words.append(f"first: {self.rows[0].sentence}")
        return "; ".join(words) + "."


def capacity(
    rollup: pd.DataFrame,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    growth: Growth = Growth(),  # noqa: B008 - frozen
    horizon: int = 180,
    now: datetime | None = None,
    factor: float = 1.0,
) -> Capacity:
    """When each resource reaches its limit, ranked over the fleet.

    Args:
        rollup: Daily statistics as `load_rollup` returns them; other metrics than those of `RESOURCES` are skipped.
        limits: What must not be reached.
        growth: Which growth is pointed out although no limit is near.
        horizon: Days to look ahead.
        now: The day that is still running at this time is left out.
        factor: By how much to widen the intervals, from `Ledger.factor`.

    Raises:
        ParameterError: *rollup* lacks a column, *now* has no zone, or *horizon* or *factor* is not positive.
    """
    import numpy as np

    now = now or datetime.now(UTC)
    if now.tzinfo is None or horizon < 1 or not 0 < factor < math.inf:
        raise ParameterError(f"now {now!r} must have a zone, horizon {horizon} and factor {factor} be positive")
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    keys, past = _daily(rollup, start)
    metric = [key[2].metric for key in keys]
    limit = np.array([getattr(limits, key[2].limit) for key in keys], dtype=float)
    reasons, reach = _judge(past, horizon)
    batch = _forecast(past, metric, horizon, factor, reach)
    rows = _rows(keys, past, limit, reasons, reach, batch, start, growth)
    order = sorted(range(len(rows)), key=lambda index: _rank(rows[index]))
    measured = np.isfinite(past)
    return Capacity(
        rows=tuple(rows[index] for index in order),
        horizon=horizon,
        start=start,
        factor=factor,
        n=int(measured.sum()),
        coverage=float(np.mean([row.coverage for row in rows])) if rows else math.nan,
        method=batch.method,
        past=past[order],
        mean=batch.mean[order],
        lower={level: ends[order] for level, ends in batch.lower.items()},
        upper={level: ends[order] for level, ends in batch.upper.items()},
    )


def _daily(rollup: pd.DataFrame, start: datetime) -> tuple[list[tuple[str, str, Resource]], Array]:
    """(host, device, resource) of every series, and its values of every day up to *start*, (series, days)."""
    import numpy as np
    import pandas as pd

    missing = {"date", "host", "metric", "device", "n", "max", "q"} - set(rollup.columns)
    if missing:
        raise ParameterError(f"not a rollup: column {', '.join(sorted(missing))} is missing")
    of = {resource.metric: resource for resource in RESOURCES}
    part = rollup[rollup["metric"].isin(of) & (rollup["n"] > 0) & (rollup["date"] < pd.Timestamp(start))]
    if part.empty:
        return [], np.empty((0, 1))
    names = part[["host", "device", "metric"]].astype(str)
    code, unique = pd.factorize(pd.MultiIndex.from_frame(names))
    day = (pd.Timestamp(start) - part["date"]) // pd.Timedelta(days=1)
    percentile = np.array([of[name].how == "p95" for name in names["metric"]])
    p95 = np.array([grid[19] for grid in part["q"]], dtype=float)
    past = np.full((len(unique), int(day.max())), np.nan)
    past[code, -day.to_numpy()] = np.where(percentile, p95, part["max"].to_numpy(dtype=float))
    return [(host, device, of[metric]) for host, device, metric in unique], past


def _judge(past: Array, horizon: int) -> tuple[list[str], np.ndarray[Any, np.dtype[np.intp]]]:
    """Why each series cannot be forecast, empty where it can; and for how many days it is believed."""
    import numpy as np

    measured = np.isfinite(past)
    days = past.shape[1]
    n = measured.sum(axis=1)
    span = days - measured.argmax(axis=1)
    silent = np.where(n > 0, measured[:, ::-1].argmax(axis=1), days)
    reasons = [
        f"not measured for {silent[i]} days" if silent[i] > STALE
        else f"{n[i]} days measured, needs {NEEDED}" if n[i] < NEEDED
        else f"{n[i]} of {span[i]} days measured, needs half" if 2 * n[i] < span[i]
        else ""
        for i in range(len(past))
    ]  # fmt: skip
    return reasons, np.minimum(horizon, REACH * span)


class _Batch(NamedTuple):
    mean: Array
    lower: dict[int, Array]
    upper: dict[int, Array]
    method: str


def _forecast(past: Array, metric: list[str], horizon: int, factor: float, reach: np.ndarray[Any, Any]) -> _Batch:
    """All series at once, with widened intervals; NaN beyond each series' reach."""
    import numpy as np

    from healthkit.forecasts import forecast_many

    if not len(past):
        none = np.empty((0, horizon))
        return _Batch(none, {80: none, 95: none}, {80: none, 95: none}, "none")
    low, high = np.array([bounds_of(name) for name in metric]).T
    batch = forecast_many(past, horizon, levels=(80, 95), season=7, lower_bound=low, upper_bound=high)
    beyond = np.arange(1, horizon + 1)[None, :] > reach[:, None]
    lower, upper = {}, {}
    for level in (80, 95):
        ends = widen(batch.mean, batch.lower[level], batch.upper[level], factor, (low[:, None], high[:, None]))
        lower[level], upper[level] = (np.where(beyond, np.nan, end) for end in ends)
    return _Batch(np.where(beyond, np.nan, batch.mean), lower, upper, batch.method)


def widen(mean: Array, lower: Array, upper: Array, factor: float, bounds: tuple[Any, Any]) -> tuple[Array, Array]:
    """An interval made *factor* times as wide on either side of the mean, within *bounds*."""
    import numpy as np

    return np.maximum(mean - factor * (mean - lower), bounds[0]), np.minimum(mean + factor * (upper - mean), bounds[1])
