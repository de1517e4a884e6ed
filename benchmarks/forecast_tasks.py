"""The forecasting tasks: development series cut into windows of history and future."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Task:
    """Windows of one kind: what a forecaster sees and what came after."""

    name: str
    """Data set and shape: "git 365-180"."""
    season: int
    """Steps per season (7, 24, 1 = none)."""
    history: Floats
    """(n_windows, n_obs), NaN = missing."""
    future: Floats
    """(n_windows, horizon), NaN = missing."""
    series: tuple[str, ...]
    """Series each window is from."""
    cluster: tuple[str, ...]
    """What windows share when they are not independent: the repository, the kind, the series."""
    lower_bound: float | None = None
    upper_bound: float | None = None
    noiseless: Floats | None = None
    """(n_windows, horizon) the future without its noise, where it is known: what a limit crossing is judged by."""
    held: tuple[str, ...] | None = None
    """What each window's coverage is held together with in training; None = all windows of the task."""

    @property
    def horizon(self) -> int:
        """Steps to forecast."""
        return self.future.shape[1]

    @property
    def bounds(self) -> Floats:
        """(2, n_windows) what no value is below and above; infinite where there is no bound."""
        low = -np.inf if self.lower_bound is None else self.lower_bound
        high = np.inf if self.upper_bound is None else self.upper_bound
        return np.repeat([[low], [high]], len(self.history), axis=1)


def cut(
    name: str,
    values: dict[str, Floats],
    shape: tuple[int, int],
    *,
    season: int,
    most: int,
    stride: int,
    cluster: str = "series",
    bounds: tuple[float | None, float | None] = (None, None),
) -> Task:
    """Windows of *shape* (history, horizon) from the end of each series backwards, at most *most* per series."""
    n, h = shape
    pasts, futures, names = [], [], []
    for key, y in values.items():
        end, taken = len(y), 0
        while end >= n + h and taken < most:
            past, future = y[end - n - h : end - h], y[end - h : end]
            if np.isfinite(past).mean() >= 0.8 and np.isfinite(future).mean() >= 0.8:
                pasts.append(past)
                futures.append(future)
                names.append(key)
                taken += 1
            end -= stride
    groups = names if cluster == "series" else [key.split("/")[0] for key in names]
    return Task(name, season, np.array(pasts), np.array(futures), tuple(names), tuple(groups), *bounds)


def read(name: str, folder: Path) -> dict[str, Floats]:
    """Every series of one data file, oldest value first."""
    frame = pd.read_parquet(folder / "forecast" / f"{name}.parquet").sort_values(["series", "ts"])
    return {str(key): group.to_numpy(dtype=float) for key, group in frame.groupby("series")["value"]}


def every(days: int, values: dict[str, Floats]) -> dict[str, Floats]:
    """Last value of each stretch of *days*. M4 Weekly is not among the data: real storage by week stands in for it."""
    return {key: y[::-1][::days][::-1] for key, y in values.items()}


def folder() -> Path | None:
    """Where the development data are: the environment variable HEALTHKIT_BENCH_DATA, or None."""
    path = os.environ.get("HEALTHKIT_BENCH_DATA")
    return Path(path) if path else None


def releases() -> Path | None:
    """Where the histories of public packages are, which `release_histories.py` collects: HEALTHKIT_BENCH_RELEASES, or None."""
    path = os.environ.get("HEALTHKIT_BENCH_RELEASES")
    return Path(path) if path else None


def moving(task: Task) -> Task:
    """The windows whose history is not all one value: from that, no scale of what may come can be learned."""
    moves = np.nanmax(task.history, axis=1) > np.nanmin(task.history, axis=1)
    series, cluster = (tuple(np.array(names)[moves].tolist()) for names in (task.series, task.cluster))
    return replace(task, history=task.history[moves], future=task.future[moves], series=series, cluster=cluster)


def published(file: Path, shapes: Sequence[tuple[int, int]], *, taught: bool) -> list[Task]:
    """What public packages keep and what they release: storage in steps, which only grows, or goes up and down.

    Two thirds of the packages, drawn by name, may be trained on (*taught*); the others never are, so that there is something
    to measure on that no constant has seen.
    """
    frame, found = pd.read_parquet(file), []
    for kind in ("kept", "release"):
        those = frame[frame["series"].str.endswith(f"/{kind}")].groupby("series")["value"]
        values = {str(name): y.to_numpy(float) for name, y in those}
        values = {name: y for name, y in values.items() if (zlib.crc32(name.split("/")[0].encode()) % 3 > 0) == taught}
        for n, h in shapes:
            windows = cut(f"{kind} {n}-{h}", values, (n, h), season=7, most=99, stride=700, cluster="repository")
            found.append(moving(windows))
    return found


def simulated(data: Path, shape: tuple[int, int]) -> Task:
    """Windows of the simulated disks, in per cent, with their noise-free future."""
    options = {"season": 7, "most": 2, "stride": 180, "bounds": (0.0, 100.0)}
    seen = cut(f"synth {shape[0]}-{shape[1]}", read("synth_capacity_dev", data), shape, **options)
    truth = cut("", read("synth_capacity_dev_clean", data), shape, **options)
    return replace(seen, noiseless=truth.future)


def tasks(data: Path, stride: int = 270) -> list[Task]:
    """All tasks over the development data; windows of daily storage start every *stride* days."""
    git = read("git_growth_dev", data)
    nab, m4 = read("nab_hourly", data), read("m4_hourly_dev", data)
    repo = {"cluster": "repository"}
    return [
        cut("git 365-180", git, (365, 180), season=7, most=99, stride=stride, **repo),
        cut("git 90-180", git, (90, 180), season=7, most=99, stride=stride, **repo),
        cut("git 90-30", git, (90, 30), season=7, most=99, stride=stride, **repo),
        simulated(data, (365, 180)),
        simulated(data, (90, 180)),
        simulated(data, (90, 30)),
        cut("nab 336-48", nab, (336, 48), season=24, most=12, stride=101),
        cut("nab 288-48", nab, (288, 48), season=24, most=12, stride=101),
        cut("m4h 336-48", m4, (336, 48), season=24, most=3, stride=131),
        cut("m4h 288-48", m4, (288, 48), season=24, most=3, stride=131),
        cut("git weekly 260-13", every(7, git), (260, 13), season=1, most=99, stride=30, **repo),
    ]


def further(data: Path) -> list[Task]:
    """Windows of other shapes, never scored: so that the constants do not only fit the shapes that are.

    A month of history is what a new installation has.
    """
    git, nab, m4 = (read(name, data) for name in ("git_growth_dev", "nab_hourly", "m4_hourly_dev"))
    return [
        cut("git 30-180", git, (30, 180), season=7, most=99, stride=200, cluster="repository"),
        cut("git 45-60", git, (45, 60), season=7, most=99, stride=200, cluster="repository"),
        simulated(data, (30, 180)),
        cut("git 180-90", git, (180, 90), season=7, most=99, stride=200, cluster="repository"),
        cut("git 365-30", git, (365, 30), season=7, most=99, stride=200, cluster="repository"),
        cut("git 540-120", git, (540, 120), season=7, most=99, stride=200, cluster="repository"),
        cut("git weekly 104-26", every(7, git), (104, 26), season=1, most=99, stride=30, cluster="repository"),
        cut("nab 240-24", nab, (240, 24), season=24, most=12, stride=101),
        cut("m4h 240-24", m4, (240, 24), season=24, most=3, stride=131),
    ]


def thinned(data: Path, stride: int) -> list[Task]:
    """Storage looked at every second and third day, never scored: it moves as no repository at hand does day by day."""
    git = read("git_growth_dev", data)
    return [
        cut(f"git/{days} {n}-180", every(days, git), (n, 180), season=7, most=99, stride=stride, cluster="repository")
        for days in (2, 3)
        for n in (365, 90, 30)
    ]
