"""When a forecast reaches a limit."""

from __future__ import annotations

import numpy as np

from healthkit.forecasts.histories import Floats


def first_reached(path: Floats, limit: Floats) -> Floats:
    """(n,) the first step (1 = the next one) at which *path* (n, h) is at or above *limit* (n,); inf if none is."""
    reached = path >= limit[:, None]
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
