"""Where a series steps to another level, weighed against a line under every noise at once.

Four explanations compete: nothing, a line, a step, and both (`explanations`); the noises are averaged over, and a step is
believed where it multiplies the odds enough.

A step must not be told more often than promised in any noise, nor beside any line. So noises and lines without a step are
weighed not by how often they occur but by how easily they are taken for a step: nearly the least favourable prior, which
simulations have found (`odds`).

Sources:
    Kass and Raftery (1995), JASA 90, 773-795 (Bayes factors).
    Lehmann and Romano (2005), Testing Statistical Hypotheses, 3.8 (least favourable distributions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from healthkit.trends.constants import ODDS
from healthkit.trends.explanations import explain, reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from healthkit.trends.fits import Fit, Mask, Whitening
    from healthkit.trends.noises import Floats, Noises

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


def scan(fit: Fit, whitening: Whitening, noises: Noises, allowed: Mask) -> Scan:
    """The best step of each series.

    Args:
        fit: Least squares of c series; its last column is the line.
        whitening: What it was made with.
        noises: The grid.
        allowed: Where a step may begin, (c, n).
    """
    known = explain(fit, whitening, noises.phi)
    beside = ODDS.beside(noises)[:, None]
    step = log_sum(known.step + beside)
    at, odds = most_likely(np.where(allowed, np.logaddexp(step, log_sum(known.both + beside) + ODDS.both), -np.inf))
    against = (known.still + ODDS.without(noises)).reshape(len(at), -1)
    margin = odds - log_sum(against[..., None])[:, 0] - ODDS.asked(1 + reach(whitening) * (len(fit.white) - 1))
    nothing, line = log_sum(known.still + beside)[:, [0, -1]].T[..., None]
    rivals = np.any(allowed & (step - nothing > _RIVAL) & (step - line - ODDS.line > _TELLS_APART), axis=1)
    return Scan(at, margin, rivals)


def most_likely(odds: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Where most of the odds lie within three values, a better guess than the single best moment, and how much; (c,)."""
    height = odds.max(axis=1, keepdims=True)
    blurred = _blurred(odds, height)
    with np.errstate(divide="ignore"):
        return blurred.argmax(axis=1), np.log(blurred.max(axis=1)) + height[:, 0]


def around(odds: Floats, at: NDArray[np.intp]) -> Floats:
    """How much of the odds lies within three values of the moments *at*, as `most_likely` sees it, (c,)."""
    height = odds.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        near: Floats = np.log(_blurred(odds, height)[np.arange(len(at)), at]) + height[:, 0]
    return near


def _blurred(odds: Floats, height: Floats) -> Floats:
    n = odds.shape[1]
    share = np.exp(odds - np.where(np.isfinite(height), height, 0.0))
    near = np.pad(share, ((0, 0), (3, 3)))
    # nearly flat: the slight peak puts a step that is sharp on its own moment
    blurred: Floats = np.sum([w * near[:, k : k + n] for k, w in enumerate((6, 6.5, 7, 7.5, 7, 6.5, 6))], axis=0) / 7
    return blurred


def may_begin(measured: Mask, taken: NDArray[np.intp]) -> Mask:
    """Where a step may begin: on a measured value, five values from both ends and from the steps already taken, (c, n)."""
    rank = np.cumsum(measured, axis=1) - 1
    total = measured.sum(axis=1)[:, None]
    allowed: Mask = measured & (rank >= LASTS) & (total - rank >= LASTS)
    for at in taken.T:
        allowed &= np.abs(rank - np.take_along_axis(rank, at[:, None], axis=1)) >= LASTS
    return allowed


def log_sum(logs: Floats) -> Floats:
    """Logarithm of the sum over the noises, (c, g, n) to (c, n); a tenth of the time of logaddexp.reduce."""
    top = logs.max(axis=1)
    total: Floats = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return total
