"""The statistics of a day: one row per date, host, metric and device.

Reports read these rows and touch samples only for the days they zoom into. The 21 quantiles are a sketch of the day's
distribution: the percentile of a longer period comes from merging them, never from averaging daily percentiles.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from healthkit.store.coverage import DAY_MS, coverage
from healthkit.store.tables import milliseconds, series_starts

QUANTILES = tuple(step / 20 for step in range(21))
"""The grid of column `q`: minimum, 5 %, ... 95 %, maximum."""

ROLLUP_COLUMNS = ("date", "host", "metric", "device", "n", "coverage", "min", "max", "mean", "last", "q")

_CELLS = 4_000_000  # values sorted at a time: bounds the memory


def roll_up(samples: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    """Daily statistics of samples.

    Args:
        samples: Sorted by host, metric, device and ts; names categorical.
        values: One per sample, counters as rates. What is not finite was not measured: it counts in no statistic.

    Returns:
        `date` (midnight UTC), `host`, `metric`, `device`, `n` (finite values), `coverage` (share of the day), `min`,
        `max`, `mean`, `last` and `q` (an array of 21 quantiles each, interpolated as NumPy's `linear`,
        to 16 significant bits; ends exact); NaN where n = 0.
    """
    ts = milliseconds(samples["ts"])
    day = ts // DAY_MS
    starts = series_starts(samples)
    starts[1:] |= day[1:] != day[:-1]
    first = np.flatnonzero(starts)
    group = np.cumsum(starts) - 1

    finite = np.isfinite(values)
    n = np.bincount(group[finite], minlength=len(first))
    measured, at = values[finite], ts[finite]
    statistics = np.full((len(first), 5), np.nan)  # coverage, min, max, mean, last
    statistics[:, 0] = 0
    grid = np.full((len(first), len(QUANTILES)), np.nan)
    for rows, cells in _equally_long(n):
        block = measured[cells]
        statistics[rows, 0] = coverage(at[cells])
        statistics[rows, 4] = block[:, -1]
        statistics[rows, 3] = block.mean(axis=1)
        block.sort(axis=1)
        statistics[rows, 1] = block[:, 0]
        statistics[rows, 2] = block[:, -1]
        grid[rows] = _quantiles(block)

    frame = samples[["host", "metric", "device"]].iloc[first].reset_index(drop=True)
    frame.insert(0, "date", pd.to_datetime(day[first] * DAY_MS, unit="ms", utc=True).as_unit("ms"))
    frame["n"] = n
    frame[["coverage", "min", "max", "mean", "last"]] = statistics
    frame["q"] = as_rows(grid)
    return frame


def _equally_long(n: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Groups with the same number of values, and the positions of these values: (k,) and (k, n).

    A host's series nearly all have the same length, and sorting the rows of one matrix is many times faster than sorting
    thousands of slices.
    """
    first = np.cumsum(n) - n
    for length in np.unique(n[n > 0]):
        rows = np.flatnonzero(n == length)
        step = max(1, _CELLS // int(length))
        for chunk in (rows[at : at + step] for at in range(0, len(rows), step)):
            yield chunk, first[chunk][:, None] + np.arange(length)


def _quantiles(ordered: np.ndarray) -> np.ndarray:
    """The grid of quantiles of each row of (k, n) ascending values: (k, 21)."""
    position = np.array(QUANTILES) * (ordered.shape[1] - 1)
    below = np.floor(position).astype(int)
    share = position - below
    low = ordered[:, below]
    high = ordered[:, np.minimum(below + 1, ordered.shape[1] - 1)]
    step = high - low
    # from the nearer end, as NumPy does: monotone, and exact at both ends
    grid = np.where(share < 0.5, low + step * share, high - step * (1 - share))
    return bounded(single(grid).astype(float), ordered[:, 0], ordered[:, -1])


def single(values: np.ndarray) -> np.ndarray:
    """Numbers as single floats with 16 significant bits, each within 1/65536 (15 ppm) of what it was.

    A quantile of a day is not known better: what follows is noise that would double the size of the rollup.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    spare = 24 - 16
    infinite = np.uint32(0x7F80_0000)
    rounded = (bits + np.uint32(1 << (spare - 1))) & ~np.uint32((1 << spare) - 1)
    special = (bits & infinite) == infinite
    kept: np.ndarray = np.where(special, bits, rounded).view(np.float32)
    return kept


def bounded(grid: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Grids of quantiles with exact ends, and within them what rounding took out; (k, 21), changed in place."""
    grid[:, 0], grid[:, -1] = least, most
    np.clip(grid, least[:, None], most[:, None], out=grid)
    return grid


def as_rows(grid: np.ndarray) -> pd.Series:
    """A matrix as a column of arrays."""
    column = np.empty(len(grid), dtype=object)
    column[:] = list(grid)
    return pd.Series(column)
