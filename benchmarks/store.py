"""What the store costs: bytes per sample, time to write and to read, next to plain Parquet as pandas writes it.

    python benchmarks/store.py [--hosts 20] [--days 90] [--every 1h] [--raw-days 3]

The rollup is that of the simulated fleet; bytes per sample and the reading of samples are measured on *raw-days* days at
one sample a minute. The answers of both ways are compared before their times are printed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from healthkit import store
from healthkit.demo import demo_data, write_demo

END = datetime(2026, 11, 23, tzinfo=UTC)


def timed(call: Callable[[], Any], repeat: int = 3) -> tuple[str, Any]:
    """Best wall-clock and CPU seconds of several runs, and the result."""
    best, cpu, result = np.inf, np.inf, None
    for _ in range(repeat):
        wall, used = time.perf_counter(), time.process_time()
        result = call()
        best, cpu = min(best, time.perf_counter() - wall), min(cpu, time.process_time() - used)
    return f"{best:.3f} s (CPU {cpu:.3f})", result


def measure_raw(folder: Path, *, hosts: int, days: int) -> None:
    """Bytes per sample, and reading a day, a metric and everything."""
    samples = demo_data(hosts=hosts, days=days, end=END, every="1min")
    print(f"{hosts} hosts x {days} days at 1 min = {len(samples)} samples")
    row("", "healthkit", "plain Parquet")
    home, plain = folder / "raw", folder / "plain.parquet"
    text = samples.astype({"host": "str", "metric": "str", "device": "str"})
    ours, _ = timed(lambda: store.write_samples(home, samples), 1)
    theirs, _ = timed(lambda: text.to_parquet(plain), 1)
    row("write (ours with rollup)", ours, theirs)
    row("bytes per sample", f"{store.info(home).bytes_per_sample:.3f}", f"{plain.stat().st_size / len(samples):.3f}")
    start = END - timedelta(days=1)
    name = "cpu_busy_ratio"
    busy, since = ("metric", "==", name), ("ts", ">=", start)
    compare(
        "one metric, one day",
        lambda: store.load(home, start=start, metrics=name),
        lambda: pd.read_parquet(plain, filters=[busy, since]),
    )
    compare(
        "one metric, all days",
        lambda: store.load(home, metrics=name),
        lambda: pd.read_parquet(plain, filters=[busy]),
    )
    compare("everything, as counted", lambda: store.load(home, rates=False), lambda: pd.read_parquet(plain))


def measure_rollup(folder: Path, *, hosts: int, days: int, every: str) -> None:
    """Reading the statistics of a fleet, and one p95 per host and day."""
    home = folder / "demo"
    cost, _ = timed(lambda: write_demo(home, hosts=hosts, days=days, end=END, every=every), 1)
    info = store.info(home)
    print(f"\nrollup of {hosts} hosts x {days} days, {info.samples} samples at {every}")
    row("simulate and write", cost)
    cost, rollup = timed(lambda: store.load_rollup(home))
    row(f"load_rollup, {len(rollup)} rows", cost, f"{info.daily_bytes / len(rollup):.1f} bytes a row")
    row("load_rollup, one metric", timed(lambda: store.load_rollup(home, metrics="cpu_busy_ratio"))[0])
    names = rollup["host"].cat.categories
    cost, _ = timed(lambda: [store.select(rollup, "cpu_busy_ratio", host=host, how="p95") for host in names])
    row(f"daily p95 of {len(names)} hosts", cost)


def compare(what: str, ours: Callable[[], pd.DataFrame], theirs: Callable[[], pd.DataFrame]) -> None:
    """Time two ways to the same samples."""
    cost, one = timed(ours)
    plain_cost, other = timed(theirs)
    if len(one) != len(other) or not np.isclose(one["value"].sum(), other["value"].sum()):
        raise SystemExit(f"{what}: the two ways differ")
    row(what, cost, plain_cost)


def row(*cells: str) -> None:
    """One line of the table."""
    print(f"{cells[0]:32}" + "".join(f"{cell:>28}" for cell in cells[1:]))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--every", default="1h")
    parser.add_argument("--raw-days", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_raw(Path(folder), hosts=min(options.hosts, 5), days=options.raw_days)
        measure_rollup(Path(folder), hosts=options.hosts, days=options.days, every=options.every)


if __name__ == "__main__":
    main()
