"""The combination: members weighted by how they did from rolling origins of the same series.

The weights are a softmax over members of ``prior + sum_i power_i * -log(error_i)``, the errors being the member's mean
absolute backtest error over all steps, over the newest origins, over far and over near steps. The few constants (a prior
per member, four powers) are trained by ``benchmarks/train_forecast.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from healthkit.forecasts.histories import Floats


@dataclass(frozen=True, slots=True)
class Backtest:
    """Every member's errors from the rolling origins of each series, in scaled units."""

    paths: Floats
    """(n, origins, members, knots)"""
    actual: Floats
    """(n, origins, knots), NaN = not known"""


def evidence(backtest: Backtest) -> Floats:
    """(n, members, 4) minus log of the mean absolute error: all, newest origins, far steps, near steps."""
    known = np.isfinite(backtest.actual)
    size = np.abs(backtest.paths - np.where(known, backtest.actual, 0.0)[:, :, None, :])
    knots = known.shape[2]
    half, near = knots // 2, max(2, knots // 4)
    out = np.zeros((len(size), size.shape[2], 4))
    views = (
        (slice(None), slice(None)),
        (slice(0, 3), slice(None)),
        (slice(None), slice(half, None)),
        (slice(None), slice(0, near)),
    )
    whole = np.zeros(out.shape[:2])
    for i, (at_origin, at_knot) in enumerate(views):
        weight = known[:, at_origin, at_knot].astype(float)
        total = weight.sum(axis=(1, 2))
        error = np.einsum("nomk,nok->nm", size[:, at_origin, :, at_knot], weight) / np.maximum(total, 1)[:, None]
        if i == 0:
            whole = error
            floor = 1e-5 + 0.1 * whole.min(axis=1, keepdims=True)
        out[:, :, i] = -np.log(np.where(total[:, None] > 0, error, whole) + floor)
    return out


def weights(facts: Floats, prior: Floats, powers: Floats) -> Floats:
    """(n, members) non-negative, summing to one, from the *facts* of `evidence`."""
    score = prior + np.einsum("nmf,f->nm", facts, powers)
    score = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(score / score.sum(axis=1, keepdims=True))
