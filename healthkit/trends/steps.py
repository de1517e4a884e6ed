"""Where a series steps to another level, weighed against a line under every noise at once.

Four explanations compete at every moment: nothing, a line, a step, and both. A step is believed when it adds enough to
the line, or when it alone explains enough and clearly more than a line alone.

All steps of a series are tried in one backward pass: seen through the Kalman filter, a step that begins at t leaves
innovations that follow a recursion from t on, so that its products with every column, and with itself, are linear and
quadratic forms that can be carried backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from healthkit.trends.fits import Fit, Mask, Whitening
    from healthkit.trends.noises import Floats

# Twice the log-likelihood ratio. Calibrated: 0.2 false steps per series-year (docs/trend-benchmark.md).
ADDS_TO_LINE = 12.0
BEATS_NOTHING = 12.0
BEATS_LINE = 10.0
# Under persistent noise one large innovation looks like a step, and more must be asked: this, times phi squared.
_PERSISTENCE = 4.0
# A step this close behind the line, or ahead of it, fits as well: which of the two it is cannot be told.
TELLS_APART = -6.0
# A level is what lasts: fewer values than this on one side of a step are a bump or the edge of the picture.
LASTS = 5


@dataclass(frozen=True)
class Scan:
    """The best step of each of c series."""

    at: NDArray[np.intp]
    """Index of the first value of the new level, (c,)."""
    margin: Floats
    """By how much it passes what is asked of a step, as twice a log-likelihood ratio; below 0 it does not, (c,)."""
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
    doubt = _PERSISTENCE / 2 * phi**2
    adds, alone, ahead = (np.where(allowed, score, -np.inf) for score in _scores(fit, products, length, doubt))
    margin = np.maximum(adds - ADDS_TO_LINE, np.minimum(alone - BEATS_NOTHING, ahead - BEATS_LINE))
    rivals = np.any((alone > BEATS_NOTHING) & (ahead > TELLS_APART), axis=1)
    return Scan(_most_likely(margin), margin.max(axis=1), rivals)


def _most_likely(margin: Floats) -> NDArray[np.intp]:
    """Where most of the likelihood lies within three values: a better guess than the single best moment, (c,)."""
    n = margin.shape[1]
    height = margin.max(axis=1, keepdims=True)
    share = np.exp((margin - np.where(np.isfinite(height), height, 0.0)) / 2)
    around = np.pad(share, ((0, 0), (3, 3)))
    # nearly flat: the slight peak puts a step that is sharp on its own moment
    blurred: Floats = np.sum([w * around[:, k : k + n] for k, w in enumerate((6, 6.5, 7, 7.5, 7, 6.5, 6))], axis=0)
    at: NDArray[np.intp] = np.argmax(blurred, axis=1)
    return at


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


def _scores(fit: Fit, products: Floats, length: Floats, doubt: Floats) -> tuple[Floats, Floats, Floats]:
    """Twice the log-likelihood ratios (c, n) of both : line, step : nothing, and step : line.

    Each likelihood is that of the best size, averaged over the noises; those with a step are less by the *doubt* (g,).
    """
    residual, line = fit.root[..., -1, -1, None], fit.root[..., -1, -2, None]
    half = fit.freedom[:, None, None] / 2
    season = products[..., :-2]
    without_line = length - np.einsum("cgtk,cgtk->cgt", season, season)
    beside_line = without_line - products[..., -2] ** 2
    tiny = 1e-9 * length + 1e-300
    both = products[..., -1] ** 2 / np.maximum(beside_line, tiny)
    whole = residual**2 + line**2
    step = (residual * products[..., -1] + line * products[..., -2]) ** 2 / np.maximum(without_line, tiny) / whole
    # weights as if no line had been fitted, so that the four explanations are compared on the same ground
    base = (fit.log_weight + np.log(fit.root[..., -2, -2]))[..., None]
    nothing = base - half * np.log(whole / residual**2)
    almost = 1 - 1e-12
    log_both = _log_sum(base - doubt[:, None] - half * np.log1p(-np.minimum(both, almost)))
    log_step = _log_sum(nothing - doubt[:, None] - half * np.log1p(-np.minimum(step, almost)))
    log_line = _log_sum(base)
    return 2 * (log_both - log_line), 2 * (log_step - _log_sum(nothing)), 2 * (log_step - log_line)


def _log_sum(logs: Floats) -> Floats:
    """Logarithm of the sum over the noises, (c, g, n) to (c, n); a tenth of the time of logaddexp.reduce."""
    top = logs.max(axis=1)
    total: Floats = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return total
