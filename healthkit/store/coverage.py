"""How much of a day was really watched.

A sample vouches for the time until the next one, but for no more than 1.5 times the usual distance (the median) and
never for more than an hour: a host that was down for six hours is not covered by the sample before. The last sample of a
day vouches for one usual distance. A lone sample has no usual distance and vouches for a minute.

So 60 samples one second apart cover 60 s, and 1440 samples a minute apart cover the day, wherever in the minute they lie.
"""

from __future__ import annotations

import numpy as np

DAY_MS = 86_400_000
LONGEST_MS = 3_600_000
LONE_MS = 60_000
TOLERANCE = 1.5


def coverage(ts: np.ndarray) -> np.ndarray:
    """Covered share of the day, 0 to 1, of each row of *ts* (k series, n sample times in ms, ascending, of one day)."""
    k, n = ts.shape
    if n == 0:
        return np.zeros(k)
    if n == 1:
        return np.full(k, LONE_MS / DAY_MS)
    gaps = np.diff(ts, axis=1)
    usual = np.median(gaps, axis=1)
    each = np.minimum(gaps, np.minimum(usual * TOLERANCE, LONGEST_MS)[:, None]).sum(axis=1)
    covered: np.ndarray = np.minimum((each + np.minimum(usual, LONGEST_MS)) / DAY_MS, 1.0)
    return covered
