"""The optimisers behind the forecaster's constants: the members' weights, and the network of the intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from healthkit.forecasts.batches import reach
from healthkit.forecasts.combinations import Gate, weights
from healthkit.forecasts.intervals import Network
from healthkit.forecasts.members import NAMES
from healthkit.forecasts.studies import study

if TYPE_CHECKING:
    from forecast_tasks import Floats, Task

TAIL = np.array([0.1, 0.025])
ALLOWANCE = 0.94
"""Share of the nominal misses that training aims at: on series not trained on, coverage is a little lower."""
KINDS = 4
EVEN = Gate(np.zeros((6, len(NAMES))), np.zeros((6, KINDS)))
SMALLEST = 1e-5
"""Errors below this (in units of the history's spread) count as this."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One task, studied: all that training needs, scaled."""

    task: Task
    weight: float
    """How much the task counts."""
    each: Floats
    """(n, members, h) float32"""
    evidence: Floats
    """(n, members, kinds)"""
    context: Floats
    """(n, contexts)"""
    truth: Floats
    """(n, h), NaN = missing"""


def lesson(task: Task, weight: float, chunk: int = 100) -> Lesson:
    """Members' paths and evidence for every window of *task*."""
    parts = []
    for i in range(0, len(task.history), chunk):
        rows = task.history[i : i + chunk]
        found = study(rows, task.horizon, task.season, reach(task.horizon, task.season), EVEN)
        truth = (task.future[i : i + chunk] - found.past.centre[:, None]) / found.past.scale[:, None]
        parts.append((np.clip(found.each, -1e4, 1e4).astype(np.float32), found.evidence, found.context, truth))
    return Lesson(task, weight, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def train_gate(lessons: list[Lesson], ridge: float = 0.003, rounds: int = 80) -> Gate:
    """The gate that minimises the mean log of MAE / MAE of Naive, each task weighted."""
    members, contexts = len(NAMES), lessons[0].context.shape[1]
    cut = (1 + contexts) * members
    prepared = []
    for one in lessons:
        known = np.isfinite(one.truth)
        truth = np.where(known, one.truth, 0.0).astype(np.float32)
        naive = np.abs(truth).sum(1) / known.sum(1)
        parts = (one.each, one.evidence, one.context, truth, known, naive)
        prepared.append((one.weight, *(part[naive > 1e-9] for part in parts)))

    def gate(theta: Floats) -> Gate:
        return Gate(theta[:cut].reshape(-1, members), theta[cut:].reshape(-1, KINDS))

    def loss(theta: Floats) -> tuple[float, Floats]:
        now = gate(theta)
        pull = Gate(2 * ridge * now.prior, 0.2 * ridge * now.powers)
        pull.powers[0] = 0
        total = ridge * float((now.prior**2).sum()) + 0.1 * ridge * float((now.powers[1:] ** 2).sum())
        for share, each, evidence, context, truth, known, naive in prepared:
            w = weights(evidence, context, now)
            rest = (np.matmul(w[:, None, :].astype(np.float32), each)[:, 0] - truth) * known
            count = known.sum(1)
            # A fiftieth of Naive is added, so that the few windows forecast perfectly do not rule the mean of logs.
            mae = np.abs(rest).sum(1) / count + 0.02 * naive
            total += share * float(np.mean(np.log(mae / naive)))
            by_weight = np.matmul(each, np.sign(rest)[:, :, None])[:, :, 0] / (count * mae * len(mae) / share)[:, None]
            by_score = w * (by_weight - (w * by_weight).sum(1, keepdims=True))
            whole = np.concatenate([np.ones((len(context), 1)), context], axis=1)
            pull.prior[:] += whole.T @ by_score
            pull.powers[:] += whole.T @ np.einsum("nm,nmf->nf", by_score, evidence)
        return total, np.concatenate([pull.prior.ravel(), pull.powers.ravel()])

    start = np.concatenate([np.zeros(cut), np.full(KINDS, 2.0), np.zeros(contexts * KINDS)])
    return gate(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": rounds}).x)


@dataclass(frozen=True, slots=True)
class Described:
    """One task with its combined path: what the intervals are trained on, scaled."""

    task: Task
    weight: float
    mean: Floats
    """(n, h)"""
    truth: Floats
    """(n, h)"""
    grid: Floats
    """(n_grid,)"""
    facts: Floats
    """(2, n, n_grid, features) float32"""
    centre: Floats
    scale: Floats


def describe(task: Task, weight: float, gate: Gate, chunk: int = 100) -> Described:
    """`Described` of *task* under a trained gate."""
    parts = []
    for i in range(0, len(task.history), chunk):
        found = study(task.history[i : i + chunk], task.horizon, task.season, reach(task.horizon, task.season), gate)
        parts.append((found.mean, found.facts.astype(np.float32), found.past.centre, found.past.scale))
    mean, centre, scale = (np.concatenate([part[i] for part in parts]) for i in (0, 2, 3))
    facts = np.concatenate([part[1] for part in parts], axis=1)
    truth = (task.future - centre[:, None]) / scale[:, None]
    return Described(task, weight, mean, truth, found.grid, facts, centre, scale)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Training rows: (window, step, side), flattened."""

    signed: Floats
    """(rows,) error to that side, scaled; negative = on the other side"""
    facts: Floats
    """(rows, features)"""
    weight: Floats
    """(rows,) sums to one"""
    group: Floats
    """(rows,) task and side, whose coverage is held"""
    window: Floats
    """(rows,) number of the window"""
    error: Floats
    """(rows,) absolute error of the mean"""


def sheet(described: list[Described], keep: list[Floats], steps: int = 8) -> Sheet:
    """Rows of the windows in *keep* (boolean per task), at most *steps* of each grid."""
    columns: list[list[Floats]] = [[] for _ in range(6)]
    windows = 0
    total = sum(2 * one.weight for one in described)
    for number, (one, chosen) in enumerate(zip(described, keep, strict=True)):
        at = np.unique(np.linspace(0, len(one.grid) - 1, steps).round().astype(int))
        ahead = one.grid[at] - 1
        rest = (one.truth - one.mean)[chosen][:, ahead]
        known = np.isfinite(rest)
        window = np.broadcast_to((windows + np.arange(len(rest)))[:, None], rest.shape)[known]
        windows += len(rest)
        for side, sign in enumerate((-1, 1)):
            row = one.facts[side][chosen][:, at][known]
            values = (
                sign * rest[known],
                row,
                np.full(len(row), one.weight / len(row) / total),
                np.full(len(row), 2 * number + side),
                window,
                np.abs(rest[known]),
            )
            for column, value in zip(columns, values, strict=True):
                column.append(value)
    return Sheet(*(np.concatenate(column) for column in columns))


def train_network(
    rows: Sheet,
    units: int = 10,
    *,
    ridge: float = 1e-4,
    hold: float = 1000.0,
    sharp: float = 0.4,
    rounds: tuple[int, ...] = (40, 40, 400),
) -> Network:
    """Half-widths by quantile regression of log errors, pulled towards short intervals and calibrated tasks.

    The loss is the check function of the log error (Koenker and Bassett), smoothed ever less; plus *sharp* times the mean
    log weighted interval score of the windows; plus *hold* times the squared distance of each task's coverage on each side
    from its nominal one.
    """
    centre, spread = rows.facts.mean(0), rows.facts.std(0) + 1e-9
    z = np.clip((rows.facts - centre) / spread, -4, 4).astype(np.float32)
    target = np.log(np.maximum(rows.signed, SMALLEST)).astype(np.float32)
    weight = rows.weight.astype(np.float32)[:, None]
    d, tau = z.shape[1], 1 - TAIL
    groups = int(rows.group.max()) + 1
    group_size = np.bincount(rows.group)
    windows = int(rows.window.max()) + 1
    in_window = np.maximum(np.bincount(rows.window, minlength=windows), 1)
    window_weight = np.bincount(rows.window, rows.weight, windows)
    own_error = np.bincount(rows.window, rows.error, windows) / in_window * 0.5
    shape = [(d, units), (units,), (units, 2), (d, 2), (2,)]
    ends = np.cumsum([int(np.prod(s)) for s in shape])[:-1]
    penal = np.concatenate([np.full(int(np.prod(s)), ridge if len(s) > 1 else 0.0) for s in shape])
    emphasis = np.array([1.0, 1.5])

    def parts(theta: Floats) -> list[Floats]:
        return [part.reshape(s) for part, s in zip(np.split(theta, ends), shape, strict=True)]

    def loss(theta: Floats, blur: float) -> tuple[float, Floats]:
        hidden, offset, out, direct, base = (part.astype(np.float32) for part in parts(theta))
        unit = np.tanh(z @ hidden + offset)
        width = unit @ out + z @ direct + base
        miss = np.clip((target[:, None] - width) / blur, -40, 40)
        outside = 1 / (1 + np.exp(-miss))
        check = blur * (np.logaddexp(0, miss) - TAIL * miss)
        value = float((weight * emphasis * check).sum())
        slope = -(weight * emphasis) * (outside - TAIL)
        covered = np.stack([np.bincount(rows.group, 1 - outside[:, j], groups) / group_size for j in (0, 1)], axis=1)
        off = (covered - 1 + ALLOWANCE * TAIL) * np.array([1, 2])
        value += hold * float((off**2).mean())
        slope = (
            slope
            + (hold * off * np.array([1, 2]) / groups / group_size[:, None])[rows.group]
            * outside
            * (1 - outside)
            / blur
        )
        if sharp:
            half = np.exp(np.minimum(width, 12))
            over = np.maximum(rows.signed[:, None] - half, 0)
            score = own_error + np.bincount(rows.window, (2 * TAIL * half + 2 * over).sum(1), windows) / in_window
            value += sharp * float((window_weight * np.log(score + 1e-3)).sum())
            pull = (window_weight / (score + 1e-3) / in_window)[rows.window][:, None]
            slope = slope + sharp * pull * half * 2 * (TAIL - outside)
        slope = slope.astype(np.float32)
        back = (slope @ out.T) * (1 - unit**2)
        gradient = (z.T @ back, back.sum(0), unit.T @ slope, z.T @ slope, slope.sum(0))
        flat = np.concatenate([part.ravel().astype(float) for part in gradient])
        return value + float(penal @ theta**2), flat + 2 * penal * theta

    rng = np.random.default_rng(0)
    theta = np.concatenate(
        [
            rng.normal(0, 0.3 / np.sqrt(d), d * units),
            rng.normal(0, 0.1, 3 * units),
            np.zeros(2 * d),
            np.quantile(target, tau),
        ]
    )
    for blur, most in zip((1.0, 0.3, 0.06), rounds, strict=True):
        theta = minimize(loss, theta, args=(blur,), jac=True, method="L-BFGS-B", options={"maxiter": most}).x
    return Network((80, 95), centre, spread, *parts(theta))
