"""The optimiser behind the intervals' network.

Two things are asked of the half-widths at once. Windows score well: mean log weighted interval score, a sum of check
functions (Koenker and Bassett 1978), so that intervals are narrow where a series is predictable and wide where it is not.
And the coverage of every task, and of every kind of made-up series, is what it says: without that, the logarithm would
give up the windows that are hard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from healthkit.forecasts.intervals import Network

if TYPE_CHECKING:
    from forecast_sheets import Sheet
    from forecast_tasks import Floats

TAIL = np.array([0.1, 0.025])
HOLD, RIDGE = 1000.0, 1e-3
"""How much the coverage and the squares of the network's weights count, against the score."""
NETWORKS, UNITS = 2, 20
"""Networks that start from other weights, and the hidden units of each: their mean covers all kinds more evenly."""
BLURS = ((1.0, 100), (0.3, 200), (0.06, 500))
"""How far the edge between inside and outside is smoothed, in log half-widths, and the rounds spent at each."""
FINISH = ((0.06, 2500),)
"""Likewise of the mean: untrained it covers too much (.86 of 80 %, simulated disks held out), and 1500 rounds are too few."""
CLOSENESS, CLOSENESS_OF_FEW = np.array([0.0, 0.5]), np.array([0.4, 1.0])
"""Few independent series are fitted more closely than they hold: of n, training aims at 1 - closeness / sqrt(n) of the misses.
From coverage on halves not trained on: real series by the hour or week, of which there are few tasks, lose 2.5 % there, others
hardly any. With (0.4, 1) for all, and storage counted twice instead of three times, intervals of storage half a year ahead scored
4 % worse in sample, and 80.5 and 95.5 % were inside."""
LEAST_LEFT = 0.75
"""At half, storage known for a month was inside 80 % as often as it should be, and its intervals scored 11 % worse."""
SMALLEST = 1e-5
"""Errors below this (in units of the history's spread) count as this."""
EMPHASIS = np.array([1.0, 2.0])
"""Of the levels in the coverage: a miss too many of 95 % is worse than one of 80 %."""


def left_to_miss(rows: Sheet, size: Floats) -> Floats:
    """(groups, 2) misses aimed at in each group's *size* (groups, 1) rows, for the two levels.

    What histories of one value miss, the others make up for, down to `LEAST_LEFT` of their misses: further would be wide beyond use.
    """
    closeness = np.where(rows.few[:, None], CLOSENESS_OF_FEW, CLOSENESS)
    aimed = 2 * TAIL * (1 - closeness / np.sqrt(rows.independent[:, None]))
    left = (aimed * (size + rows.still[:, None]) - rows.missed[:, None]) / size
    return np.maximum(left, aimed * LEAST_LEFT)


class Loss:
    """What the network is asked to minimise, and its slope."""

    def __init__(self, rows: Sheet, units: int) -> None:
        flat = rows.facts.reshape(-1, rows.facts.shape[-1])
        self.centre, self.spread = flat.mean(0), flat.std(0) + 1e-9
        self.standard = np.clip((flat - self.centre) / self.spread, -4, 4).astype(np.float32)
        self.rows, features = rows, flat.shape[1]
        self.signed = rows.signed.reshape(-1, 1).astype(np.float32)
        self.target = np.log(np.maximum(self.signed, SMALLEST))
        self.room = np.maximum(rows.room.reshape(-1, 1), 0).astype(np.float32)
        size = np.bincount(rows.group, rows.stands)[:, None]
        self.group_size = np.maximum(size, 1e-9)  # the group that is not held may be empty
        self.misses = left_to_miss(rows, self.group_size)
        windows = int(rows.window.max()) + 1
        self.in_window = np.maximum(np.bincount(rows.window, rows.stands, windows), 1e-9)
        self.window_weight = np.bincount(rows.window, rows.weight, windows)
        self.own_error = 0.5 * np.bincount(rows.window, rows.error * rows.stands, windows) / self.in_window
        self.shapes = [(features, units), (units,), (units, 2), (features, 2), (2,)]
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.cuts = np.cumsum(sizes)[:-1]
        self.ridge = np.repeat([RIDGE if len(shape) > 1 else 0.0 for shape in self.shapes], sizes)

    def parts(self, theta: Floats) -> list[Floats]:
        """The network's arrays from one flat vector."""
        return [part.reshape(shape) for part, shape in zip(np.split(theta, self.cuts), self.shapes, strict=True)]

    def start(self, seed: int) -> Floats:
        """Small weights, drawn by *seed*, and the plain quantiles."""
        rng, (features, units) = np.random.default_rng(seed), self.shapes[0]
        hidden = rng.normal(0, 0.3 / np.sqrt(features), features * units)
        base = np.quantile(self.target, 1 - TAIL)
        return np.concatenate([hidden, rng.normal(0, 0.1, 3 * units), np.zeros(2 * features), base])

    def __call__(self, theta: Floats, blur: float) -> tuple[float, Floats]:
        """Value and slope at *theta*."""
        hidden, offset, out, direct, base = (part.astype(np.float32) for part in self.parts(theta))
        unit = np.tanh(self.standard @ hidden + offset)
        width = np.clip(unit @ out + self.standard @ direct + base, -13, 12)
        outside = 1 / (1 + np.exp(-np.clip((self.target - width) / np.float32(blur), -40, 40)))
        held, narrowed = self.hold(outside, blur), self.sharp(np.exp(width))
        slope = (held[1] + narrowed[1]).astype(np.float32)
        back = (slope @ out.T) * (1 - unit**2)
        pulls = (self.standard.T @ back, back.sum(0), unit.T @ slope, self.standard.T @ slope, slope.sum(0))
        flat = np.concatenate([pull.ravel().astype(float) for pull in pulls])
        return held[0] + narrowed[0] + float(self.ridge @ theta**2), flat + 2 * self.ridge * theta

    def hold(self, outside: Floats, blur: float) -> tuple[float, Floats]:
        """Squared distance of every group's misses, of both sides together, from what is aimed at."""
        group, both = self.rows.group, outside.reshape(2, -1, 2).sum(axis=0) * self.rows.stands[:, None]
        missed = np.stack([np.bincount(group, both[:, j]) for j in (0, 1)], axis=1) / self.group_size
        off = (missed - self.misses) * EMPHASIS
        weight = HOLD * self.rows.group_weight[:, None]
        lever = (weight * off * EMPHASIS / self.group_size)[group] * self.rows.stands[:, None]
        return float((weight * off**2).sum()) / 2, -np.tile(lever, (2, 1)) * outside * (1 - outside) / blur

    def sharp(self, half: Floats) -> tuple[float, Floats]:
        """Mean log weighted interval score of the windows, the interval ending at the bounds."""
        window, stands, kept = self.rows.window, self.rows.stands, np.minimum(half, self.room)
        over = np.maximum(self.signed - kept, 0)
        cost = (2 * TAIL * kept + 2 * over).reshape(2, -1, 2).sum(axis=(0, 2))
        score = self.own_error + np.bincount(window, cost * stands) / self.in_window + 1e-3
        pull = np.tile((self.window_weight / score / self.in_window)[window] * stands, 2)[:, None]
        slope = 2 * pull * half * (half < self.room) * (TAIL - (self.signed > kept))
        return float((self.window_weight * np.log(score)).sum()), slope


def fitted(loss: Loss, theta: Floats, blurs: tuple[tuple[float, int], ...]) -> Floats:
    """The weights that minimise *loss*, from *theta*, smoothed ever less."""
    for blur, most in blurs:
        options = {"maxiter": most, "maxcor": 30}
        theta = minimize(loss, theta, args=(blur,), jac=True, method="L-BFGS-B", options=options).x
    return theta


def train_network(rows: Sheet) -> Network:
    """Some networks trained apart, and their mean, which is one network with all their units, a little further."""
    one = Loss(rows, UNITS)
    apart = (one.parts(fitted(one, one.start(seed), BLURS)) for seed in range(NETWORKS))
    hidden, offset, out, direct, base = (np.array(part) for part in zip(*apart, strict=True))
    mean = (np.concatenate(hidden, axis=1), offset, out / NETWORKS, direct.mean(0), base.mean(0))
    whole = Loss(rows, NETWORKS * UNITS)
    theta = fitted(whole, np.concatenate([part.ravel() for part in mean]), FINISH)
    return Network((80, 95), whole.centre, whole.spread, *whole.parts(theta))
