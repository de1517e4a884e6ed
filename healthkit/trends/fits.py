"""Lines through correlated, gappy series: generalised least squares under every noise of a grid at once.

The two numbers of the noise are never estimated: each fit is made under each noise of the grid, and whoever reads the
fits averages over the grid by how well each noise explains the series (its restricted likelihood).

Sources:
    Kalman filter with missing values: Durbin and Koopman (2012), Time Series Analysis by State Space Methods, ch. 4.
    Restricted likelihood: Harville (1974), Biometrika 61, 383-385.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from healthkit.trends.noises import Floats, Noises

    Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Whitening:
    """What makes the noise of c series white: the Kalman filter of g noises over each series' own gaps."""

    precision: Floats
    """One over the standard deviation of what is new at each step, 0 where nothing was measured, (n, c, g)."""
    memory: Floats
    """How much of an error in the forecast of a step survives into the next, (n, c, g)."""
    log_det: Floats
    """Log-determinant of the covariance of what was measured, (c, g)."""


@dataclass(frozen=True)
class Fit:
    """Least squares of c series under g noises on p columns, the line last."""

    white: Floats
    """The columns and, last, the values, made white: (n, c, g, p + 1)."""
    root: Floats
    """Lower Cholesky factor of their cross products, (c, g, p + 1, p + 1)."""
    log_weight: Floats
    """Log of the share of each noise after the data are seen, up to a constant: prior and restricted likelihood, (c, g)."""
    freedom: Floats
    """Degrees of freedom left for the variance, at least 1, (c,)."""

    def coefficient(self, column: int) -> tuple[Floats, Floats]:
        """One column's coefficient and its standard error under each noise, both (c, g)."""
        inverse = np.linalg.inv(self.root[..., :-1, :-1])[..., column]
        value = np.einsum("cgk,cgk->cg", inverse, self.root[..., -1, :-1])
        error = np.sqrt(np.einsum("cgk,cgk->cg", inverse, inverse))
        return value, error * self.root[..., -1, -1] / np.sqrt(self.freedom[:, None])

    def slope(self) -> tuple[Floats, Floats]:
        """The last column's coefficient and standard error, without inverting anything."""
        diagonal = self.root[..., -2, -2]
        error = self.root[..., -1, -1] / diagonal / np.sqrt(self.freedom[:, None])
        return self.root[..., -1, -2] / diagonal, error


def whiten(measured: Mask, noises: Noises) -> Whitening:
    """Kalman filter of each noise over each series' gaps.

    Args:
        measured: Where each of c series has a value, (c, n).
        noises: The grid of g noises.
    """
    phi, white = noises.phi, noises.white
    c, n = measured.shape
    precision = np.empty((n, c, phi.size))
    memory = np.empty((n, c, phi.size))
    log_det = np.zeros((c, phi.size))
    fresh = (1 - white) * (1 - phi**2)
    state = np.broadcast_to(1 - white, (c, phi.size))
    for t in range(n):
        here = measured[:, t, None]
        total = state + white
        gain = here * state / total
        precision[t] = here / np.sqrt(total)
        memory[t] = phi * (1 - gain)
        log_det += here * np.log(total)
        state = phi * memory[t] * state + fresh
    return Whitening(precision, memory, log_det)


def innovations(columns: Floats, whitening: Whitening, phi: Floats) -> Floats:
    """The columns with all that is foreseeable taken out, in standard deviations; 0 where nothing was measured.

    Args:
        columns: (c, n, k), finite everywhere (any number where nothing was measured).
        whitening: Of the same c series.
        phi: AR(1) coefficient of each noise, (g,).

    Returns:
        (n, c, g, k).
    """
    c, n, k = columns.shape
    out = np.empty((n, c, phi.size, k))
    foreseen = np.zeros((c, phi.size, k))
    for t in range(n):
        value = columns[:, t, None, :]
        memory = whitening.memory[t][..., None]
        np.multiply(value - foreseen, whitening.precision[t][..., None], out=out[t])
        # phi * (foreseen + gain * (value - foreseen)), where phi * gain is phi - memory
        foreseen *= memory
        foreseen += (phi[:, None] - memory) * value
    return out


def fit(columns: Floats, values: Floats, measured: Mask, noises: Noises, whitening: Whitening) -> Fit:
    """Generalised least squares of each series on its columns under every noise.

    Args:
        columns: (c, n, p). A column that is 0 wherever its series was measured counts as absent.
        values: (c, n), finite everywhere, of the order of 1.
        measured: (c, n).
        noises: The grid.
        whitening: `whiten(measured, noises)`.
    """
    p = columns.shape[2]
    white = innovations(np.concatenate([columns, values[..., None]], axis=2), whitening, noises.phi)
    stacked = white.transpose(1, 2, 0, 3)
    cross = stacked.swapaxes(-1, -2) @ stacked
    used = ((columns != 0) & measured[..., None]).any(axis=1)
    diagonal = np.arange(p + 1)
    # a hair of white noise, as whitening would leave it: a constant, or a line without noise, is a series too
    cross[..., p, p] += 1e-13 * (whitening.precision**2 * (1 + (noises.phi - whitening.memory) ** 2)).sum(axis=0)
    cross[..., diagonal, diagonal] *= 1 + 1e-14
    cross[..., diagonal[:p], diagonal[:p]] += ~used[:, None, :]
    root = np.linalg.cholesky(cross).astype(np.float64, copy=False)
    spread = np.log(root[..., diagonal, diagonal])
    freedom = np.maximum(measured.sum(axis=1) - used.sum(axis=1), 1).astype(float)
    likelihood: Floats = -whitening.log_det / 2 - spread[..., :p].sum(axis=-1) - freedom[:, None] * spread[..., p]
    return Fit(white, root, noises.prior(measured) + likelihood, freedom)
