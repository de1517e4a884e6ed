"""When a forecast reaches a limit.

The chance that a series has reached a limit k steps ahead is a logistic function of where the limit lies in the forecast
of that step: how many half-widths from the mean, from the upper end, and how lopsided the interval is. That is more than
the chance that it is above on that very day, since noise and jumps may have touched the limit before. The few constants are
trained by ``benchmarks/train_forecast.py``. The dates told are quantiles of this chance over the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats

WIDTH_IN_SD = {80: 2.563, 95: 3.920}
"""Width of a normal distribution's interval, in standard deviations."""
FACTS = 6
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


def facts(mean: Floats, lower: Floats, upper: Floats, limit: Floats, level: int) -> Floats:
    """(n, h, facts) where *limit* (n,) lies in the forecast (n, h), the interval being of *level* per cent."""
    bar = limit[:, None]
    # Where there is no width at all, a limit is reached or not: tiny widths make the logistic a step.
    least = 1e-9 * np.abs(bar) + 1e-6 * np.abs(bar - mean[:, :1]) + 1e-300
    sd = (upper - lower) / WIDTH_IN_SD[level] + least
    above = upper - mean + 0.05 * (upper - lower) + least
    ahead = np.log(np.arange(1, mean.shape[1] + 1) / mean.shape[1])
    columns = (
        np.ones_like(mean),
        np.arcsinh((mean - bar) / sd),
        np.arcsinh((mean - bar) / above),
        np.broadcast_to(ahead, mean.shape),
        np.arcsinh((upper - bar) / sd),
        np.arcsinh((upper + lower - 2 * mean) / sd),
    )
    return np.asarray(np.clip(np.stack(columns, axis=-1), -8.0, 8.0))


def chance(mean: Floats, lower: Floats, upper: Floats, limit: Floats, *, level: int, reaching: Reaching) -> Floats:
    """(n, h) chance that *limit* (n,) has been reached by each step; 0 for an infinite limit."""
    out = np.zeros_like(mean)
    for i in range(0, len(mean), ROWS):
        part = slice(i, i + ROWS)
        finite = np.where(np.isfinite(limit[part]), limit[part], 0.0)
        known = facts(mean[part], lower[part], upper[part], finite, level)
        score = np.einsum("nhf,f->nh", np.where(np.isfinite(known), known, 0.0), reaching.powers)
        by_then = 1 / (1 + np.exp(-np.clip(score, -50, 50)))
        hopeless = ~np.isfinite(limit[part]) | ~np.isfinite(mean[part, 0])
        out[part] = np.where(hopeless[:, None], 0.0, np.maximum.accumulate(by_then, axis=1))
    return out


def first_at(chances: Floats, enough: float) -> Floats:
    """(n,) the first step (1 = the next one) at which the chance (n, h) is *enough*; inf if at none."""
    reached = chances >= enough
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
