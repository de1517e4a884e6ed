"""Many series forecast at once: the engine under `healthkit.forecast` and the fleet reports."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from healthkit.errors import BadSeries, ParameterError
from healthkit.forecasts import combinations, constants, histories, intervals, members
from healthkit.forecasts.crossings import first_reached
from healthkit.forecasts.histories import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

LEVELS = (80, 95)
ORIGINS = 8
KNOTS = 16
CHUNK_BYTES = 48 * 2**20
METHOD = (
    "weighted members (naive, seasonal, drift, lines, theta, own period), weights and intervals from rolling origins"
)


@dataclass(frozen=True, slots=True)
class ForecastBatch:
    """Forecasts of many series over one horizon. Steps are those of the input."""

    mean: Floats
    """(n, h) central forecast, in the unit of the series."""
    lower: dict[int, Floats]
    """{level in %: (n, h)} lower end of the interval."""
    upper: dict[int, Floats]
    """{level in %: (n, h)} upper end of the interval."""
    n: Ints
    """(n,) values each forecast rests on."""
    origins: Ints
    """(n,) rolling origins in the backtest."""
    error: Floats
    """(n,) mean absolute error of the backtest, in the unit of the series; NaN where no origin was possible."""
    naive_error: Floats
    """(n,) that of the last value carried forward, from the same origins."""
    covered: Floats
    """(n,) share of the backtest's values inside the intervals of the first level; NaN where no origin was possible."""
    method: str = METHOD
    """How the forecasts were made."""

    def crossing(self, limits: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Steps until each series first reaches its limit: median, and the ends of the 80 % interval.

        Args:
            limits: One for all or (n,), in the unit of the series; inf = never.

        Returns:
            Three arrays (n,): 1.0 is the first step ahead, inf is "not within the horizon".
        """
        limit = np.broadcast_to(np.asarray(limits, dtype=np.float64), (len(self.mean),))
        level = min(self.lower, key=lambda known: abs(known - 80))
        return (
            first_reached(self.mean, limit),
            first_reached(self.upper[level], limit),
            first_reached(self.lower[level], limit),
        )


def forecast_many(
    values: ArrayLike,
    horizon: int,
    *,
    levels: Sequence[int] = LEVELS,
    season: int = 7,
    lower_bound: ArrayLike | None = None,
    upper_bound: ArrayLike | None = None,
) -> ForecastBatch:
    """Forecast every row of *values*, with intervals.

    Each row's result depends on that row alone: not on the others of the batch, nor on how the batch is cut into
    chunks. A row without any value yields NaN; a constant one yields itself.

    Args:
        values: (n_series, n_obs), oldest first on one regular grid; NaN = not measured. Shorter series are padded with
            NaN on the left.
        horizon: Steps to forecast.
        levels: Interval levels in per cent, of 80 and 95.
        season: Steps per season: 24 for hourly, 7 for daily values; 1 = none.
        lower_bound: What no value can be below, one for all or (n_series,); NaN or None = no bound.
        upper_bound: What no value can be above, likewise.

    Raises:
        BadSeries: *values* is not a two-dimensional array of numbers, or holds infinities.
        ParameterError: A horizon, level, season or bound that cannot be.

    >>> batch = forecast_many(np.arange(60.0)[None, :] * 2, 3)
    >>> batch.mean.round(6).tolist()
    [[120.0, 122.0, 124.0]]
    """
    table = checked(values)
    if horizon < 1 or season < 1 or int(horizon) != horizon or int(season) != season:
        raise ParameterError(f"horizon and season are whole steps from 1, not {horizon} and {season}")
    if not levels or not set(levels) <= set(LEVELS):
        raise ParameterError(f"levels are of {LEVELS}, not {tuple(levels)}")
    n = len(table)
    low, high = bound(lower_bound, n, -np.inf), bound(upper_bound, n, np.inf)
    if (low > high).any():
        raise ParameterError("a lower bound lies above its upper bound")
    longest = min(max(400, 2 * horizon + 40, 28 * season), table.shape[1])
    row_bytes = 8 * len(members.NAMES) * (ORIGINS * KNOTS * 4 + 3 * horizon) + 8 * 30 * longest * (ORIGINS + 1)
    size = max(1, CHUNK_BYTES // row_bytes)
    parts = [
        chunk(table[i : i + size], horizon, tuple(levels), season, low[i : i + size], high[i : i + size], longest)
        for i in range(0, n, size)
    ] or [chunk(np.full((1, 1), np.nan), horizon, tuple(levels), season, low, high, 1)]
    return joined(parts, n, tuple(levels))


def checked(values: ArrayLike) -> Floats:
    """*values* as a table of floats."""
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadSeries(f"values are not numbers: {error}") from error
    if table.ndim != 2 or not table.shape[1]:
        raise BadSeries(f"values have shape {table.shape}, not (n_series, n_obs) with at least one observation")
    if np.isinf(table).any():
        raise BadSeries("values hold infinities; NaN is what says not measured")
    return table


def bound(given: ArrayLike | None, n: int, absent: float) -> Floats:
    """(n,) bounds, *absent* where there is none."""
    raw = np.asarray(absent if given is None else given, dtype=np.float64)
    try:
        full = np.broadcast_to(raw, (n,))
    except ValueError as error:
        raise ParameterError(f"bounds have shape {raw.shape}, not () or ({n},)") from error
    return np.where(np.isnan(full), absent, full)


def joined(parts: list[ForecastBatch], n: int, levels: tuple[int, ...]) -> ForecastBatch:
    """One batch of all *parts*."""

    def whole(name: str) -> Floats:
        return np.concatenate([getattr(part, name) for part in parts])[:n]

    plain = {f.name: whole(f.name) for f in fields(ForecastBatch) if f.name not in {"lower", "upper", "method"}}
    lower = {level: np.concatenate([part.lower[level] for part in parts])[:n] for level in levels}
    upper = {level: np.concatenate([part.upper[level] for part in parts])[:n] for level in levels}
    return ForecastBatch(lower=lower, upper=upper, **plain)


def chunk(
    values: Floats, horizon: int, levels: tuple[int, ...], season: int, low: Floats, high: Floats, longest: int
) -> ForecastBatch:
    """`forecast_many` of few enough rows to hold in memory at once."""
    past = histories.prepare(values, longest)
    n = len(values)
    offsets = histories.origins(past.spans, horizon, ORIGINS)
    knots, steps = histories.knots(horizon, KNOTS), np.arange(1, horizon + 1)
    rows, spans = histories.cut(past, np.concatenate([np.zeros((n, 1), np.int64), offsets], axis=1))
    fitted = members.fit(rows, spans, season)
    tested = members.paths(fitted, knots, spans, season).reshape(n, ORIGINS + 1, -1, len(knots))[:, 1:]
    actual = np.where(offsets[:, :, None] > 0, histories.futures(past, offsets, knots), np.nan)
    weight = combinations.weights(
        combinations.evidence(combinations.Backtest(tested, actual)), constants.PRIOR, constants.POWERS
    )
    newest = members.newest(fitted, ORIGINS + 1)
    each = members.paths(newest, steps, past.spans, season)
    mean = np.einsum("nm,nmh->nh", weight, each)
    soft = np.sqrt(weight) / np.sqrt(weight).sum(axis=1, keepdims=True)
    spread = np.einsum("nm,nmh->nh", soft, np.abs(each - mean[:, None, :]))
    residuals = actual - np.einsum("nm,nomk->nok", weight, tested)
    facts = intervals.features(
        mean=mean, spread=spread, residuals=residuals, knots=knots, steps=steps, ages=past.ages, spans=past.spans
    )
    lower, upper = {}, {}

    def restored(path: Floats) -> Floats:
        out = past.centre[:, None] + past.scale[:, None] * path
        out = np.where(past.constant[:, None], past.centre[:, None], out)
        return np.where(past.empty[:, None], np.nan, np.clip(out, low[:, None], high[:, None]))

    inner = np.zeros((2, n, horizon))
    for level in LEVELS:
        inner = np.maximum(inner, intervals.half_widths(facts, constants.WIDTHS[level]))
        if level in levels:
            lower[level], upper[level] = restored(mean - inner[0]), restored(mean + inner[1])
    return ForecastBatch(
        mean=restored(mean),
        lower=lower,
        upper=upper,
        **record(past, offsets, residuals, actual, facts, knots, levels[0]),
    )


def record(
    past: histories.Histories, offsets: Ints, residuals: Floats, actual: Floats, facts: Floats, knots: Ints, level: int
) -> dict[str, Floats]:
    """What the backtest says of each series, for the fields of ForecastBatch."""
    known = np.isfinite(residuals)
    count = known.sum(axis=(1, 2))
    width = intervals.half_widths(facts[:, :, knots - 1], constants.WIDTHS[level])[:, :, None, :]
    inside = known & (residuals >= -width[0]) & (residuals <= width[1])
    start = np.take_along_axis(past.ages, offsets, 1)[:, :, None]

    def share(total: Floats) -> Floats:
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    return {
        "n": past.seen.sum(axis=1),
        "origins": known.any(axis=2).sum(axis=1),
        "error": share(np.where(known, np.abs(residuals), 0.0).sum(axis=(1, 2))) * past.scale,
        "naive_error": share(np.where(known, np.abs(actual - start), 0.0).sum(axis=(1, 2))) * past.scale,
        "covered": share(inside.sum(axis=(1, 2))),
    }
