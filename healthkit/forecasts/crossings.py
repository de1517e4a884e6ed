"""When a forecast reaches a limit.

Storage grows in jumps: most days are quiet, and the middle of the forecast is below its average. The path whose crossing
is reported leans from the mean to the side on which the 80 % interval is longer; where the interval is even it is the
mean. The ends of the crossing's interval are the crossings of paths towards the ends of the forecast's interval. How
much it leans and how far out the ends lie is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats


def between(mean: Floats, lower: Floats, upper: Floats, where: float) -> Floats:
    """The path a share *where* of the way from *mean* to *upper* (to *lower* when negative)."""
    return mean + where * (upper - mean) if where >= 0 else mean + where * (mean - lower)


def leaning(mean: Floats, lower: Floats, upper: Floats, share: float) -> Floats:
    """*mean* moved by a *share* of the interval's lopsidedness."""
    return mean + share * ((upper - mean) - (mean - lower))


def first_reached(path: Floats, limit: Floats) -> Floats:
    """(n,) the first step (1 = the next one) at which *path* (n, h) is at or above *limit* (n,); inf if none is."""
    with np.errstate(invalid="ignore"):
        slack = 1e-9 * np.abs(path[:, :1] - limit[:, None])
        reached = path >= limit[:, None] - np.where(np.isfinite(slack), slack, 0.0)
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
