"""Samples into the store in bulk: an import, a simulated fleet, the journals of past days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from healthkit.store.files import locked, remove_file
from healthkit.store.layout import Home, Place, daily_files, raw_files, raw_path
from healthkit.store.loading import roll_up_days
from healthkit.store.parquet_files import read_facts
from healthkit.store.raw import Quality, read_quality, read_raw, write_raw
from healthkit.store.rollup_files import merge_rows, write_rollup
from healthkit.store.tables import milliseconds, tidy, union

if TYPE_CHECKING:
    import pandas as pd

_DAY = timedelta(days=1)
_DAY_MS = 86_400_000


def write_samples(home: Home, samples: pd.DataFrame, *, simulated: bool = False) -> None:
    """Write samples, with their rollups; where the store knows a sample of the same moment, the new value wins.

    Args:
        home: The directory, or `s3://bucket/prefix`.
        samples: Columns ts (aware), host, metric, device, value; counters as they were read, not as rates.
        simulated: Mark the files as made up.

    Raises:
        BadSeries: A column is missing or has values it cannot have.
        StoreError: The store cannot be written, or a file that the samples belong to is damaged.
    """
    place = Place.open(home)
    frame = tidy(samples)
    with locked(place):
        for host, rows in frame.groupby("host", observed=True, sort=True):
            days = merge_samples(place, str(host), rows, Quality(simulated=simulated))
            refresh_rollup(place, str(host), days, simulated=simulated)


def merge_samples(place: Place, host: str, samples: pd.DataFrame, quality: Quality) -> list[date]:
    """Merge samples of one host into the Parquet files of their days; the lock is held.

    Returns:
        The days that were written.

    Raises:
        StoreError: A file is damaged, or cannot be written.
    """
    day = milliseconds(samples["ts"]) // _DAY_MS
    written = []
    for number in np.unique(day):
        when = date(1970, 1, 1) + timedelta(days=int(number))
        path = raw_path(place, host, when)
        known = [part for part in raw_files(place, first=when, last=when, hosts=[host]) if part.path == path]
        before = read_quality(place, path) if known else Quality()
        new = samples.loc[day == number]
        rows = union([read_raw(place, known), new]) if known else new
        write_raw(place, path, [rows], before | quality)
        written.append(when)
    return written


def refresh_rollup(place: Place, host: str, days: list[date], *, simulated: bool = False) -> None:
    """Roll up days of a host again, and the days after them, whose first rates need the last sample before midnight.

    Raises:
        StoreError: A file is damaged, or cannot be written.
    """
    after = {day + _DAY for day in days} - set(days)
    stale = sorted([*days, *(day for day in after if raw_files(place, first=day, last=day, hosts=[host]))])
    rows = merge_rows([roll_up_days(place, first, last, hosts=[host], pending=False) for first, last in _runs(stale)])
    if len(rows):
        write_rollup(place, host, rows, simulated=simulated)


def _runs(days: list[date]) -> list[tuple[date, date]]:
    """First and last day of each unbroken run of ascending days."""
    edges = [at for at in range(1, len(days)) if days[at] - days[at - 1] != _DAY]
    return [(days[at], days[end - 1]) for at, end in zip([0, *edges], [*edges, len(days)], strict=True) if days]


def remove_simulated(home: Home) -> None:
    """Delete the Parquet files that are marked as made up.

    Raises:
        StoreError: A file is damaged, or cannot be deleted.
    """
    place = Place.open(home)
    with locked(place):
        for part in [*raw_files(place), *daily_files(place)]:
            if read_facts(place, part.path).get("simulated"):
                remove_file(place, part.path)
