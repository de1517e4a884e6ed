"""How well nothing, a line, a step and both explain a series, under each noise.

Each is a marginal likelihood, in which the sizes of line and step are integrated out over what they may be. What a step may
be leaves out what is nearly none, because a slow line has small steps everywhere.

All steps of a series are tried in one backward pass: seen through the Kalman filter, a step that begins at t leaves
innovations that follow a recursion from t on, so that its products with every column, and with itself, are linear and
quadratic forms that can be carried backwards.

Source:
    Johnson and Rossell (2010), J. R. Statistical Society B 72, 143-170 (moment priors, which are 0 at no effect).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.trends.fits import Fit, Whitening
    from healthkit.trends.noises import Floats

LINES = (1.0, 2.0, 3.0, 4.0, 6.0)
"""Changes from end to end that lines are tried with, up or down, in standard deviations of the noise."""
# Standard deviation of the change that a line of any size makes, in the same.
_LINE_CHANGES = 4.0


@dataclass(frozen=True)
class Explanations:
    """Logarithms of marginal likelihoods of c series under g noises, with one constant a series left out."""

    still: Floats
    """Without a step: nothing, a line of each of `LINES`, a line of any size, (c, g, 2 + lines)."""
    step: Floats
    """A step that begins at each moment, (c, g, n)."""
    both: Floats
    """The same beside a line of any size, (c, g, n)."""


def explain(fit: Fit, whitening: Whitening, phi: Floats) -> Explanations:
    """Every explanation of each series.

    Args:
        fit: Least squares of c series; its last column is the line.
        whitening: What it was made with.
        phi: AR(1) coefficient of each of g noises.
    """
    products, length = _step_products(fit, whitening, phi)
    residual, along, line = (fit.root[..., -1, -1, None], fit.root[..., -1, -2, None], fit.root[..., -2, -2, None])
    freedom = fit.freedom[:, None, None] + 1
    # each noise's share as if no line had been fitted, without what is left over: that each explanation adds
    base = fit.log_weight[..., None] + np.log(line) + fit.freedom[:, None, None] * np.log(residual)
    # how much of the line is fitted, when large changes are unlikely; its column goes from -1 to 1
    unit = line / 2 / reach(whitening)[:, None, None]
    width = (_LINE_CHANGES * unit) ** 2
    kept = width / (1 + width)
    whole = residual**2 + along**2
    rest = whole - along**2 * kept
    season, beside = products[..., :-2], products[..., -2]
    square = length - np.einsum("cgtk,cgtk->cgt", season, season)
    meets = products[..., -1] * residual + beside * along
    any_line = base - np.log1p(width) / 2
    nothing = base - freedom / 2 * np.log(whole)
    lines = base + _of_lines(along * unit, unit**2, whole, freedom)
    return Explanations(
        still=np.concatenate([nothing, lines, any_line - freedom / 2 * np.log(rest)], axis=2),
        step=base + _of_step(meets, square, whole, freedom),
        both=any_line + _of_step(meets - beside * along * kept, square - beside**2 * kept, rest, freedom),
    )


def reach(whitening: Whitening) -> Floats:
    """Share of the steps from the first measured to the last, (c,)."""
    measured = whitening.precision[..., 0] > 0
    n = len(measured)
    span = n - 1 - measured.argmax(axis=0) - measured[::-1].argmax(axis=0)
    share: Floats = span / (n - 1)
    return share


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


def _of_lines(meets: Floats, square: Floats, whole: Floats, freedom: Floats) -> Floats:
    """What a line of each of `LINES`, up or down, makes of a likelihood, (c, g, lines).

    The spread of the noise is integrated out by Laplace's method, so that nothing at all has -freedom / 2 log(whole).

    Args:
        meets: Product of the values with the line that changes by 1, (c, g, 1).
        square: Product of that line with itself, (c, g, 1).
        whole: Sum of squares of the values, (c, g, 1).
        freedom: Degrees of freedom of that sum, (c, 1, 1).
    """
    rest = freedom - 1
    size = np.array([*LINES, *(-one for one in LINES)])
    pull = size * meets
    # most likely precision, the square root of one over the variance
    peak = (pull + np.sqrt(pull**2 + 4 * whole * rest)) / (2 * whole)
    height = rest * np.log(peak) - whole * peak**2 / 2 + pull * peak - np.log(whole + rest / peak**2) / 2
    height -= (rest * np.log(rest) - rest - np.log(2)) / 2 + size**2 * square / 2
    either: Floats = np.logaddexp(height[..., : len(LINES)], height[..., len(LINES) :]) - np.log(2)
    return either


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
