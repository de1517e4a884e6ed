"""Trends of many series at once, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from healthkit.errors import ParameterError
from healthkit.series import check_table
from healthkit.trends.lines import MOST_SHIFTS, draw
from healthkit.trends.noises import noises
from healthkit.trends.results import TrendBatch
from healthkit.trends.spikes import spikes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from healthkit.trends.fits import Mask
    from healthkit.trends.lines import Lines
    from healthkit.trends.noises import Floats, Noises

NEEDED = 10
"""Values a series must have."""
FREEDOM = 3
"""Values it must have beyond those that constant, season and line take up."""
WANDERS = 0.94
"""Correlation from one step to the next from which noise is called wandering."""
# numbers held at once: a chunk of series times noises, steps and columns, about 16 MB an array
_CHUNK = 2_000_000


def trend_many(values: ArrayLike, *, season: int = 7, alpha: float = 0.05) -> TrendBatch:
    """Slope of each series per step, with its interval and p-value, jointly with season and level shifts.

    Generalised least squares on a constant, the steps of the season, a line and the level shifts found. The noise is
    AR(1), from 45 values on possibly with white noise on top; the slope's t distribution is averaged over a grid of
    such noises, weighted by restricted likelihood and prior. Where values are missing the time between the others
    counts. Values that stand alone are set aside. Each series is treated as if it were the only one.

    Args:
        values: (n_series, n_obs), equally spaced, oldest first, NaN = not measured.
        season: Steps of the cycle; 1 means none. Fewer than two cycles are too few to see one, and then none is fitted.
        alpha: The intervals are of 1 - alpha.

    Returns:
        A TrendBatch; NaN for series of fewer than ten values, or too few for the season to leave three degrees of
        freedom.

    Raises:
        BadSeries: Not a two-dimensional array of numbers, or infinite values.
        ParameterError: season or alpha out of range.

    Sources:
        Zellner (1971), An Introduction to Bayesian Inference in Econometrics, 4.1 (regression with AR(1) errors,
        the coefficient integrated out); Harville (1974), Biometrika 61, 383-385 (restricted likelihood).

    >>> import numpy as np
    >>> batch = trend_many(np.arange(60.0)[None] + np.random.default_rng(0).standard_normal((1, 60)))
    >>> bool(batch.lower[0] < 1 < batch.upper[0])
    True
    """
    rows = check_table(values)
    check_options(season=season, alpha=alpha)
    n = rows.shape[1]
    season = season if n >= 2 * season else 1
    grid = noises()
    chunk = max(1, _CHUNK // max(1, grid.phi.size * n * (season + 2)))
    parts = [_chunk(rows[start : start + chunk], season, alpha, grid) for start in range(0, max(1, len(rows)), chunk)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return TrendBatch(**joined, alpha=alpha)


def check_options(*, season: int, alpha: float) -> None:
    """Whether they are what they can be.

    Raises:
        ParameterError: They are not.
    """
    if not season >= 1 or season % 1:
        raise ParameterError(f"season is {season}, must be whole steps: 1 (none) or more")
    if not 0 < alpha < 1:
        raise ParameterError(f"alpha is {alpha}, must lie between 0 and 1")


def _empty(c: int) -> dict[str, NDArray[Any]]:
    one = {name: np.full(c, np.nan) for name in ("slope", "lower", "upper", "p_value", "persistence")}
    more = {name: np.full((c, MOST_SHIFTS), np.nan) for name in ("shift_size", "shift_lower", "shift_upper")}
    return {**one, **more, "ambiguous": np.zeros(c, dtype=bool), "shift_at": np.full((c, MOST_SHIFTS), -1)}


def _chunk(rows: Floats, season: int, alpha: float, grid: Noises) -> dict[str, NDArray[Any]]:
    out = _empty(len(rows))
    out["n"] = np.isfinite(rows).sum(axis=1)
    if rows.shape[1] < NEEDED:
        return out
    kept = np.where(spikes(rows, season=season), np.nan, rows)
    able = np.flatnonzero(_able(np.isfinite(kept), season))
    if able.size:
        measured = np.isfinite(kept[able])
        scaled, unit = scale(kept[able])
        for name, value in _results(draw(scaled, measured, grid, season=season), grid, alpha).items():
            out[name][able] = value
        for name in ("slope", "lower", "upper"):
            out[name][able] *= unit * 2 / (rows.shape[1] - 1)
        for name in ("shift_size", "shift_lower", "shift_upper"):
            out[name][able] *= unit[:, None]
    return out


def _able(measured: Mask, season: int) -> Mask:
    """Which series have values enough for constant, season and line to leave something over."""
    n = measured.sum(axis=1)
    phases = np.stack([measured[:, k::season].any(axis=1) for k in range(season)]).sum(axis=0)
    able: Mask = (n >= NEEDED) & (n - phases - 1 >= FREEDOM)
    return able


def scale(rows: Floats) -> tuple[Floats, Floats]:
    """Each series about 0 and in its own standard deviations, with 0 for NaN; the unit of a constant is 0."""
    # by the greatest value first: the square of 1e200 is no number
    peak = np.nanmax(np.abs(rows), axis=1)
    peak = np.where(peak > 0, peak, 1.0)
    centred = rows / peak[:, None]
    centred -= np.nanmean(centred, axis=1, keepdims=True)
    unit = np.sqrt(np.nanmean(centred**2, axis=1))
    # what is left of a constant after rounding is no signal
    unit = np.where(unit > 1e-14, unit, 0.0)
    return np.nan_to_num(centred / np.where(unit > 0, unit, np.inf)[:, None]), unit * peak


def _results(lines: Lines, grid: Noises, alpha: float) -> dict[str, NDArray[Any]]:
    c = len(lines.at)
    slope, lower, upper, p_value, persistence = np.empty((5, c))
    fits = lines.fits()
    for count in np.unique(fits):
        rows = np.flatnonzero(fits == count)
        mixed = lines.slopes(rows, count)
        slope[rows], p_value[rows] = mixed.mean, mixed.p_value()
        lower[rows], upper[rows] = mixed.quantile(alpha / 2), mixed.quantile(1 - alpha / 2)
        persistence[rows] = mixed.weight[:, np.tile(grid.phi >= WANDERS, count)].sum(axis=1)
    return {
        "slope": slope,
        "lower": lower,
        "upper": upper,
        "p_value": p_value,
        "persistence": persistence,
        "ambiguous": lines.rivals & (p_value < alpha),
        **_shifts(lines, alpha),
    }


def _shifts(lines: Lines, alpha: float) -> dict[str, NDArray[Any]]:
    sizes = np.full((3, *lines.at.shape), np.nan)
    for k in range(MOST_SHIFTS):
        rows = np.flatnonzero(lines.at[:, k] >= 0)
        if rows.size:
            steps = lines.sizes(rows, k)
            sizes[:, rows, k] = steps.mean, steps.quantile(alpha / 2), steps.quantile(1 - alpha / 2)
    order = np.argsort(np.where(lines.at < 0, np.iinfo(np.intp).max, lines.at), axis=1)
    size, lower, upper = np.take_along_axis(sizes, order[None], axis=2)
    at = np.take_along_axis(lines.at, order, axis=1)
    return {"shift_at": at, "shift_size": size, "shift_lower": lower, "shift_upper": upper}
