"""How cost grows with the number of series: seconds and memory of one batch, each size in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
SIZES = (1_000, 10_000, 100_000)
HEAD = """
## Many series in one call

365 steps of history, 180 ahead, drawn from the first task and rescaled. Working memory: the process's peak, interpreter and
libraries included, less the table that comes in and the five of 180 steps that go out.

| series | CPU s | CPU ms a series | returned MB | working MB |
|---|---|---|---|---|"""


def many(history: Floats, n: int) -> Floats:
    """(n, n_obs) rows of *history* drawn at random, each in a unit of its own."""
    rng = np.random.default_rng(0)
    return history[rng.integers(0, len(history), n)] * np.exp(rng.normal(0, 3, n))[:, None]


def spend(history: Floats, n: int, horizon: int) -> tuple[float, float, float]:
    """CPU seconds, MB returned and MB of working memory of one batch of *n*."""
    from healthkit.forecasts import forecast_many

    table = many(history, n)
    forecast_many(table[:200], horizon)  # what the first call alone costs is not counted
    began = time.process_time()
    batch = forecast_many(table, horizon)
    spent = time.process_time() - began
    held = sum(path.nbytes for path in (batch.mean, *batch.lower.values(), *batch.upper.values())) / 2**20
    return spent, held, peak() - held - table.nbytes / 2**20


def peak() -> float:
    """MB of this process at its largest: VmHWM of proc(5). What getrusage(2) tells begins with the parent's size."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def scaling(history: Floats, horizon: int) -> str:
    """The section of the page."""
    lines = [HEAD]
    for n in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            spent, held, working = pool.apply(spend, (history, n, horizon))
        lines.append(f"| {n} | {spent:.1f} | {1e3 * spent / n:.2f} | {held:.0f} | {working:.0f} |")
    return "\n".join(lines)
