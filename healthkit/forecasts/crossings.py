"""When a forecast reaches a limit.

The chance that a series has reached a limit k steps ahead is a logistic function of where the limit lies in the forecast
of that step: how many half-widths from the mean, from the upper end, how lopsided the interval is, and how wide against the
way to go, which tells a clean line from storage that jumps. That is more than the chance that it is above on that very
day, since jumps may have touched the limit before. The few constants are
trained by ``benchmarks/train_forecast.py``. The dates told are quantiles of this chance over the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats

WIDTH_IN_SD = 2.563
"""Width of a normal distribution's 80 % interval, in standard deviations."""
RIPPLE = 1.5
FEW_SEASONS = 8
FACTS = 7
ROWS = 4096


@dataclass(frozen=True, slots=True)
class Reaching:
    """Trained: the logistic, and the chances at which a limit counts as reached."""

    powers: Floats
    """(facts,)"""
    median: float
    """Chance at the step that is told."""
    early: float
    """Chance at the early end of the 80 % interval."""
    late: float
    """Chance at the late end."""


def facts(mean: Floats, lower: Floats, upper: Floats, limit: Floats, last: Floats) -> Floats:
    """(n, h, facts) where *limit* (n,) lies in the forecast (n, h) that starts from *last* (n,)."""
    bar = limit[:, None]
    # Where there is no width at all, a limit is reached or not: tiny widths make the logistic a step.
    least = 1e-9 * np.abs(bar) + 1e-6 * np.abs(bar - mean[:, :1]) + 1e-300
    sd = (upper - lower) / WIDTH_IN_SD + least
    above = upper - mean + 0.05 * (upper - lower) + least
    ahead = np.log(np.arange(1, mean.shape[1] + 1) / mean.shape[1])
    columns = (
        np.ones_like(mean),
        np.arcsinh((mean - bar) / sd),
        np.arcsinh((mean - bar) / above),
        np.broadcast_to(ahead, mean.shape),
        np.arcsinh((upper - bar) / sd),
        np.arcsinh((upper + lower - 2 * mean) / sd),
        np.log(sd / (np.abs(bar - last[:, None]) + least)),
    )
    return np.asarray(np.clip(np.stack(columns, axis=-1), -8.0, 8.0))


def ripple(mean: Floats, width: Floats, season: int) -> Floats:
    """(n, h) what repeats every *season* in the path *mean* (n, h), as far as it is not larger than the noise.

    A limit counts as reached when the level reaches it, not when the best weekday touches it: a season up to `RIPPLE`
    standard deviations of the noise high is noise. A larger one, such as a log that is rotated every week, is the thing
    itself. Where the horizon is only a few seasons long, its peaks are what is asked for. *width* (n, h): the 80 % interval.
    """
    n, h = mean.shape
    if season < 2 or h < FEW_SEASONS * season:
        return np.zeros_like(mean)
    total = np.cumsum(np.concatenate([np.zeros((n, 1)), mean], axis=1), axis=1)
    level = (total[:, season:] - total[:, :-season]) / season
    cycles = level.shape[1] // season
    rest = mean[:, season // 2 : season // 2 + cycles * season] - level[:, : cycles * season]
    profile = np.median(rest.reshape(n, cycles, season), axis=1)
    profile -= profile.mean(axis=1, keepdims=True)
    noise = width[:, : 2 * season].mean(axis=1) / WIDTH_IN_SD
    height = profile.max(axis=1) / (RIPPLE * noise + 1e-6 * np.abs(mean).max(axis=1) + 1e-300)
    profile /= (1 + np.minimum(height, 1e3) ** 4)[:, None]
    return np.asarray(profile[:, (np.arange(h) - season // 2) % season])


def chance(
    paths: tuple[Floats, Floats, Floats], limit: Floats, last: Floats, season: int, reaching: Reaching
) -> Floats:
    """(n, h) chance that *limit* (n,) has been reached by each step; 0 for an infinite limit.

    *paths* are the mean and the ends of the 80 % interval (n, h).
    """
    out = np.zeros_like(paths[0])
    for i in range(0, len(out), ROWS):
        part = slice(i, i + ROWS)
        mean, lower, upper = (path[part] for path in paths)
        finite = np.where(np.isfinite(limit[part]), limit[part], 0.0)
        wave = ripple(mean, upper - lower, season)
        known = facts(mean - wave, lower - wave, upper - wave, finite, last[part])
        score = np.einsum("nhf,f->nh", np.where(np.isfinite(known), known, 0.0), reaching.powers)
        by_then = 1 / (1 + np.exp(-np.clip(score, -50, 50)))
        hopeless = ~np.isfinite(limit[part]) | ~np.isfinite(mean[:, 0])
        out[part] = np.where(hopeless[:, None], 0.0, np.maximum.accumulate(by_then, axis=1))
    return out


def first_at(chances: Floats, enough: float) -> Floats:
    """(n,) the first step (1 = the next one) at which the chance (n, h) is *enough*; inf if at none."""
    reached = chances >= enough
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
