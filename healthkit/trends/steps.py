"""Where a series steps to another level, weighed against a line under every noise at once.

Four explanations compete: nothing, a line, a step, and both. Each is a marginal likelihood, in which the sizes of line and
step are integrated out over what they may be, and the noises averaged over; a step is believed where it multiplies the odds
enough. What a step may be leaves out what is nearly none, because a slow line has small steps everywhere.

All steps of a series are tried in one backward pass: seen through the Kalman filter, a step that begins at t leaves
innovations that follow a recursion from t on, so that its products with every column, and with itself, are linear and
quadratic forms that can be carried backwards.

Sources:
    Kass and Raftery (1995), JASA 90, 773-795 (Bayes factors).
    Johnson and Rossell (2010), J. R. Statistical Society B 72, 143-170 (moment priors, which are 0 at no effect).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from healthkit.trends.fits import Fit, Mask, Whitening
    from healthkit.trends.noises import Floats

# Logarithm of what the odds must be multiplied by. Calibrated: 0.2 false steps per series-year (docs/trend-benchmark.md).
_BELIEVED = 4.8
# Prior odds, as logarithms: of a line against none where there is no step, and where there is one.
_LINE, _LINE_BESIDE = 1.0, -2.0
# Standard deviation of the change that a line makes from end to end, in standard deviations of the noise.
_LINE_CHANGES = 4.0
# A step this much more likely than nothing, and not much less than a line, fits as well: which it is cannot be told.
_RIVAL, _TELLS_APART = 4.0, -3.0
# A level is what lasts: fewer values than this on one side of a step are a bump or the edge of the picture.
LASTS = 5


@dataclass(frozen=True)
class Scan:
    """The best step of each of c series."""

    at: NDArray[np.intp]
    """Index of the first value of the new level, (c,)."""
    margin: Floats
    """Logarithm of by how much more than is asked of a step it multiplies the odds; below 0 it does not, (c,)."""
    rivals: Mask
    """Whether a step explains the series about as well as a line does, (c,)."""


def scan(fit: Fit, whitening: Whitening, phi: Floats, allowed: Mask) -> Scan:
    """The best step of each series.

    Args:
        fit: Least squares of c series; its last column is the line.
        whitening: What it was made with.
        phi: AR(1) coefficient of each noise.
        allowed: Where a step may begin, (c, n).
    """
    products, length = _step_products(fit, whitening, phi)
    nothing, line, step, both = _likelihoods(fit, products, length, _reach(whitening))
    odds = np.logaddexp(step, both + _LINE_BESIDE) - np.logaddexp(nothing, line + _LINE)
    rivals = np.any(allowed & (step - nothing > _RIVAL) & (step - line > _TELLS_APART), axis=1)
    at, odds = _most_likely(np.where(allowed, odds, -np.inf))
    return Scan(at, odds - _BELIEVED, rivals)


def _reach(whitening: Whitening) -> Floats:
    """Share of the steps from the first measured to the last, (c, 1, 1)."""
    measured = whitening.precision[..., 0] > 0
    n = len(measured)
    span = n - 1 - measured.argmax(axis=0) - measured[::-1].argmax(axis=0)
    reach: Floats = span[:, None, None] / (n - 1)
    return reach


def _most_likely(odds: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Where most of the odds lie within three values, a better guess than the single best moment, and how much; (c,)."""
    n = odds.shape[1]
    height = odds.max(axis=1, keepdims=True)
    share = np.exp(odds - np.where(np.isfinite(height), height, 0.0))
    around = np.pad(share, ((0, 0), (3, 3)))
    # nearly flat: the slight peak puts a step that is sharp on its own moment
    blurred = np.sum([w * around[:, k : k + n] for k, w in enumerate((6, 6.5, 7, 7.5, 7, 6.5, 6))], axis=0) / 7
    with np.errstate(divide="ignore"):
        return blurred.argmax(axis=1), np.log(blurred.max(axis=1)) + height[:, 0]


def may_begin(measured: Mask, taken: NDArray[np.intp]) -> Mask:
    """Where a step may begin: on a measured value, five values from both ends and from the steps already taken, (c, n)."""
    rank = np.cumsum(measured, axis=1) - 1
    total = measured.sum(axis=1)[:, None]
    allowed: Mask = measured & (rank >= LASTS) & (total - rank >= LASTS)
    for at in taken.T:
        allowed &= np.abs(rank - np.take_along_axis(rank, at[:, None], axis=1)) >= LASTS
    return allowed


def _step_products(fit: Fit, whitening: Whitening, phi: Floats) -> tuple[Floats, Floats]:
    """Products of the step from each t with each orthonormal column, (c, g, n, p + 1), and with itself, (c, g, n)."""
    n, c, g, k = fit.white.shape
    products = np.empty((n, c, g, k))
    length = np.empty((n, c, g))
    drift = 1 - phi
    # the error of the filter follows e[t+1] = drift + memory e[t] from e = 1 on: keep forms in e, read them at e = 1
    slope, level = np.zeros((2, c, g, k))
    square, linear, constant = np.zeros((3, c, g))
    for t in range(n - 1, -1, -1):
        memory, precision = whitening.memory[t], whitening.precision[t]
        constant += (linear + square * drift) * drift
        linear = (linear + 2 * square * drift) * memory
        square = square * memory**2 + precision**2
        length[t] = square + linear + constant
        level += slope * drift[:, None]
        slope *= memory[..., None]
        slope += fit.white[t] * precision[..., None]
        np.add(slope, level, out=products[t])
    orthonormal = products.transpose(1, 2, 0, 3) @ np.linalg.inv(fit.root).swapaxes(-1, -2)
    return orthonormal, length.transpose(1, 2, 0)


def _likelihoods(fit: Fit, products: Floats, length: Floats, reach: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Logarithms of the marginal likelihoods of nothing and a line, (c, 1), of a step from each t and of both, (c, n).

    *reach* is the share of the line that was measured.
    """
    residual, along, line = (fit.root[..., -1, -1, None], fit.root[..., -1, -2, None], fit.root[..., -2, -2, None])
    freedom = fit.freedom[:, None, None] + 1
    # each noise's share as if no line had been fitted, without what is left over: that each explanation adds
    base = fit.log_weight[..., None] + np.log(line) + fit.freedom[:, None, None] * np.log(residual)
    # how much of the line is fitted, when large changes are unlikely; its column goes from -1 to 1
    width = (line * _LINE_CHANGES / 2 / reach) ** 2
    kept = width / (1 + width)
    whole = residual**2 + along**2
    rest = whole - along**2 * kept
    season, beside = products[..., :-2], products[..., -2]
    square = length - np.einsum("cgtk,cgtk->cgt", season, season)
    meets = products[..., -1] * residual + beside * along
    one_line = base - np.log1p(width) / 2
    step = _of_step(meets, square, whole, freedom)
    both = _of_step(meets - beside * along * kept, square - beside**2 * kept, rest, freedom)
    return (
        _log_sum(base - freedom / 2 * np.log(whole)),
        _log_sum(one_line - freedom / 2 * np.log(rest)),
        _log_sum(base + step),
        _log_sum(one_line + both),
    )


def _of_step(meets: Floats, square: Floats, whole: Floats, freedom: Floats) -> Floats:
    """What a step of unknown size makes of a likelihood, (c, g, n).

    Its size, in standard deviations of the noise, is d with density d^4 exp(-d^2 / 2) up to a constant: most likely 2 up
    or down, and not near 0.

    Args:
        meets: Product of the step with the values.
        square: Product of the step with itself.
        whole: Sum of squares of the values without the step.
        freedom: Degrees of freedom of that sum.
    """
    precise = 1 + square
    rest = np.maximum(whole - meets**2 / precise, 1e-9 * whole)
    size = (meets / precise) ** 2 / (rest / freedom)
    moment = 3 / precise**2 + 6 * size / precise + size**2
    likelihood: Floats = np.log(moment / 3) - np.log(precise) / 2 - freedom / 2 * np.log(rest)
    return likelihood


def _log_sum(logs: Floats) -> Floats:
    """Logarithm of the sum over the noises, (c, g, n) to (c, n); a tenth of the time of logaddexp.reduce."""
    top = logs.max(axis=1)
    total: Floats = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return total
