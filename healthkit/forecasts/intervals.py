"""Intervals: how wide, from what the series' own backtest, its members and its steps say.

The half-width below (above) the mean, for one level and k steps ahead, is ``exp(x(k) . b)``: a product of powers of
scales. The scales are the backtest's error near and far, the members' disagreement at that step, the size of the series'
own steps grown like a random walk, the predicted change, the horizon against the history. The powers b are quantile
regressions (pinball loss) over many series of many kinds: a short history has no rolling origin that reaches a long
horizon, so how errors grow out there has to be learned from series that have.

Sources: Koenker and Bassett (1978), Econometrica 46, 33-50; Gneiting and Raftery (2007), JASA 102, 359-378.
"""

from __future__ import annotations

import numpy as np

from healthkit.forecasts.histories import Floats, Ints

FEATURES = (
    "one",
    "log step",
    "log step squared",
    "log span / step",
    "error near",
    "error far",
    "error far x log step",
    "worst error",
    "disagreement",
    "steps",
    "largest steps that way",
    "change that way",
    "change the other way",
    "evidence reach",
)
TINY = 1e-4


def log(scale: Floats) -> Floats:
    """Logarithm of a scale, bounded below: a thousandth of a per mille of the spread is nothing."""
    return np.log(scale + TINY)


def mean_where(values: Floats, weight: Floats, otherwise: Floats) -> Floats:
    """Weighted mean over all but the first axis; *otherwise* where nothing weighs."""
    axes = tuple(range(1, values.ndim))
    total = weight.sum(axis=axes)
    return np.where(total > 0, (values * weight).sum(axis=axes) / np.maximum(total, 1e-300), otherwise)


def features(
    *,
    mean: Floats,
    spread: Floats,
    residuals: Floats,
    knots: Ints,
    steps: Ints,
    ages: Floats,
    spans: Ints,
) -> Floats:
    """(2, n, n_steps, features): below and above the mean.

    Args:
        mean: (n, n_steps) the combined path at *steps*, scaled, relative to the last value.
        spread: (n, n_steps) weighted disagreement of the members.
        residuals: (n, origins, n_knots) actual minus combined path of the backtest, NaN = not known.
        knots: (n_knots,) steps ahead of *residuals*.
        steps: (n_steps,) steps ahead to describe.
        ages: (n, length) scaled history in age order.
        spans: (n,) length of each history.
    """
    known = np.isfinite(residuals)
    size = np.where(known, np.abs(residuals), 0.0)
    diffs = ages[:, :-1] - ages[:, 1:]
    count = np.maximum(spans - 1, 1)
    typical = np.abs(diffs).sum(axis=1) / count
    near_weight = known * (1.0 / knots)
    far_weight = known * (knots / knots[-1]) ** 0.5
    near = mean_where(size, near_weight, typical)
    far = mean_where(size / np.sqrt(knots / knots[-1]), far_weight, typical * np.sqrt(knots[-1]))
    worst = np.where(known.any(axis=(1, 2)), size.max(axis=(1, 2)), far)
    reach = np.where(known, knots, 0).max(axis=(1, 2))
    n, width = mean.shape
    step = np.log(steps / knots[-1])
    wide = np.ones((n, width))
    grown = typical[:, None] * np.sqrt(steps)
    shared = [
        wide,
        np.log(steps) * wide,
        step**2 * wide,
        np.log(spans[:, None] / steps),
        log(near)[:, None] * wide,
        log(far)[:, None] * wide,
        log(far)[:, None] * step,
        log(worst)[:, None] * wide,
        log(spread),
        log(grown),
    ]
    out = np.empty((2, n, width, len(FEATURES)))
    ups, downs = np.maximum(diffs, 0).max(axis=1), np.maximum(-diffs, 0).max(axis=1)
    for side, (that, other, jump) in enumerate(((-mean, mean, downs), (mean, -mean, ups))):
        columns = [
            *shared,
            log(jump)[:, None] * wide,
            log(np.maximum(that, 0)),
            log(np.maximum(other, 0)),
            np.log((reach[:, None] + 1) / steps),
        ]
        out[side] = np.stack(columns, axis=-1)
    return out


def half_widths(facts: Floats, powers: Floats) -> Floats:
    """(2, n, n_steps) half-widths from `features` and *powers* (2, features)."""
    return np.exp(np.clip(np.einsum("snkf,sf->snk", facts, powers), -30.0, 30.0))
