"""The combination: members weighted by how they did from rolling origins of the same series.

The weights are a softmax over members of ``prior + sum_i power_i * -log(error_i)``, the errors being the member's mean
absolute backtest error over all steps, over the newest origins, over far and over near steps. Prior and powers shift
with the kind of series: steppy storage trusts other members, and its backtest in another way, than noisy load. They are
trained by ``benchmarks/train_forecast.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from healthkit.forecasts.histories import Changes, Floats, Histories, moves

CONTEXTS = 14
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


def context(past: Histories, moved: Changes, horizon: int, season: int) -> Floats:
    """(n, `CONTEXTS`) what kind of series this is.

    How often still, how persistent, how long, how often measured, how quiet now; whether it moves one way only, as what is
    kept for ever does, and which; of how many changes it is made; how much it moves for its size; whether a change is due; and
    whether a line or one step describes it, and how lately that step was; and whether one turn or one step, and how lately it turned.
    """
    seven = moves(past.ages, past.spans, np.minimum(7, np.maximum(past.spans - 1, 1)))
    ahead = moved.each.sum(axis=1) / np.maximum(moved.path, 1e-300)
    columns = (
        (np.log(moved.still + 0.02) + 2) / 1.5,
        np.log((seven + 1e-4) / (moved.typical + 1e-4)),
        np.log(np.clip(past.spans / horizon, *TRAINED)) - 0.5,
        np.full(len(seven), float(season > 7)),
        (np.log((moved.quiet + 1) / horizon) + 3) / 2,
        (np.log((1 - np.abs(ahead)) / 2 + 0.02) + 2) / 1.5,
        ahead,
        (np.log(moved.effective) - 2) / 1.5,
        (np.log(moved.path / np.maximum(past.level, 1e-12) + 1e-4) + 2) / 2,
        np.log((moved.quiet + 1) / (moved.wait + 1)),
        moved.line_or_step,
        np.maximum(-moved.line_or_step, 0) * (1 - moved.step.age / past.spans),
        moved.turn_or_step,
        np.maximum(-moved.turn_or_step, 0) * (1 - moved.turn.age / past.spans),
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
