"""One chunk of histories studied: members fitted at every origin, weighed, and described for the intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from healthkit.forecasts import combinations, histories, members
from healthkit.forecasts.scenes import Scene, features

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats, Ints

ORIGINS = 8
KNOTS = 16
GRID = 24


@dataclass(frozen=True, slots=True)
class Study:
    """All that forecasts, records and training need of a chunk; scaled units, relative to the last value."""

    past: histories.Histories
    """The prepared histories."""
    offsets: Ints
    """(n, origins) steps before the end of each origin; 0 = no such origin."""
    knots: Ints
    """(n_knots,) steps ahead of the backtest."""
    grid: Ints
    """(n_grid,) steps ahead at which the intervals are described."""
    evidence: Floats
    """(n, members, kinds) of `combinations.evidence`."""
    context: Floats
    """(n, contexts) of `combinations.context`."""
    each: Floats
    """(n, members, h) every member's path from the end."""
    actual: Floats
    """(n, origins, n_knots) what came, NaN = not known."""
    mean: Floats
    """(n, h) the combined path."""
    residuals: Floats
    """(n, origins, n_knots) actual minus combined path in the backtest."""
    facts: Floats
    """(2, n, n_grid, features) of `scenes.features`."""


def grid(horizon: int) -> Ints:
    """At most `GRID` steps ahead, dense where the interval bends: 1, 2, 3 ... *horizon*."""
    even = np.linspace(0, 1, min(GRID, horizon))
    return np.unique(np.round(1 + (horizon - 1) * even**1.5).astype(np.int64))


def reach(horizon: int, season: int) -> int:
    """Steps of history that are looked at: what lies further back tells little of the next *horizon* steps."""
    return max(400, 2 * horizon + 40, 28 * season)


def study(values: Floats, bounds: Floats, horizon: int, season: int, gate: combinations.Gate) -> Study:
    """Study the rows of *values* (n, n_obs), each on its own, within *bounds* (2, n), looking back `reach` steps."""
    past = histories.prepare(values, reach(horizon, season))
    n = len(values)
    offsets = histories.origins(past.spans, horizon, ORIGINS)
    knots, steps, coarse = histories.knots(horizon, KNOTS), np.arange(1, horizon + 1), grid(horizon)
    rows, spans = histories.cut(past, np.concatenate([np.zeros((n, 1), np.int64), offsets], axis=1))
    fitted = members.fit(rows, spans, season)
    tested = members.paths(fitted, knots, spans, season).reshape(n, ORIGINS + 1, -1, len(knots))[:, 1:]
    actual = np.where(offsets[:, :, None] > 0, histories.futures(past, offsets, knots), np.nan)
    each = members.paths(members.newest(fitted, ORIGINS + 1), steps, past.spans, season)
    evidence = combinations.evidence(tested, actual)
    moved = histories.changes(past.ages, past.spans)
    context = combinations.context(past, moved, horizon, season)
    weight = combinations.weights(evidence, context, gate)
    within = (bounds - past.centre) / past.scale
    mean = np.clip(np.einsum("nm,nmh->nh", weight, each), within[0][:, None], within[1][:, None])
    residuals = actual - np.einsum("nm,nomk->nok", weight, tested)
    at = coarse - 1
    soft = np.sqrt(weight) / np.sqrt(weight).sum(axis=1, keepdims=True)
    scene = Scene(
        mean=mean[:, at],
        spread=np.einsum("nm,nmh->nh", soft, np.abs(each[:, :, at] - mean[:, None, at])),
        residuals=residuals,
        knots=knots,
        steps=coarse,
        ages=past.ages,
        spans=past.spans,
        moved=moved,
        level=past.level,
        naive=actual - histories.pick(past.ages, offsets)[:, :, None],
        bounds=within,
    )
    return Study(past, offsets, knots, coarse, evidence, context, each, actual, mean, residuals, features(scene))
