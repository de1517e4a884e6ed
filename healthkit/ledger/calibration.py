"""How sure one can be of a coverage, and by how much the next intervals must change for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

NEEDED = 30
"""Scored forecasts below which the intervals stay as they are."""
_NARROWEST, _WIDEST = 2 / 3, 3.0


def coverage_interval(inside: Array, cluster: np.ndarray[Any, Any]) -> tuple[float, float]:
    """95 % interval of a share whose trials come in clusters.

    Wilson's interval for as many independent trials as the clusters are worth: the share's variance between clusters
    over what it would be for independent trials.

    Sources:
        Wilson (1927), JASA 22, 209-212; design effect: Korn and Graubard (1998), Survey Methodology 24, 193-201.
    """
    import numpy as np

    n = len(inside)
    if not n:
        return math.nan, math.nan
    sums = np.bincount(cluster, weights=inside - inside.mean())
    groups = len(sums)
    share = float((inside.sum() + 2) / (n + 4))
    spread = float((sums**2).sum()) / n**2 * groups / max(1, groups - 1)
    worth = min(float(n), share * (1 - share) / spread) if spread > 0 and groups > 1 else float(groups)
    z2 = 1.96**2
    middle = (inside.mean() + z2 / (2 * worth)) / (1 + z2 / worth)
    half = math.sqrt(z2 * (inside.mean() * (1 - inside.mean()) / worth + z2 / (4 * worth**2))) / (1 + z2 / worth)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def width_factor(stretch: Array, cluster: np.ndarray[Any, Any], *, level: float = 0.80) -> float:
    """By how much intervals must be widened for *level* of the past errors to lie inside.

    *stretch* is each error over the half-width that the interval had without any factor. The answer is its *level*
    quantile, as in split conformal prediction, and 1 while the coverage may still be *level* by chance. It is taken
    from the forecasts scored in the last year, so that it follows a drift; because it judges intervals as they were
    before widening, it does not chase its own effect, which forecasts of half a year would show only later.

    Sources:
        Gibbs and Candes (2021), NeurIPS 34, 1660-1672, eq. 2; Lei et al. (2018), JASA 113, 1094-1111.
    """
    import numpy as np

    if len(stretch) < NEEDED:
        return 1.0
    lower, upper = coverage_interval((stretch <= 1).astype(float), cluster)
    if lower <= level <= upper:
        return 1.0
    rank = min(len(stretch) - 1, math.ceil(level * (len(stretch) + 1)) - 1)
    return float(np.clip(np.sort(stretch)[rank], _NARROWEST, _WIDEST))
