"""The optimiser behind the chance that a limit is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from forecast_scores import crossing, limits
from scipy.optimize import minimize

from healthkit.forecasts.crossings import FACTS, Reaching, facts, ripple
from healthkit.forecasts.intervals import Network, at_every_step

if TYPE_CHECKING:
    from forecast_sheets import Described
    from forecast_tasks import Floats


def ends(one: Described, widths: Network, index: int) -> tuple[Floats, Floats]:
    """Lower and upper end (n, h) of one level, within the bounds, in the unit of the series, as they ship."""
    half = at_every_step(widths.log_half_widths(one.facts.astype(float))[..., index], one.grid, one.task.horizon)
    half = np.where(one.constant[:, None], 0.0, half)
    low, high = one.task.bounds[:, :, None]
    out = [one.centre[:, None] + one.scale[:, None] * path for path in (one.mean - half[0], one.mean + half[1])]
    return np.clip(out[0], low, high), np.clip(out[1], low, high)


def cases(one: Described, widths: Network) -> list[tuple[Floats, ...]]:
    """Facts (n, h, facts) and the step (n,) a limit was reached at, for every kind of limit of a long task.

    Made-up series and the month-long histories are left out: a few numbers cannot also learn from those.
    """
    if one.task.horizon < 150 or one.weight < 1:
        return []
    lower, upper = ends(one, widths, 0)
    mean = one.centre[:, None] + one.scale[:, None] * one.mean
    wave = ripple(mean, upper - lower, one.task.season)
    truth = one.task.future if one.task.noiseless is None else one.task.noiseless
    found = []
    for level in limits(one.task.history, percent=one.task.upper_bound is not None).T:
        good = np.isfinite(level)
        paths = ((path - wave)[good] for path in (mean, lower, upper))
        found.append((facts(*paths, level[good], one.centre[good]), crossing(truth[good], level[good])))
    return found


def train_reaching(described: list[Described], widths: Network) -> Reaching:
    """Logistic regression of "reached by then" over the long tasks, each with equal weight."""
    rows, reached, weight = [], [], []
    for one in described:
        some, horizon = cases(one, widths), one.task.horizon
        steps = np.unique(
            np.concatenate([np.geomspace(1, horizon, 12), np.linspace(1, horizon, 16)]).round().astype(int)
        )
        total = sum(len(real) for _, real in some)
        for known, real in some:
            rows.append(known[:, steps - 1].reshape(-1, FACTS))
            reached.append((real[:, None] <= steps).ravel())
            weight.append(np.full(reached[-1].size, 1 / len(steps) / total))
    x, y, w = np.concatenate(rows), np.concatenate(reached), np.concatenate(weight)

    def loss(b: Floats) -> tuple[float, Floats]:
        score = np.clip(x @ b, -50, 50)
        chance = 1 / (1 + np.exp(-score))
        value = float((w * (np.logaddexp(0, score) - y * score)).sum() + 1e-4 * b @ b)
        return value, x.T @ (w * (chance - y)) + 2e-4 * b

    powers = minimize(loss, np.zeros(FACTS), jac=True, method="L-BFGS-B").x
    return Reaching(powers, median=0.5, early=0.1, late=0.9)
