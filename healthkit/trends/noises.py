"""The noises a server's series may have: AR(1), part of it white, and how likely each is before looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# phi of the AR(1) part for each share of the variance that is white; 0.995 stands for the random walk
_GRID = {
    0.0: (0.0, 0.25, 0.5, 0.7, 0.83, 0.91, 0.96, 0.995),
    0.3: (0.7, 0.9, 0.98),
    0.6: (0.8, 0.95),
    0.85: (0.9, 0.97),
}
# Weights before the data, chosen so that the test keeps its level from 14 values on (docs/trend-benchmark.md): more for
# no correlation at all, or short series would find none of their trends; more for the random walk, which looks most like one.
_WHITE_ALONE = 8.0
_RANDOM_WALK = 3.0
_PART_WHITE = 0.8
# Below this many values correlation is hard to see, and strong correlation is given more weight; nor can white noise on
# top of strong correlation be told from weak correlation, and it is left out.
FEW = 45
_PERSISTENT_FEW = 0.1
_PERSISTENT_MANY = -0.1


@dataclass(frozen=True)
class Noises:
    """A grid of noises of variance 1: AR(1) with coefficient `phi`, plus white noise."""

    phi: Floats
    """Correlation of neighbouring steps of the AR(1) part, (g,)."""
    white: Floats
    """Share of the variance that is white, 0 to 1, (g,)."""
    few: Floats
    """Logarithm of the weight of each noise before the data are seen, where there are fewer than 45 values, (g,)."""
    many: Floats
    """The same where there are more, (g,)."""

    def prior(self, measured: NDArray[np.bool_]) -> Floats:
        """Log weight of each noise for each series (c, n) before its values are seen, (c, g)."""
        return np.where(measured.sum(axis=1)[:, None] < FEW, self.few, self.many)


def noises() -> Noises:
    """The grid that `trend_many` averages over."""
    phi = np.concatenate([np.asarray(values) for values in _GRID.values()])
    white = np.repeat(list(_GRID), [len(values) for values in _GRID.values()])
    width = np.concatenate([np.gradient(np.asarray(values)) for values in _GRID.values()])
    belief = width * np.where(white > 0, _PART_WHITE, 1.0)
    belief[phi == 0] *= _WHITE_ALONE
    belief[phi > 0.99] *= _RANDOM_WALK
    distance = 1 - np.minimum(phi, 0.985)
    few = np.where(white > 0, 0.0, belief * distance**-_PERSISTENT_FEW)
    many = belief * distance**-_PERSISTENT_MANY
    with np.errstate(divide="ignore"):
        return Noises(phi, white, np.log(few / few.sum()), np.log(many / many.sum()))
