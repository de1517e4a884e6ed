"""What the intervals are trained on: windows of all tasks under a trained gate, flattened to rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from healthkit.forecasts.studies import study

if TYPE_CHECKING:
    from forecast_tasks import Floats, Task

    from healthkit.forecasts.combinations import Gate


@dataclass(frozen=True, slots=True)
class Described:
    """One task with its combined path, scaled."""

    task: Task
    weight: float
    """How much it counts in training; 0 = it is only looked at."""
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
    bounds: Floats
    """(2, n) scaled"""
    constant: Floats
    """(n,) whether the history is one value: it is forecast with intervals of no width, and scored so"""


def describe(task: Task, weight: float, gate: Gate, chunk: int = 100) -> Described:
    """`Described` of *task* under a trained gate."""
    parts, bounds = [], task.bounds
    for i in range(0, len(task.history), chunk):
        rows, within = task.history[i : i + chunk], bounds[:, i : i + chunk]
        found = study(rows, within, task.horizon, task.season, gate)
        parts.append(
            (found.mean, found.facts.astype(np.float32), found.past.centre, found.past.scale, found.past.constant)
        )
    mean, centre, scale, constant = (np.concatenate([part[i] for part in parts]) for i in (0, 2, 3, 4))
    facts = np.concatenate([part[1] for part in parts], axis=1)
    truth = (task.future - centre[:, None]) / scale[:, None]
    within = (bounds - centre) / scale
    return Described(task, weight, mean, truth, found.grid, facts, centre, scale, within, constant)


DAILY = 7
"""Season of series by the day."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Training rows: one per window and step, both sides of the mean."""

    signed: Floats
    """(2, rows) error to that side, scaled; negative = on the other side"""
    facts: Floats
    """(2, rows, features)"""
    room: Floats
    """(2, rows) distance from the mean to the bound of that side"""
    error: Floats
    """(rows,) absolute error of the mean"""
    weight: Floats
    """(rows,) sums to one"""
    group: Floats
    """(rows,) what coverage is held of; 0 = of nothing: a made-up disk that is full already, which no interval misses"""
    window: Floats
    """(rows,) number of the window"""
    stands: Floats
    """(rows,) for how many steps ahead the row stands, against the mean of its task: the grid is dense where they are few"""
    group_weight: Floats
    """(groups,) sums to one"""
    independent: Floats
    """(groups,) clusters in the group"""
    few: Floats
    """(groups,) whether the series are real ones by the hour or week, of which there are few tasks"""
    still: Floats
    """(groups,) values ahead of histories of one value, which have no rows: nothing can be learned of their widths"""
    missed: Floats
    """(groups,) how many of those are not the one value: outside intervals of no width"""


def sheet(described: list[Described], keep: list[Floats], steps: int = 8) -> Sheet:
    """Rows of the windows in *keep* (boolean per task), at most *steps* of each grid."""
    parts, names, weights, independent, few, windows = [], ["at a bound"], [0.0], [1], [False], 0
    still, missed = [np.zeros(1)], [np.zeros(1)]
    total = sum(one.weight for one in described)
    for one, chosen in zip(described, keep, strict=True):
        if not one.weight:
            continue
        cluster = np.array(one.task.cluster)[chosen]
        held = np.array(one.task.held or [one.task.name] * len(chosen))[chosen]
        kinds, number = np.unique(held, return_inverse=True)
        parts.append(rows_of(one, chosen, steps, len(names) + number, windows))
        names += kinds.tolist()
        weights += [min(one.weight, 1.0) / len(kinds)] * len(kinds)  # what counts more is not held more
        independent += [len(set(cluster[held == kind])) for kind in kinds]
        few += [one.task.season != DAILY and one.task.held is None] * len(kinds)
        windows += int(chosen.sum())
        constant, ahead = one.constant[chosen], one.task.future[chosen]
        moved = np.abs(ahead - one.centre[chosen][:, None]) > 1e-9 * np.abs(one.centre[chosen][:, None])
        for found, counted in ((still, np.isfinite(ahead)), (missed, moved)):
            shares = (counted & constant[:, None]).mean(axis=1) * steps_of(one, steps).size
            found.append(np.bincount(number, shares, len(kinds)))
        parts[-1]["weight"] = np.full(parts[-1]["error"].size, one.weight / total / parts[-1]["error"].size)
    columns = {key: np.concatenate([part[key] for part in parts], axis=-1) for key in parts[0] if key != "facts"}
    facts = np.concatenate([part["facts"] for part in parts], axis=1)
    return Sheet(
        facts=facts,
        group_weight=np.array(weights) / sum(weights),
        independent=np.array(independent),
        few=np.array(few),
        still=np.concatenate(still),
        missed=np.concatenate(missed),
        **columns,
    )


def steps_of(one: Described, most: int) -> Floats:
    """At most *most* places on the grid, from its first to its last."""
    return np.unique(np.linspace(0, len(one.grid) - 1, most).round().astype(int))


def stands(places: Floats, horizon: int) -> Floats:
    """For how many of *horizon* steps each of *places* is the nearest, against their mean."""
    edges = np.concatenate([[0.5], (places[1:] + places[:-1]) / 2, [horizon + 0.5]])
    return np.diff(edges) * len(places) / horizon


def rows_of(one: Described, chosen: Floats, steps: int, group: Floats, first: int) -> dict[str, Floats]:
    """The columns of one task's rows: *group* (windows,), windows numbered from *first*."""
    at = steps_of(one, steps)
    ahead = one.grid[at] - 1
    truth, mean = one.truth[chosen][:, ahead], one.mean[chosen][:, ahead]
    known = np.isfinite(truth) & ~one.constant[chosen][:, None]
    low, high = one.bounds[:, chosen][:, :, None]
    rest = (truth - mean)[known]
    full = (np.minimum(mean - low, high - mean) <= 1e-6) & (one.task.held is not None)
    wide = {
        "group": np.where(full, 0, group[:, None]),
        "window": first + np.arange(len(truth))[:, None],
        "stands": stands(one.grid[at], one.task.horizon),
    }
    return {
        "signed": np.stack([-rest, rest]),
        "facts": np.stack([one.facts[side][chosen][:, at][known] for side in (0, 1)]),
        "room": np.stack([mean - low, high - mean])[:, known],
        "error": np.abs(rest),
        **{key: np.broadcast_to(value, truth.shape)[known] for key, value in wide.items()},
    }
