"""The combination: members weighted by how they did from rolling origins of the same series.

The weights are a softmax over members of ``prior + sum_i power_i * -log(error_i)``, the errors being the member's mean
absolute backtest error over all steps, over the newest origins, over far and over near steps. Prior and powers shift
with the kind of series: steppy storage trusts other members, and its backtest in another way, than noisy load. They are
trained by ``benchmarks/train_forecast.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from healthkit.forecasts.histories import Floats, Ints, moves

TRAINED = (1 / 6, 20.0)
"""Shortest and longest history against the horizon that the gate was trained on; what is beyond counts as these."""


def evidence(tested: Floats, actual: Floats) -> Floats:
    """(n, members, 4) minus log of each member's mean absolute error: all, newest origins, far steps, near steps.

    Args:
        tested: (n, origins, members, knots) every member's paths from the rolling origins, scaled.
        actual: (n, origins, knots) what came, NaN = not known.
    """
    known = np.isfinite(actual)
    size = np.abs(tested - np.where(known, actual, 0.0)[:, :, None, :])
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


def context(ages: Floats, spans: Ints, horizon: int, season: int) -> Floats:
    """(n, 5) what kind of series this is: how often still, how persistent, how long, how often measured, how quiet now."""
    diffs = ages[:, :-1] - ages[:, 1:]
    count = np.maximum(spans - 1, 1)
    still = ((diffs == 0).sum(axis=1) - (ages.shape[1] - spans)) / count
    quiet = np.where((diffs != 0).any(axis=1), (diffs != 0).argmax(axis=1), spans)
    seven = moves(ages, spans, np.minimum(7, count))
    one = np.abs(diffs).sum(axis=1) / count
    columns = (
        (np.log(still + 0.02) + 2) / 1.5,
        np.log((seven + 1e-4) / (one + 1e-4)),
        np.log(np.clip(spans / horizon, *TRAINED)) - 0.5,
        np.full(len(ages), float(season > 7)),
        (np.log((quiet + 1) / horizon) + 3) / 2,
    )
    return np.asarray(np.clip(np.stack(columns, axis=1), -3.0, 3.0))


@dataclass(frozen=True, slots=True)
class Gate:
    """Trained: how the score of a member is made."""

    prior: Floats
    """(1 + contexts, members): log weight before any evidence, and its change with each part of the context."""
    powers: Floats
    """(1 + contexts, kinds): how strongly each kind of evidence counts, likewise."""


def weights(evidence: Floats, context: Floats, gate: Gate) -> Floats:
    """(n, members) non-negative, summing to one."""
    whole = np.concatenate([np.ones((len(context), 1)), context], axis=1)
    powers = np.einsum("nc,cf->nf", whole, gate.powers)
    score = np.einsum("nc,cm->nm", whole, gate.prior) + np.einsum("nmf,nf->nm", evidence, powers)
    score = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(score / score.sum(axis=1, keepdims=True))
