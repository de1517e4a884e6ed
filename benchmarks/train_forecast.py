"""Train the constants of the forecaster and write them to ``healthkit/forecasts/constants.py``.

    HEALTHKIT_BENCH_DATA=DIR python benchmarks/train_forecast.py [--check]

Two things are trained, one after the other: the gate that weighs the members (`forecast_training.train_gate`) and the
network that gives the half-widths of the intervals (`forecast_training.train_network`); then the chance that a limit is
reached (`train_reaching`). All on development series of several kinds, plus made-up ones, every task with equal
weight. ``--check`` instead trains on one half of the repositories and series and writes coverage on the other, both ways
round, to ``docs/forecast-coverage.md``: what may be expected of series never seen. About five minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from forecast_constants import write
from forecast_generators import made_up
from forecast_scores import clustered, crossing, limits
from forecast_tasks import Floats, Task, folder, tasks
from forecast_training import Described, Lesson, describe, lesson, sheet, train_gate, train_network
from scipy.optimize import minimize

from healthkit.forecasts.crossings import FACTS, Reaching, facts
from healthkit.forecasts.intervals import Network, at_every_step

if TYPE_CHECKING:
    from healthkit.forecasts.combinations import Gate

MADE = (((365, 180), 7), ((90, 180), 7), ((90, 30), 7), ((336, 48), 24), ((260, 13), 1))
TARGET = Path(__file__).parents[1] / "healthkit" / "forecasts" / "constants.py"
MADE_WEIGHT = 0.4
UNSEEN = Path(__file__).parents[1] / "docs" / "forecast-coverage.md"
UNSEEN_HEAD = """# Forecasts: coverage on series not trained on

`python benchmarks/train_forecast.py --check` writes this page. Everything is trained on one half of the repositories and
series and scored on the other, both ways round; ± one standard error, clustered by repository or series. Simulated disks
(synth) cover too much: 6-12 % of those windows are pinned at 100 % and always inside, and straight lines under plain noise
are easier than most of what was trained on. The opposite holds for pure random walks, which look like storage that drifts:
over 180 steps from 365 their 80 % interval covers about 60 %, their 95 % interval about 89 %.

| | inside 80 % | inside 95 % |
|---|---|---|"""


def all_tasks(data: Path) -> list[tuple[Task, float]]:
    """Every task and its weight."""
    return [(t, 1.0) for t in tasks(data)] + [(made_up(shape, season=s), MADE_WEIGHT) for shape, s in MADE]


def half(task: Task) -> Floats:
    """(n,) which half each window belongs to, clusters kept together."""
    return np.array([zlib.crc32(c.encode()) % 2 for c in task.cluster])


def kept(one: Lesson, chosen: Floats) -> Lesson:
    """Only the *chosen* windows."""
    parts = {name: getattr(one, name)[chosen] for name in ("each", "evidence", "context", "truth")}
    return replace(one, **parts)


def ends(one: Described, widths: Network, index: int) -> tuple[Floats, Floats]:
    """Lower and upper end (n, h) of one level, within the bounds, in the unit of the series."""
    facts = one.facts.astype(float)
    inner = at_every_step(widths.log_half_widths(facts)[..., index], one.grid, one.task.horizon)
    low, high = one.task.lower_bound, one.task.upper_bound
    out = [one.centre[:, None] + one.scale[:, None] * path for path in (one.mean - inner[0], one.mean + inner[1])]
    return np.clip(out[0], low, high), np.clip(out[1], low, high)


def coverage(one: Described, widths: Network, index: int) -> Floats:
    """(n,) share of each window's future inside."""
    lower, upper = ends(one, widths, index)
    future = one.task.future
    edge = 1e-9 * (np.abs(one.centre) + one.scale)[:, None]
    inside = np.where(np.isfinite(future), (future >= lower - edge) & (future <= upper + edge), np.nan)
    return np.nanmean(inside, axis=1)


def cases(one: Described, widths: Network) -> list[tuple[Floats, ...]]:
    """Mean, lower, upper (n, h), limit (n,) and the step (n,) it was reached at, for every kind of limit of a task."""
    if one.task.horizon < 100 or one.task.name.startswith("made"):
        return []
    lower, upper = ends(one, widths, 0)
    mean = np.clip(one.centre[:, None] + one.scale[:, None] * one.mean, one.task.lower_bound, one.task.upper_bound)
    truth = one.task.future if one.task.noiseless is None else one.task.noiseless
    found = []
    for level in limits(one.task.history, percent=one.task.upper_bound is not None).T:
        good = np.isfinite(level)
        found.append((mean[good], lower[good], upper[good], level[good], crossing(truth[good], level[good])))
    return found


def train_reaching(described: list[Described], widths: Network) -> Reaching:
    """Logistic regression of "reached by then" over the long tasks, each with equal weight."""
    rows, reached, weight = [], [], []
    for one in described:
        some = cases(one, widths)
        total = sum(case[0].size for case in some)
        for mean, lower, upper, level, real in some:
            steps = np.unique(np.geomspace(1, mean.shape[1], 24).round().astype(int))
            rows.append(facts(mean, lower, upper, level, 80)[:, steps - 1].reshape(-1, FACTS))
            reached.append((real[:, None] <= steps).ravel())
            weight.append(np.full(reached[-1].size, mean.shape[1] / len(steps) / total))
    x, y, w = np.concatenate(rows), np.concatenate(reached), np.concatenate(weight)

    def loss(b: Floats) -> tuple[float, Floats]:
        score = np.clip(x @ b, -50, 50)
        chance = 1 / (1 + np.exp(-score))
        value = float((w * (np.logaddexp(0, score) - y * score)).sum() + 1e-4 * b @ b)
        return value, x.T @ (w * (chance - y)) + 2e-4 * b

    powers = minimize(loss, np.zeros(FACTS), jac=True, method="L-BFGS-B").x
    return Reaching(powers, median=0.5, early=0.1, late=0.9)


def check(lessons: list[Lesson], every: list[tuple[Task, float]]) -> None:
    """Train on one half, look at the other, both ways round."""
    halves: list[tuple[Gate, Network, list[Described]]] = []
    for k in (0, 1):
        gate = train_gate([kept(one, half(one.task) != k) for one in lessons])
        described = [describe(task, weight, gate) for task, weight in every]
        halves.append((gate, train_network(sheet(described, [half(t) != k for t, _ in every])), described))
    rows = [UNSEEN_HEAD]
    for i, (task, _) in enumerate(every):
        mine = half(task)
        shares = []
        for index in (0, 1):
            parts = [coverage(described[i], network, index) for _, network, described in halves]
            mean, error = clustered(np.where(mine == 0, *parts), task.cluster)
            shares.append(f"{mean:.3f} ± {error:.3f}")
        rows.append(f"| {task.name} | {shares[0]} | {shares[1]} |")
        print(rows[-1], flush=True)
    UNSEEN.write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> int:
    """Train and write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="train on halves and print the coverage of the other")
    options = parser.parse_args()
    data = folder()
    if data is None:
        print("HEALTHKIT_BENCH_DATA is not set: nothing trained", file=sys.stderr)
        return 0
    every = all_tasks(data)
    lessons = [lesson(task, weight) for task, weight in every]
    if options.check:
        check(lessons, every)
        return 0
    gate = train_gate(lessons)
    described = [describe(task, weight, gate) for task, weight in every]
    widths = train_network(sheet(described, [np.ones(len(t.history), bool) for t, _ in every]))
    write(TARGET, gate, widths, train_reaching(described, widths))
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
