"""Intervals: how wide, from what the series' own backtest, its members and its steps say.

The half-width below (above) the mean k steps ahead is a learned function of scales: the backtest's errors near and far,
the members' disagreement at that step, how far the series itself moves in a step and in longer lags and how unevenly, the
predicted change, the room to a bound, the horizon against the history. A short history has no rolling origin that reaches
a long horizon, so how errors grow out there has to be learned from series that have. What is learned, from many series of
many kinds, is the interval that scores best while the coverage of every task and kind is what it says
(``benchmarks/forecast_widths.py``): narrow where a series is predictable, wide where it is not.

Sources: Koenker and Bassett (1978), Econometrica 46, 33-50; Bracher et al. (2021), PLOS Comput. Biol. 17, e1008618 (the
weighted interval score).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats, Ints


@dataclass(frozen=True, slots=True)
class Network:
    """Trained: standardised features, a direct linear part, and a few hidden units for what is not linear.

    The same network serves both sides and both levels: a series turned upside down has its interval turned too.
    """

    levels: tuple[int, ...]
    """Levels in %, one output each."""
    centre: Floats
    """(features,) mean of each feature in training."""
    spread: Floats
    """(features,) standard deviation of each."""
    hidden: Floats
    """(features, units)"""
    offset: Floats
    """(units,)"""
    out: Floats
    """(units, levels)"""
    direct: Floats
    """(features, levels)"""
    base: Floats
    """(levels,) log half-width at the mean of all features."""

    def log_half_widths(self, facts: Floats) -> Floats:
        """(2, n, n_steps, levels) from `scenes.features`; a wider level is never narrower."""
        standard = np.clip((facts - self.centre) / self.spread, -4.0, 4.0)
        units = np.tanh(standard @ self.hidden + self.offset)
        raw = units @ self.out + standard @ self.direct + self.base
        return np.asarray(np.maximum.accumulate(np.clip(raw, -30.0, 30.0), axis=3))


def at_every_step(on_grid: Floats, grid: Ints, horizon: int) -> Floats:
    """(..., horizon) half-widths from their logarithms (..., n_grid) at the steps of *grid*."""
    steps = np.arange(1, horizon + 1)
    right = np.clip(np.searchsorted(grid, steps), 1, max(len(grid) - 1, 1))
    right = np.minimum(right, len(grid) - 1)
    left = np.maximum(right - 1, 0)
    share = (steps - grid[left]) / np.maximum(grid[right] - grid[left], 1)
    return np.asarray(np.exp(on_grid[..., left] * (1 - share) + on_grid[..., right] * share))
