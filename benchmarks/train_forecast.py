"""Train the constants of the forecaster and write them to ``healthkit/forecasts/constants.py``.

    HEALTHKIT_BENCH_DATA=DIR HEALTHKIT_BENCH_RELEASES=FILE python benchmarks/train_forecast.py [--check]

Three things are trained, one after the other: the gate that weighs the members (`forecast_gate.py`), the network that gives
the half-widths of the intervals (`forecast_widths.py`), and the chance that a limit is reached (`forecast_reaching.py`).
All on development series of several kinds, windows of shapes that are not scored, what public packages keep and release
(`release_histories.py` collects FILE), and made-up series.
``--check`` instead trains on one half of the repositories and series and writes coverage on the other, both ways round, to
``docs/forecast-coverage.md``: what may be expected of series never seen. Each takes fifty minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from forecast_constants import write
from forecast_gate import Lesson, lesson, train_gate
from forecast_generators import CAPPED, KINDS, UNSEEN, lately, made_up
from forecast_reaching import ends, train_reaching
from forecast_scores import Scores, clustered, geometric, score
from forecast_sheets import Described, describe, sheet
from forecast_tasks import Floats, Task, folder, further, published, releases, tasks, thinned
from forecast_widths import train_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healthkit.forecasts.intervals import Network

DAILY_MADE = ((365, 180), (90, 180), (30, 180), (365, 30), (90, 30))
MADE = (*((shape, 7) for shape in DAILY_MADE), ((336, 48), 24), ((260, 13), 1))
TARGET = Path(__file__).parents[1] / "healthkit" / "forecasts" / "constants.py"
KIND_WEIGHT = 0.05
"""What a kind of made-up series counts, against a task."""
CAPPED_WEIGHT = 0.075
"""Likewise of a kind that fills: straight lines are what the others widen, and what people see first."""
LATELY_WEIGHT = 0.1
"""Likewise of a kind that changed lately: "shift or trend" is what a first month has to get right."""
STORAGE = ("git 365-180", "git 90-180")
"""What counts three times: real storage, half a year ahead, is what is asked for most and the hardest to get right."""
DENSE = 135
"""Days from one window of daily storage to the next: more windows than are scored. They overlap, and still teach."""
UNSEEN_PAGE = Path(__file__).parents[1] / "docs" / "forecast-coverage.md"
UNSEEN_HEAD = """# Forecasts: coverage on series not trained on

`python benchmarks/train_forecast.py --check` writes this page. Everything is trained on one half of the repositories, packages
and series and scored on the other, both ways round; ± one standard error, clustered by repository or series. rMAE and rWIS as
in `docs/forecast-benchmark.md`, with twice its windows of daily storage; "far" is the last third of the horizon. "git/2" is
storage looked at every second day; "kept" and "release" are packages. "made", "capped" and "lately" are made-up series of kinds
that are trained on, of which "lately" stepped or began to rise not long ago; "unseen" are of kinds that never are, not in the
shipped constants either.

A history of one value is forecast with intervals of no width: after a month, that is one window in six, and they are why fewer
values than promised are inside at "git 30-180" (packages that had not moved are left out). What they miss, the others of a task
make up for in part, down to three quarters of their misses.

| | inside 80 % | inside 95 % | far inside 80 % | rMAE | rWIS |
|---|---|---|---|---|---|"""
KINDS_HEAD = """
The made-up series, kind by kind, 180 steps ahead:

| | inside 80 % | inside 95 % | far inside 80 % | rMAE | rWIS |
|---|---|---|---|---|---|"""


def all_tasks(data: Path, packages: Path) -> list[tuple[Task, float]]:
    """Every task and its weight; those of weight 0 are only looked at."""
    every = [(task, 4.0 if task.name in STORAGE else 1.0) for task in tasks(data, DENSE)]
    every += [(task, 0.8) for task in thinned(data, DENSE)]
    every += [(task, 0.5) for task in further(data)]
    every += [(task, 0.5) for task in published(packages, ((365, 180), (90, 180)), taught=True)]
    every += [(task, 0.25) for task in published(packages, ((30, 180), (90, 30)), taught=True)]
    for shape, season in MADE:
        every += [
            (made_up(shape, season), KIND_WEIGHT * len(KINDS)),
            (made_up(shape, season, name="capped", kinds=CAPPED, each=100), CAPPED_WEIGHT * len(CAPPED)),
            (made_up(shape, season, name="lately", kinds=lately(shape[0]), each=120), LATELY_WEIGHT * len(lately(0))),
            (made_up(shape, season, name="unseen", kinds=UNSEEN), 0.0),
        ]
    return every


def half(task: Task) -> Floats:
    """(n,) which half each window belongs to, clusters kept together."""
    return np.array([zlib.crc32(c.encode()) % 2 for c in task.cluster])


def kept(one: Lesson, chosen: Floats) -> Lesson:
    """Only the *chosen* windows."""
    parts = {name: getattr(one, name)[chosen] for name in ("each", "evidence", "context", "truth", "low", "high")}
    return replace(one, **parts)


def scores(one: Described, widths: Network) -> Scores:
    """Of every window of a task."""
    mean = one.centre[:, None] + one.scale[:, None] * one.mean
    paths = np.stack([mean, *(path for index in (0, 1) for path in ends(one, widths, index))], axis=1)
    return score(one.task.history, one.task.future, paths, one.task.season)


def on_unseen(lessons: list[Lesson], every: list[tuple[Task, float]]) -> list[Scores]:
    """Scores of every task's windows, each by what was trained on the other half."""
    found = []
    for k in (0, 1):
        gate = train_gate([kept(one, half(one.task) != k) for one in lessons if one.weight])
        described = [describe(task, weight, gate) for task, weight in every]
        network = train_network(sheet(described, [half(task) != k for task, _ in every]))
        found.append([scores(one, network) for one in described])
    halves = [half(task) for task, _ in every]
    return [
        Scores(*(np.where(mine == 0, getattr(a, part.name), getattr(b, part.name)) for part in fields(Scores)))
        for mine, a, b in zip(halves, *found, strict=True)
    ]


def row(name: str, found: Scores, cluster: Sequence[str], chosen: Floats) -> str:
    """One line of the table, over the *chosen* windows."""
    groups = np.array(cluster)[chosen].tolist()
    inside = (found.inside80, found.inside95, found.inside80_far)
    shares = ("{:.3f} ± {:.3f}".format(*clustered(x[chosen], groups)) for x in inside)
    rates = (geometric(x[chosen], found.naive_mae[chosen]) for x in (found.mae, found.wis))
    return f"| {name} | {' | '.join(shares)} | {' | '.join(f'{rate:.3f}' for rate in rates)} |"


def check(lessons: list[Lesson], every: list[tuple[Task, float]]) -> None:
    """Train on one half, look at the other, both ways round."""
    page, kinds = [UNSEEN_HEAD], [KINDS_HEAD]
    for (task, _), found in zip(every, on_unseen(lessons, every), strict=True):
        page.append(row(task.name, found, task.cluster, np.ones(len(task.cluster), bool)))
        held = np.array(task.held or [])
        if task.horizon == 180:
            kinds += [row(kind, found, task.cluster, held == kind) for kind in dict.fromkeys(held.tolist())]
        print(page[-1], flush=True)
    UNSEEN_PAGE.write_text("\n".join(page + kinds) + "\n", encoding="utf-8")


def main() -> int:
    """Train and write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="train on halves and print the coverage of the other")
    options = parser.parse_args()
    data, packages = folder(), releases()
    if data is None or packages is None:
        print("HEALTHKIT_BENCH_DATA or HEALTHKIT_BENCH_RELEASES is not set: nothing trained", file=sys.stderr)
        return 0
    every = all_tasks(data, packages)
    lessons = [lesson(task, weight) for task, weight in every]
    if options.check:
        check(lessons, every)
        return 0
    gate = train_gate([one for one in lessons if one.weight])
    described = [describe(task, weight, gate) for task, weight in every]
    widths = train_network(sheet(described, [np.ones(len(t.history), bool) for t, _ in every]))
    write(TARGET, gate, widths, train_reaching(described, widths))
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
