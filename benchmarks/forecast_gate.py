"""The optimiser behind the members' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from healthkit.forecasts.combinations import CONTEXTS, Gate, weights
from healthkit.forecasts.members import NAMES
from healthkit.forecasts.studies import study

if TYPE_CHECKING:
    from forecast_tasks import Floats, Task

KINDS = 4
EVEN = Gate(np.zeros((1 + CONTEXTS, len(NAMES))), np.zeros((1 + CONTEXTS, KINDS)))
STEPS = 45
"""Steps of each horizon that are looked at: more cost time and change nothing."""
FLOOR = 0.1
"""Of Naive's error, added to a window's: so that the few windows forecast perfectly do not rule the mean of logs. With a
fiftieth the paths of halves not trained on were as good, and the intervals around them scored 1 % worse."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One task, studied: all that training needs, scaled."""

    task: Task
    weight: float
    """How much the task counts."""
    each: Floats
    """(n, members, steps) float32"""
    evidence: Floats
    """(n, members, kinds)"""
    context: Floats
    """(n, contexts)"""
    truth: Floats
    """(n, steps), NaN = missing"""
    low: Floats
    """(n, 1) bound below"""
    high: Floats
    """(n, 1) bound above"""


def lesson(task: Task, weight: float, chunk: int = 100) -> Lesson:
    """Members' paths and evidence for every window of *task*."""
    at = np.unique(np.linspace(0, task.horizon - 1, STEPS).round().astype(int))
    parts = []
    for i in range(0, len(task.history), chunk):
        rows, bounds = task.history[i : i + chunk], task.bounds[:, i : i + chunk]
        found = study(rows, bounds, task.horizon, task.season, EVEN)
        centre, scale = found.past.centre, found.past.scale
        truth = ((task.future[i : i + chunk] - centre[:, None]) / scale[:, None])[:, at]
        each = np.clip(found.each, -1e4, 1e4).astype(np.float32)[:, :, at]
        low, high = ((bounds - centre) / scale)[:, :, None]
        parts.append((each, found.evidence, found.context, truth, low, high))
    return Lesson(task, weight, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def train_gate(lessons: list[Lesson], ridge: float = 0.003, rounds: int = 150) -> Gate:
    """The gate that minimises the mean log of MAE / MAE of Naive, each task weighted."""
    members = len(NAMES)
    cut = (1 + CONTEXTS) * members
    prepared = []
    for one in lessons:
        known = np.isfinite(one.truth)
        truth = np.where(known, one.truth, 0.0).astype(np.float32)
        naive = np.abs(truth).sum(1) / known.sum(1)
        parts = (one.each, one.evidence, one.context, truth, known, naive, one.low, one.high)
        prepared.append((one.weight, *(part[naive > 1e-9] for part in parts)))

    def gate(theta: Floats) -> Gate:
        return Gate(theta[:cut].reshape(-1, members), theta[cut:].reshape(-1, KINDS))

    def loss(theta: Floats) -> tuple[float, Floats]:
        now = gate(theta)
        pull = Gate(2 * ridge * now.prior, 0.2 * ridge * now.powers)
        pull.powers[0] = 0
        total = ridge * float((now.prior**2).sum()) + 0.1 * ridge * float((now.powers[1:] ** 2).sum())
        for share, each, evidence, context, truth, known, naive, low, high in prepared:
            w = weights(evidence, context, now)
            path = np.matmul(w[:, None, :].astype(np.float32), each)[:, 0]
            rest = (np.clip(path, low, high) - truth) * known
            count = known.sum(1)
            mae = np.abs(rest).sum(1) / count + FLOOR * naive
            total += share * float(np.mean(np.log(mae / naive)))
            free = np.sign(rest) * ((path >= low) & (path <= high))
            by_weight = np.matmul(each, free[:, :, None])[:, :, 0] / (count * mae * len(mae) / share)[:, None]
            by_score = w * (by_weight - (w * by_weight).sum(1, keepdims=True))
            whole = np.concatenate([np.ones((len(context), 1)), context], axis=1)
            pull.prior[:] += whole.T @ by_score
            pull.powers[:] += whole.T @ np.einsum("nm,nmf->nf", by_score, evidence)
        return total, np.concatenate([pull.prior.ravel(), pull.powers.ravel()])

    start = np.concatenate([np.zeros(cut), np.full(KINDS, 2.0), np.zeros(CONTEXTS * KINDS)])
    return gate(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": rounds}).x)
