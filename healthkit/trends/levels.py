"""How far the level of series moved from some of their days to others, against what their noise does by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from healthkit.errors import ParameterError
from healthkit.series import check_table
from healthkit.trends.batches import FREEDOM, check_options, scale
from healthkit.trends.fits import fit, whiten
from healthkit.trends.mixtures import mixture
from healthkit.trends.noises import Prior, noises
from healthkit.trends.spikes import spikes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from healthkit.trends.fits import Mask
    from healthkit.trends.noises import Floats

WEEK = 7
NEEDED_DAYS = 3
"""Days that must be measured in each of the two periods."""
_CHUNK = 256
# Chosen by hand on simulated minutes, to call about one unchanged week in twenty changed; the benchmark page shows what
# came of it, four weeks of the most persistent minutes being a little over. Four weeks hold too little to tell independent
# days from days that correlate by a half: where the latter are called changed seldom enough, the interval of the former is
# a third wider than if that were known.
_PRIOR = Prior(white_alone=5.0, random_walk=1.0, part_white=1.0, persistent_few=0.0, persistent_many=0.1)
_SAFE = 0.75


@dataclass(frozen=True)
class ChangeBatch:
    """Changes of many series; NaN, and not changed, where there are too few days."""

    before: Floats
    """Mean of the days in the earlier period, weekdays alike, (n_series,)."""
    difference: Floats
    """Later minus earlier, (n_series,)."""
    lower: Floats
    """Lower end of its interval, (n_series,)."""
    upper: Floats
    """Upper end of its interval, (n_series,)."""
    p_value: Floats
    """Two-sided, (n_series,)."""
    changed: Mask
    """p-value below alpha, (n_series,)."""
    n: NDArray[np.intp]
    """Days measured in the two periods, (n_series,)."""


def change_many(
    values: ArrayLike, *, before: ArrayLike, after: ArrayLike, season: int = WEEK, alpha: float = 0.05
) -> ChangeBatch:
    """Change of each series' level from the steps *before* to the steps *after*, with its interval.

    Generalised least squares on the steps of the season, a level of its own for each of the two periods and one for the
    rest, under the noises of `healthkit.trends.trend_many`. Values of the rest that stand alone are set aside.

    Args:
        values: (n_series, n_days), NaN = not measured.
        before: Which days are of the earlier period, (n_days,) of bool.
        after: Which days are of the later period, (n_days,) of bool.
        season: Days of the cycle.
        alpha: The interval is of 1 - alpha.

    Raises:
        BadSeries: Not two-dimensional numbers, or infinite.
        ParameterError: Masks of the wrong length or that overlap; alpha out of range.
    """
    rows = check_table(values)
    check_options(season=season, alpha=alpha)
    early, late = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if early.shape != rows.shape[1:] or late.shape != rows.shape[1:] or (early & late).any():
        raise ParameterError("before and after must each name days of the values, and none twice")
    parts = [
        _chunk(rows[start : start + _CHUNK], early, late, season=season, alpha=alpha)
        for start in range(0, max(1, len(rows)), _CHUNK)
    ]
    return ChangeBatch(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _chunk(rows: Floats, early: Mask, late: Mask, *, season: int, alpha: float) -> dict[str, NDArray[Any]]:
    rest = ~(early | late)
    kept = np.where(spikes(rows, season=season) & rest, np.nan, rows) if rows.shape[1] else rows
    measured = np.isfinite(kept)
    n_early, n_late = measured[:, early].sum(axis=1), measured[:, late].sum(axis=1)
    out: dict[str, NDArray[Any]] = {
        name: np.full(len(rows), np.nan) for name in ("before", "difference", "lower", "upper", "p_value")
    }
    columns = _columns(measured, early, late, season)
    used = ((columns != 0) & measured[..., None]).any(axis=1).sum(axis=1)
    able = np.flatnonzero((np.minimum(n_early, n_late) >= NEEDED_DAYS) & (measured.sum(axis=1) - used >= FREEDOM))
    if able.size:
        scaled, unit = scale(kept[able])
        grid = noises(_PRIOR)
        fitted = fit(columns[able], scaled, measured[able], grid, whiten(measured[able], grid))
        mixed = mixture(fitted.log_weight, *fitted.slope(), fitted.freedom[:, None])
        out["before"][able] = np.nanmean(kept[able][:, early], axis=1)
        out["difference"][able] = mixed.mean * unit
        out["lower"][able] = mixed.quantile(_SAFE * alpha / 2) * unit
        out["upper"][able] = mixed.quantile(1 - _SAFE * alpha / 2) * unit
        out["p_value"][able] = np.minimum(1.0, mixed.p_value() / _SAFE)
    return {**out, "changed": out["p_value"] < alpha, "n": n_early + n_late}


def _columns(measured: Mask, early: Mask, late: Mask, season: int) -> Floats:
    """Season, both periods, and last the later one, (c, n, season + 2)."""
    c, n = measured.shape
    cycle = np.arange(n)[:, None] % season == np.arange(season)
    both = early | late
    # without other days the level of the two periods is that of the season
    others: Mask = np.any(measured & ~both, axis=1)
    return np.concatenate(
        [
            np.broadcast_to(cycle, (c, n, season)),
            (both & others[:, None])[..., None],
            np.broadcast_to(late[:, None], (c, n, 1)),
        ],
        axis=2,
        dtype=np.float64,
    )
