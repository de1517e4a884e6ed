"""Scores of forecasts, one number per window and metric, and what may be said of their averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
LIMITS_PERCENT = (50, 60, 70, 80, 85, 90, 95, 100)
SHARES_OF_GROWTH = (0.25, 0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Scores:
    """Per window (n,), NaN where a window cannot be scored."""

    mae: Floats
    naive_mae: Floats
    mase: Floats
    wis: Floats
    inside80: Floats
    """Share of future values inside the 80 % interval."""
    inside95: Floats
    inside80_far: Floats
    """Share of the values of the last third of the horizon inside the 80 % interval: the mean over the horizon hides it."""


def last_seen(history: Floats) -> Floats:
    """(n,) last measured value of each row."""
    seen = np.isfinite(history)
    return np.take_along_axis(history, (history.shape[1] - 1 - seen[:, ::-1].argmax(1))[:, None], 1)[:, 0]


def score(history: Floats, future: Floats, paths: Floats, season: int) -> Scores:
    """Scores of *paths* (n, 5, h): mean, lower 80, upper 80, lower 95, upper 95.

    WIS: Bracher et al. (2021), PLOS Comput. Biol. 17, e1008618, over the median and the two intervals. MASE: Hyndman and
    Koehler (2006), Int. J. Forecasting 22, 679-688, scaled by the seasonal naive error within the history.
    """
    known = np.isfinite(future)
    truth = np.where(known, future, 0.0)

    def mean(x: Floats, counted: Floats = known) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.where(counted, x, 0.0).sum(1) / counted.sum(1)

    horizon = future.shape[1]
    far = known & (np.arange(horizon) >= horizon - max(horizon // 3, 1))

    error = np.abs(truth - paths[:, 0])
    total, inside = 0.5 * error, []
    edge = 1e-9 * np.nanmax(np.abs(history), axis=1)[:, None]
    for i, alpha in ((1, 0.2), (3, 0.05)):
        low, high = paths[:, i], paths[:, i + 1]
        total = total + alpha / 2 * (high - low) + np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        within = (truth >= low - edge) & (truth <= high + edge)
        inside += [mean(within), mean(within, far)]
    with np.errstate(invalid="ignore", divide="ignore"):
        seasonal = np.nanmean(np.abs(history[:, season:] - history[:, :-season]), axis=1)
        mase = np.where(seasonal > 0, mean(error) / seasonal, np.nan)
    naive = mean(np.abs(truth - last_seen(history)[:, None]))
    return Scores(mean(error), naive, mase, mean(total) / 2.5, inside[0], inside[2], inside[1])


def geometric(ours: Floats, theirs: Floats, least: float = 1e-3) -> float:
    """Geometric mean of ours / theirs over the windows where theirs is not zero; a ratio counts as *least* at best."""
    usable = (theirs > 0) & np.isfinite(ours)
    return float(np.exp(np.mean(np.log(np.maximum(ours[usable] / theirs[usable], least)))))


def clustered(values: Floats, cluster: Sequence[str]) -> tuple[float, float]:
    """Mean of *values* and its standard error when windows of one cluster are not independent."""
    keep = np.isfinite(values)
    _, group = np.unique(np.asarray(cluster)[keep], return_inverse=True)
    away = values[keep] - values[keep].mean()
    sums = np.bincount(group, weights=away)
    groups = len(sums)
    return float(values[keep].mean()), float(np.sqrt((sums**2).sum() * groups / max(groups - 1, 1)) / keep.sum())


def bootstrap_ratio(
    ours: Floats, theirs: Floats, naive: Floats, cluster: Sequence[str], draws: int = 500
) -> tuple[float, float, float]:
    """Ratio of our `geometric` to theirs, both against *naive*, and its 95 % interval.

    Clusters are drawn with replacement, both methods on the same draw: what is common to them cancels.
    """
    usable = (naive > 0) & np.isfinite(ours) & np.isfinite(theirs)
    logs = [np.log(np.maximum(mae[usable] / naive[usable], 1e-3)) for mae in (ours, theirs)]
    _, group = np.unique(np.asarray(cluster)[usable], return_inverse=True)
    sums, counts = np.bincount(group, weights=logs[0] - logs[1]), np.bincount(group)
    pick = np.random.default_rng(0).integers(0, len(sums), (draws, len(sums)))
    low, high = np.quantile(sums[pick].sum(1) / counts[pick].sum(1), [0.025, 0.975])
    return float(np.exp(sums.sum() / counts.sum())), float(np.exp(low)), float(np.exp(high))


def limits(history: Floats, *, percent: bool) -> Floats:
    """(n, k) levels to watch, NaN = none: the next round percentage, or shares of the last 180 days' growth."""
    last = last_seen(history)
    if percent:
        steps = np.array(LIMITS_PERCENT, dtype=float)
        above = np.where(steps > last[:, None], steps, np.inf).min(1)
        return np.where(np.isfinite(above), above, np.nan)[:, None]
    growth = last - history[:, max(history.shape[1] - 181, 0)]
    return np.where(growth[:, None] > 0, last[:, None] + np.array(SHARES_OF_GROWTH) * growth[:, None], np.nan)


def crossing(path: Floats, level: Floats) -> Floats:
    """First step at which *path* (n, h) is at *level* (n,); inf if none."""
    reached = path >= level[:, None] * (1 - 1e-12)
    return np.where(reached.any(1), reached.argmax(1) + 1.0, np.inf)


def crossing_scores(truth: Floats, median: Floats, low: Floats, high: Floats, horizon: int) -> dict[str, float]:
    """Mean error in steps, F1 of "will cross", coverage of the 80 % interval among those that cross."""
    error = np.abs(np.minimum(truth, horizon + 1) - np.minimum(median, horizon + 1)).mean()
    happens, said = np.isfinite(truth), np.isfinite(median)
    hits = (happens & said).sum()
    inside = ((low <= truth) & (truth <= high))[happens]
    return {
        "error": float(error),
        "f1": float(2 * hits / max(happens.sum() + said.sum(), 1)),
        "covered": float(inside.mean()) if len(inside) else float("nan"),
        "n": float(len(truth)),
    }
