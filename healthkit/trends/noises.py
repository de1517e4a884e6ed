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
# Below this many values correlation is hard to see; nor can white noise on top of strong correlation be told from weak
# correlation, and it is left out.
FEW = 45


@dataclass(frozen=True)
class Prior:
    """How likely each noise is before the data: chosen by simulation so that claims keep their level.

    Without it a short series would find none of its trends, or one that wanders many it does not have.
    """

    white_alone: float
    """Factor for no correlation at all."""
    random_walk: float
    """Factor for the most persistent noise, which looks most like a trend."""
    part_white: float
    """Factor for noise of which a part is white."""
    persistent_few: float
    """Exponent of 1 / (1 - phi) where there are fewer than 45 values."""
    persistent_many: float
    """The same where there are more."""


TREND = Prior(white_alone=8.0, random_walk=3.0, part_white=0.8, persistent_few=0.1, persistent_many=-0.1)
"""Prior of trends: docs/trend-benchmark.md shows what it achieves."""


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


def noises(prior: Prior = TREND) -> Noises:
    """The grid that results are averaged over."""
    phi = np.concatenate([np.asarray(values) for values in _GRID.values()])
    white = np.repeat(list(_GRID), [len(values) for values in _GRID.values()])
    belief = np.concatenate([np.gradient(np.asarray(values)) for values in _GRID.values()])
    belief[white > 0] *= prior.part_white
    belief[phi == 0] *= prior.white_alone
    belief[phi > 0.99] *= prior.random_walk
    distance = 1 - np.minimum(phi, 0.985)
    few = np.where(white > 0, 0.0, belief * distance**-prior.persistent_few)
    many = belief * distance**-prior.persistent_many
    with np.errstate(divide="ignore"):
        return Noises(phi, white, np.log(few / few.sum()), np.log(many / many.sum()))
