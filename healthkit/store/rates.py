"""Counters as rates per second.

A counter's first sample has no rate, nor has the first one after a reset (it fell), nor one that comes more than a day
after its predecessor: NaN, kept, never zero. The rule of Prometheus' `rate` differs: it takes the value after a reset as
growth from zero, which is a lower bound and not a measurement.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from healthkit import schema
from healthkit.store.tables import milliseconds, series_starts

LOOK_BACK = pd.Timedelta(days=1)
"""How old the previous sample of a counter may be for a rate."""


def is_counter(metric: pd.Series) -> np.ndarray:
    """Row by row, whether a categorical column of metric names says counter."""
    names = metric.cat.categories
    kinds = np.fromiter((schema.kind(name) == "counter" for name in names), dtype=bool, count=len(names))
    return kinds[metric.cat.codes.to_numpy()] if len(names) else np.zeros(len(metric), dtype=bool)


def rates(samples: pd.DataFrame) -> np.ndarray:
    """The values of *samples* (sorted by host, metric, device, ts; categorical names), counters as rates per second."""
    values = samples["value"].to_numpy(dtype=float, copy=True)
    counter = is_counter(samples["metric"])
    rows = np.flatnonzero(counter)
    if not len(rows):
        return values
    same = ~series_starts(samples)[rows]
    previous = np.maximum(rows - 1, 0)
    ts = milliseconds(samples["ts"])
    gap = ts[rows] - ts[previous]
    rise = values[rows] - values[previous]
    known = same & (rise >= 0) & (gap > 0) & (gap <= LOOK_BACK // pd.Timedelta(milliseconds=1))
    rate = np.full(len(rows), np.nan)
    np.divide(rise * 1000.0, gap, out=rate, where=known)
    values[rows] = rate
    return values
