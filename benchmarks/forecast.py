"""Compare the forecaster with what people use today, and write ``docs/forecast-benchmark.md``.

    HEALTHKIT_BENCH_DATA=DIR HEALTHKIT_BENCH_RELEASES=FILE python benchmarks/forecast.py [--peers NAME,..] [--windows N] [--cache DIR] [--timing N]

Peers are slow, so their forecasts are kept in ``--cache`` and made for at most ``--windows`` windows of each task, drawn
at random; every ratio compares the same windows. Optional peers (statsforecast, prophet) are skipped by name when they
are not installed. Pin it to one core (``taskset -c 1``) for the timing. Peers may also be measured in an environment of
their own: fill the cache there with ``--only-peers``, then run here with the same cache.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from forecast_peers import forecast_window, peers
from forecast_scaling import scaling
from forecast_scores import bootstrap_ratio, clustered, crossing, crossing_scores, geometric, limits, score
from forecast_tasks import Floats, Task, folder, published, releases, tasks

KNOWN_PEERS = (
    "Naive", "SeasonalNaive", "OLS line", "runbook", "statsmodels Theta", "statsmodels ETS",
    "AutoTheta", "DynamicOptimizedTheta", "AutoETS", "Prophet",
)  # fmt: skip
SHAPES = ((365, 180), (90, 180), (90, 30))
TARGET = Path(__file__).parents[1] / "docs" / "forecast-benchmark.md"
HEAD = """# Forecasts: measured

`python benchmarks/forecast.py` writes this page; the data are described in `benchmarks/forecast_tasks.py`. rMAE and rWIS: geometric
mean over windows of the mean absolute error and of the weighted interval score (median, 80 % and 95 % interval), each divided
by the MAE of the last value carried forward; smaller is better. Coverage: share of future values inside the 80 % and the 95 %
interval, and of those in the last third of the horizon inside the 80 % interval, ± one standard error clustered by repository,
kind or series. Crossing: error in steps of the first day at a limit, F1 of "within the horizon", share of the crossings that
happen inside the 80 % interval. "ours / peer" is our rMAE over theirs, then our rWIS over theirs, on the same windows with a
95 % bootstrap interval (clusters drawn).
M4 Weekly is not among the data: the weekly task is storage growth by week. "kept" and "release" are what public packages keep
and release (`benchmarks/release_histories.py`), windows whose history is one value left out: of those that had not changed for
90 days, about three in ten stayed so for another 180.

These packages, a third of those collected, are never trained on: their coverage is out of sample. The constants were trained on
the other packages and on all other series of this page, whose coverage out of sample is in `docs/forecast-coverage.md`.
"""


@dataclass(frozen=True, slots=True)
class Made:
    """One forecaster's paths for some windows of a task."""

    rows: Floats
    paths: Floats
    """(n, 5, h): mean, lower 80, upper 80, lower 95, upper 95"""
    milliseconds: float
    crossings: tuple[Floats, ...] | None = None
    """(n, k) median, lower, upper in steps, where the forecaster has its own"""


def ours(task: Task) -> Made:
    """Healthkit's forecasts of every window."""
    from healthkit.forecasts import forecast_many

    began = time.process_time()
    batch = forecast_many(
        task.history, task.horizon, season=task.season, lower_bound=task.lower_bound, upper_bound=task.upper_bound
    )
    spent = 1e3 * (time.process_time() - began) / len(task.history)
    paths = np.stack([batch.mean, batch.lower[80], batch.upper[80], batch.lower[95], batch.upper[95]], axis=1)
    levels = np.nan_to_num(limits(task.history, percent=task.upper_bound is not None), nan=np.inf)
    found = [batch.crossing(level) for level in levels.T]
    return Made(np.arange(len(paths)), paths, spent, tuple(np.stack(part, axis=1) for part in zip(*found, strict=True)))


def theirs(name: str, task: Task, most: int, cache: Path, *, make: bool) -> Made | None:
    """A peer's forecasts, the most that the cache holds; None when neither cached nor, if *make*, installed."""
    digest = hashlib.sha256(np.nan_to_num(task.history).tobytes()).hexdigest()[:12]
    files = {int(file.stem.split()[-2]): file for file in cache.glob(f"{task.name} {name} * {digest}.npz")}
    if files and (not make or max(files) >= most):
        kept = np.load(files[max(files)])
        return Made(kept["rows"], kept["paths"], float(kept["milliseconds"]))
    peer = peers().get(name)
    if peer is None or not make:
        return None
    rows = np.sort(np.random.default_rng(0).permutation(len(task.history))[:most])
    forecast_window(peer, task.history[rows[0]], task.horizon, task.season)
    began = time.process_time()
    paths = np.stack([forecast_window(peer, task.history[i], task.horizon, task.season) for i in rows])
    made = Made(rows, paths, 1e3 * (time.process_time() - began) / len(rows))
    cache.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        cache / f"{task.name} {name} {most} {digest}.npz", rows=rows, paths=paths, milliseconds=made.milliseconds
    )
    return made


def crossed(task: Task, made: Made) -> str:
    """The crossing columns of one line."""
    if task.horizon < 100:
        return "- | - | -"
    levels = limits(task.history[made.rows], percent=task.upper_bound is not None)
    truth = (task.future if task.noiseless is None else task.noiseless)[made.rows]
    columns: list[list[Floats]] = [[], [], [], []]
    for k, level in enumerate(levels.T):
        good = np.isfinite(level)
        columns[0].append(crossing(truth[good], level[good]))
        for j, path in enumerate((0, 2, 1)):
            own = made.crossings[j][made.rows, k][good] if made.crossings else None
            columns[j + 1].append(crossing(made.paths[good, path], level[good]) if own is None else own)
    found = crossing_scores(*(np.concatenate(column) for column in columns), task.horizon)
    return f"{found['error']:.1f} | {found['f1']:.3f} | {found['covered']:.2f}"


def line(task: Task, name: str, made: Made, against: Made) -> str:
    """One row of the table."""
    found = score(task.history[made.rows], task.future[made.rows], made.paths, task.season)
    cluster = [task.cluster[i] for i in made.rows]
    inside = (found.inside80, found.inside95, found.inside80_far)
    shares = " | ".join("{:.3f} ± {:.3f}".format(*clustered(x, cluster)) for x in inside)
    mine = score(task.history[made.rows], task.future[made.rows], against.paths[made.rows], task.season)
    ratio = "-"
    if made is not against:
        ratio = "{:.3f} ({:.2f}-{:.2f})".format(*bootstrap_ratio(mine.mae, found.mae, found.naive_mae, cluster))
        ratio += ", WIS {:.2f} ({:.2f}-{:.2f})".format(*bootstrap_ratio(mine.wis, found.wis, found.naive_mae, cluster))
    rate = geometric(found.mae, found.naive_mae)
    return (
        f"| {name} | {len(made.rows)} | {rate:.3f} | {np.nanmedian(found.mase):.2f} | {geometric(found.wis, found.naive_mae):.3f} "
        f"| {shares} | {crossed(task, made)} | {made.milliseconds:.2f} | {ratio} |"
    )


def timing(task: Task, rounds: int) -> list[str]:
    """Milliseconds per series, ours in a batch and alone and the peers, interleaved so that all share the machine's moods."""
    from healthkit.forecasts import forecast_many

    present = {
        name: peer for name, peer in peers().items() if name in {"AutoETS", "DynamicOptimizedTheta", "AutoTheta"}
    }
    batch = task.history[:200]
    spent: dict[str, list[float]] = {"ours, batch of 200": [], "ours, one series": [], **{name: [] for name in present}}
    for i in range(rounds):
        row = task.history[i]
        began = time.process_time()
        forecast_many(batch, task.horizon, season=task.season)
        spent["ours, batch of 200"].append((time.process_time() - began) / len(batch))
        began = time.process_time()
        forecast_many(row[None, :], task.horizon, season=task.season)
        spent["ours, one series"].append(time.process_time() - began)
        for name, peer in present.items():
            began = time.process_time()
            forecast_window(peer, row, task.horizon, task.season)
            spent[name].append(time.process_time() - began)
    base = np.mean(spent["ours, batch of 200"])
    rows = [f"| {name} | {1e3 * np.mean(times):.2f} | {np.mean(times) / base:.0f} |" for name, times in spent.items()]
    title = f"\n## Time per series, {task.name}, {rounds} rounds interleaved\n\n| | CPU ms | times ours in a batch |\n|---|---|---|\n"
    return [title + "\n".join(rows)]


def main() -> int:
    """Run the tasks and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(KNOWN_PEERS), help="names, comma-separated")
    parser.add_argument("--windows", type=int, default=120, help="most windows per task for a peer")
    parser.add_argument(
        "--cache", type=Path, default=Path("build/forecast-peers"), help="where peers' forecasts are kept"
    )
    parser.add_argument("--cached", action="store_true", help="show of the slow peers only what the cache holds")
    parser.add_argument("--timing", type=int, default=10, help="rounds of the interleaved timing; 0 = none")
    parser.add_argument("--only-peers", action="store_true", help="fill the cache and write nothing")
    options = parser.parse_args()
    data = folder()
    if data is None:
        print("HEALTHKIT_BENCH_DATA is not set: nothing measured", file=sys.stderr)
        return 0
    every, page, missing = tasks(data), [HEAD], set()
    if packages := releases():
        every += published(packages, SHAPES, taught=False)
    else:
        print("HEALTHKIT_BENCH_RELEASES is not set: packages left out", file=sys.stderr)
    for task in every:
        mine = None if options.only_peers else ours(task)
        titles = "| | windows | rMAE | MASE, median | rWIS | inside 80 % | inside 95 % | far inside 80 % | crossing error | F1 | inside | ms | ours / peer |"
        rows = [f"\n## {task.name}\n\n{titles}\n|" + "---|" * 13]
        rows += [line(task, "**healthkit**", mine, mine)] if mine else []
        for name in options.peers.split(","):
            slow = name not in {"Naive", "SeasonalNaive", "OLS line", "runbook"}
            made = theirs(name, task, options.windows, options.cache, make=not (slow and options.cached))
            if made is None:
                missing.add(f"{name} ({task.name})")
            elif mine:
                rows.append(line(task, name, made, mine))
        print("\n".join(rows), file=sys.stderr, flush=True)
        page.append("\n".join(rows))
    if options.timing and not options.only_peers:
        page += [*timing(every[0], options.timing), scaling(every[0].history, every[0].horizon)]
    page += [f"\nNot measured: {', '.join(sorted(missing))}."] if missing else []
    if not options.only_peers:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text("\n".join(page) + "\n", encoding="utf-8")
        print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
