"""The capacity plan: all series forecast in one batch, from daily statistics.

Where the history is too short, too gappy or has ended, the row says so and what it needs; it never gives a number instead.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit.capacity.resources import Histories, daily
from healthkit.capacity.results import Capacity
from healthkit.capacity.rows import CapacityRow, State
from healthkit.config import Growth, Limits
from healthkit.errors import ParameterError
from healthkit.quantities import counted
from healthkit.schema import limits as bounds_of
from healthkit.schema import unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Counts = np.ndarray[Any, np.dtype[np.intp]]

NEEDED = 14
"""Measured days below which nothing is forecast."""
REACH = 4
"""A forecast is believed for so many times the length of its history, and no further."""
STALE = 3
"""Days without a value, up to now, after which a series has ended."""
_LEVELS = (80, 95)


def capacity(
    rollup: pd.DataFrame,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    growth: Growth = Growth(),  # noqa: B008 - frozen
    horizon: int = 180,
    now: datetime | None = None,
    factor: float = 1.0,
    needed: int = NEEDED,
    within: int = 0,
) -> Capacity:
    """When each resource reaches its limit, ranked over the fleet.

    Args:
        rollup: Daily statistics as `load_rollup` returns them; other metrics than those of `RESOURCES` are skipped.
        limits: What must not be reached.
        growth: Which growth is pointed out although no limit is near.
        horizon: Days to look ahead.
        now: The day that is still running at this time is left out.
        factor: By how much to widen the intervals, from `Ledger.factor`.
        needed: Measured days below which nothing is forecast, `NEEDED` at least.
        within: Among so many of the newest days; 0: among all.

    Raises:
        ParameterError: *rollup* lacks a column, *now* has no zone, or *horizon* or *factor* is not positive.
    """
    import numpy as np

    now = now or datetime.now(UTC)
    if now.tzinfo is None or horizon < 1 or not 0 < factor < math.inf:
        raise ParameterError(f"now {now!r} must have a zone, horizon {horizon} and factor {factor} be positive")
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    series = daily(rollup, start)
    past = series.past
    limit = np.array([getattr(limits, resource.limit) for _, _, resource in series.keys], dtype=float)
    reasons, believed = _judge(past, horizon, max(needed, NEEDED), within)
    reach = np.where([not reason for reason in reasons], believed, 0)
    batch = _forecast(series, limit, horizon=horizon, factor=factor, reach=reach)
    rows = _rows(series, limit, reasons, reach, batch, start=start, growth=growth)
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


def _judge(past: Array, horizon: int, needed: int, within: int) -> tuple[list[str], Counts]:
    """Why each series cannot be forecast, empty where it can; and for how many days it is believed."""
    import numpy as np

    measured = np.isfinite(past)
    days = past.shape[1]
    n, new = measured.sum(axis=1), measured[:, -within:].sum(axis=1)
    among = f" of the last {within}" if within else ""
    span = days - measured.argmax(axis=1)
    silent = np.where(n > 0, measured[:, ::-1].argmax(axis=1), 0)  # what began today did not fall silent
    reasons = [
        f"not measured for {silent[i]} days" if silent[i] > STALE
        else f"{counted(int(new[i]), 'day')} measured{among}, needs {needed}" if new[i] < needed
        else f"{n[i]} of {span[i]} days measured, needs half" if 2 * n[i] < span[i]
        else ""
        for i in range(len(past))
    ]  # fmt: skip
    return reasons, np.minimum(horizon, REACH * span)


class _Batch(NamedTuple):
    mean: Array
    lower: dict[int, Array]
    upper: dict[int, Array]
    days: Array
    """Until the limit: median, ends of the 80 % interval, (3, series); inf = not within reach."""
    method: str


def _forecast(series: Histories, limit: Array, *, horizon: int, factor: float, reach: Counts) -> _Batch:
    """All series at once, with widened intervals; NaN beyond each series' reach."""
    import numpy as np

    from healthkit.forecasts import forecast_many

    shape = len(series.keys), horizon
    mean, days = np.full(shape, np.nan), np.full((3, shape[0]), np.inf)
    lower, upper = ({level: np.full(shape, np.nan) for level in _LEVELS} for _ in range(2))
    known = np.flatnonzero(reach > 0)
    if not len(known):
        return _Batch(mean, lower, upper, days, "none")
    bounds = np.array([bounds_of(series.keys[i][2].metric) for i in known]).T
    batch = forecast_many(
        series.past[known], horizon, levels=_LEVELS, season=7, lower_bound=bounds[0], upper_bound=bounds[1]
    )
    beyond = np.arange(1, horizon + 1)[None, :] > reach[known, None]
    mean[known] = np.where(beyond, np.nan, batch.mean)
    for level in _LEVELS:
        ends = widen(batch.mean, batch.lower[level], batch.upper[level], factor, bounds[:, :, None])
        lower[level][known], upper[level][known] = (np.where(beyond, np.nan, end) for end in ends)
    until = np.stack([np.asarray(part, dtype=np.float64) for part in batch.crossing(limit[known])])
    if factor > 1:
        middle = np.where(np.isfinite(until[0]), until[0], reach[known])
        until[1] = np.minimum(
            np.maximum(middle - factor * (middle - until[1]), 1), _first(upper[80][known], limit[known])
        )
        until[2] = middle + factor * (until[2] - middle)
    days[:, known] = np.where(until <= reach[known], until, np.inf)
    return _Batch(mean, lower, upper, days, batch.method)


def widen(mean: Array, lower: Array, upper: Array, factor: float, bounds: Array) -> tuple[Array, Array]:
    """An interval made *factor* times as wide on either side of the mean, within *bounds* (lower and upper)."""
    import numpy as np

    return np.maximum(mean - factor * (mean - lower), bounds[0]), np.minimum(mean + factor * (upper - mean), bounds[1])


def _first(path: Array, limit: Array) -> Array:
    """First step, from 1, at which *path* (series, steps) is not below *limit*; inf if there is none."""
    import numpy as np

    reached = path >= limit[:, None]
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def _rows(
    series: Histories,
    limit: Array,
    reasons: list[str],
    reach: Counts,
    batch: _Batch,
    *,
    start: datetime,
    growth: Growth,
) -> list[CapacityRow]:
    import numpy as np

    if not series.keys:
        return []
    past = series.past
    value = _newest(past)
    slope, month = _slope(past), _month(past)
    measured = np.isfinite(past)
    n, span = measured.sum(axis=1), past.shape[1] - measured.argmax(axis=1)
    rows = []
    for i, (host, device, resource) in enumerate(series.keys):
        known = not reasons[i]
        over = known and value[i] >= limit[i]
        days = [0.0] * 3 if over else batch.days[:, i].tolist() if known else [math.inf] * 3
        base = unit(resource.metric)
        allowed = growth.response_seconds_per_day if base == "seconds" else growth.ratio_per_day
        end = int(reach[i]) - 1
        row = CapacityRow(
            host=host,
            metric=resource.metric,
            device=device,
            how=resource.how,
            unit=base,
            limit=float(limit[i]),
            state=_state(known=known, days=days[0]),
            value=float(value[i]),
            headroom=float(limit[i] - value[i]),
            days=_finite(days[0]),
            days_lower=_finite(days[1]),
            days_upper=_finite(days[2]),
            start=start,
            horizon=int(reach[i]),
            needed=float(batch.mean[i, end] / limit[i]) if known else math.nan,
            needed_upper=float(batch.upper[80][i, end] / limit[i]) if known else math.nan,
            slope=float(slope[i]),
            growth=float(month[i]),
            growing=bool(slope[i] > allowed or month[i] > growth.per_month),
            n=int(n[i]),
            coverage=float(n[i] / span[i]),
            unknown=reasons[i],
        )
        rows.append(row)
    return rows


def _state(*, known: bool, days: float) -> State:
    if not known:
        return "unknown"
    return "over" if days == 0 else "reaches" if math.isfinite(days) else "below"


def _slope(past: Array) -> Array:
    """Trend per day where it is significant and no level shift explains it as well; else NaN."""
    import numpy as np

    from healthkit.trends import trend_many

    trends = trend_many(past[:, -90:], season=7)
    return np.where((trends.p_value < trends.alpha) & ~trends.ambiguous, trends.slope, np.nan)


def _month(past: Array) -> Array:
    """Mean of the newest 30 days over that of the 30 before, minus 1; NaN without 20 measured days in each."""
    import numpy as np

    new, old = past[:, -30:], past[:, -60:-30]
    enough = (np.isfinite(new).sum(axis=1) >= 20) & (np.isfinite(old).sum(axis=1) >= 20)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.nansum(new, axis=1) / np.isfinite(new).sum(axis=1)
        ratio = ratio / (np.nansum(old, axis=1) / np.isfinite(old).sum(axis=1)) - 1
    return np.where(enough & np.isfinite(ratio), ratio, np.nan)


def _newest(past: Array) -> Array:
    """The newest measured value of each row; NaN where there is none."""
    import numpy as np

    last = past.shape[1] - 1 - np.isfinite(past)[:, ::-1].argmax(axis=1)
    return np.asarray(past[np.arange(len(past)), last])


def _finite(days: float) -> float | None:
    return float(days) if math.isfinite(days) else None


def _rank(row: CapacityRow) -> tuple[Any, ...]:
    order = {"over": 0, "reaches": 1, "unknown": 2, "below": 3}[row.state]
    far = math.inf
    early = far if row.days_lower is None else row.days_lower
    room = row.headroom / row.limit if math.isfinite(row.headroom) else far
    return order, far if row.days is None else row.days, early, room, row.host, row.metric, row.device
