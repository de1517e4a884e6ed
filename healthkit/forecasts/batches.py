"""Many series forecast at once: the engine under `healthkit.forecast` and the fleet reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from healthkit.errors import ParameterError
from healthkit.forecasts import constants
from healthkit.forecasts.crossings import chance, first_at
from healthkit.forecasts.histories import pick
from healthkit.forecasts.intervals import at_every_step
from healthkit.forecasts.members import NAMES
from healthkit.forecasts.studies import KNOTS, ORIGINS, Study, reach, study
from healthkit.series import check_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from healthkit.forecasts.histories import Floats, Ints

LEVELS = (80, 95)
SHORTEST_TABLE = 16
"""Columns that the members can count on; shorter tables are padded."""
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
    last: Floats
    """(n,) last measured value, in the unit of the series."""
    n: Ints
    """(n,) values each forecast rests on."""
    origins: Ints
    """(n,) rolling origins in the backtest."""
    error: Floats
    """(n,) mean absolute error of the backtest, in the unit of the series; NaN where no origin was possible."""
    naive_error: Floats
    """(n,) that of the last value carried forward, from the same origins."""
    covered: Floats
    """(n,) share of the backtest's values inside intervals as wide as those of the first level are now; NaN where no origin
    was possible."""
    season: int
    """Steps per season; 1 = none."""
    method: str = METHOD
    """How the forecasts were made."""

    def crossing(self, limits: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Steps until each series first reaches its limit: median, and the ends of the 80 % interval.

        Args:
            limits: One for all or (n,), in the unit of the series; inf = never.

        Returns:
            Three arrays (n,): 1.0 is the first step ahead, inf is "not within the horizon".

        Raises:
            ParameterError: Limits that are no numbers, or not as many as series.
        """
        by_then = self.chance(limits)
        median, early, late = (
            first_at(by_then, enough)
            for enough in (constants.REACHING.median, constants.REACHING.early, constants.REACHING.late)
        )
        return median, early, late

    def chance(self, limits: ArrayLike) -> Floats:
        """(n, h) chance, 0-1, that each series has reached its limit by each step; *limits* as in `crossing`.

        A series whose last value is at its limit has reached it: 1 from the first step on.
        """
        limit = one_each(limits, len(self.mean), "limits")
        if np.isnan(limit).any():
            raise ParameterError("a limit is not a number; inf is what is never reached")
        level = min(self.lower)
        # What was trained is the 80 % interval; a batch without it has its wider one narrowed to that.
        share = 1.0 if level == LEVELS[0] else 1.2816 / 1.9600
        low, high = (self.mean + share * (end[level] - self.mean) for end in (self.lower, self.upper))
        by_then = chance((self.mean, low, high), limit, self.last, self.season, constants.REACHING)
        return np.where((self.last >= limit)[:, None], 1.0, by_then)


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
    chunks. A row without any value yields NaN. A constant one yields itself, with intervals of no width: nothing in it tells
    how large a change would be, and quiet storage does not stay quiet for ever (`docs/forecast-benchmark.md`).

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
    >>> batch.mean.round(3).tolist()
    [[120.0, 122.0, 124.0]]
    """
    table = check_table(values)
    if not (horizon >= 1 and season >= 1) or horizon % 1 or season % 1:
        raise ParameterError(f"horizon and season are whole steps from 1, not {horizon} and {season}")
    horizon, season, levels = int(horizon), int(season), known_levels(levels)
    n = len(table)
    if missing := max(SHORTEST_TABLE - table.shape[1], 0):
        table = np.concatenate([np.full((n, missing), np.nan), table], axis=1)
    low, high = bound(lower_bound, n, -np.inf), bound(upper_bound, n, np.inf)
    if (low > high).any():
        raise ParameterError("a lower bound lies above its upper bound")
    longest = min(reach(horizon, season), table.shape[1])
    row_bytes = 8 * len(NAMES) * (ORIGINS * KNOTS * 4 + 3 * horizon) + 8 * 30 * longest * (ORIGINS + 1)
    size = max(1, CHUNK_BYTES // row_bytes)
    whole = blank(n, horizon, season, levels)
    for i in range(0, n, size):
        rows = slice(i, i + size)
        found = study(table[rows], np.stack([low[rows], high[rows]]), horizon, season, constants.GATE)
        put(whole, chunk(found, horizon, season, levels=levels, low=low[rows], high=high[rows]), rows)
    return whole


def known_levels(levels: Sequence[int]) -> tuple[int, ...]:
    """The levels, each once, in the order given; one that is not of `LEVELS`, or none at all, is an error."""
    try:
        given = tuple(dict.fromkeys(levels))
    except TypeError:
        given = ()
    if not given or not set(given) <= set(LEVELS):
        raise ParameterError(f"levels are one or more of {LEVELS}, not {levels!r}")
    return tuple(map(int, given))


def one_each(given: ArrayLike, n: int, what: str) -> Floats:
    """One number for all, or (n,), as (n,)."""
    try:
        return np.broadcast_to(np.asarray(given, dtype=np.float64), (n,))
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what} are a number or {n} of them, not {given!r}") from error


def bound(given: ArrayLike | None, n: int, absent: float) -> Floats:
    """(n,) bounds, *absent* where there is none."""
    full = one_each(absent if given is None else given, n, "bounds")
    return np.where(np.isnan(full), absent, full)


def blank(n: int, horizon: int, season: int, levels: tuple[int, ...]) -> ForecastBatch:
    """A batch to be filled chunk by chunk: joining finished chunks would need twice its memory."""

    def paths() -> Floats:
        return np.full((n, horizon), np.nan)

    count, number = np.zeros(n, np.int64), np.full(n, np.nan)
    return ForecastBatch(
        mean=paths(),
        lower={level: paths() for level in levels},
        upper={level: paths() for level in levels},
        last=number,
        n=count,
        origins=count.copy(),
        error=number.copy(),
        naive_error=number.copy(),
        covered=number.copy(),
        season=season,
    )


def put(whole: ForecastBatch, part: ForecastBatch, rows: slice) -> None:
    """Write *part* into *rows* of *whole*."""
    for name in ("mean", "last", "n", "origins", "error", "naive_error", "covered"):
        getattr(whole, name)[rows] = getattr(part, name)
    for level in whole.lower:
        whole.lower[level][rows] = part.lower[level]
        whole.upper[level][rows] = part.upper[level]


def chunk(
    found: Study, horizon: int, season: int, *, levels: tuple[int, ...], low: Floats, high: Floats
) -> ForecastBatch:
    """The forecast of one studied chunk, within its bounds *low* and *high* (n,)."""
    past, logs = found.past, constants.WIDTHS.log_half_widths(found.facts)

    def restored(path: Floats) -> Floats:
        out = past.centre[:, None] + past.scale[:, None] * path
        out = np.where(past.constant[:, None], past.centre[:, None], out)
        return np.where(past.empty[:, None], np.nan, np.clip(out, low[:, None], high[:, None]))

    lower, upper = {}, {}
    for level in levels:
        half = at_every_step(logs[..., constants.WIDTHS.levels.index(level)], found.grid, horizon)
        lower[level], upper[level] = restored(found.mean - half[0]), restored(found.mean + half[1])
    first = logs[..., constants.WIDTHS.levels.index(levels[0])]
    mean, told = restored(found.mean), record(found, first, horizon)
    return ForecastBatch(mean=mean, lower=lower, upper=upper, season=season, **told)


class Record(TypedDict):
    """The fields of ForecastBatch that tell what it rests on."""

    last: Floats
    n: Ints
    origins: Ints
    error: Floats
    naive_error: Floats
    covered: Floats


def record(found: Study, logs: Floats, horizon: int) -> Record:
    """What the backtest says of each series."""
    known = np.isfinite(found.residuals)
    count = known.sum(axis=(1, 2))
    half = at_every_step(logs, found.grid, horizon)[:, :, found.knots - 1][:, :, None, :]
    inside = known & (found.residuals >= -half[0]) & (found.residuals <= half[1])
    start = pick(found.past.ages, found.offsets)[:, :, None]

    def share(total: Floats) -> Floats:
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    return {
        "last": np.where(found.past.empty, np.nan, found.past.centre),
        "n": found.past.seen.sum(axis=1),
        "origins": known.any(axis=2).sum(axis=1),
        "error": share(np.where(known, np.abs(found.residuals), 0.0).sum(axis=(1, 2))) * found.past.scale,
        "naive_error": share(np.where(known, np.abs(found.actual - start), 0.0).sum(axis=(1, 2))) * found.past.scale,
        "covered": share(inside.sum(axis=(1, 2))),
    }
