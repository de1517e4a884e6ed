"""Samples into the store in bulk: an import, a simulated fleet, the journals of past days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from healthkit.store.files import Replacements, locked, remove_file, replacing
from healthkit.store.layout import Home, Place, daily_files, raw_files, raw_path
from healthkit.store.loading import roll_up_days
from healthkit.store.parquet_files import read_facts, scan
from healthkit.store.rates import rates
from healthkit.store.raw import Quality, read_quality, write_raw
from healthkit.store.rollup import roll_up
from healthkit.store.rollup_files import merge_rows, write_rollup
from healthkit.store.tables import SCHEMA, milliseconds, tidy, to_frame, to_table, union

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
    quality = Quality(simulated=simulated)
    frames = {str(host): rows for host, rows in tidy(samples).groupby("host", observed=True, sort=True)}
    with locked(place):
        rollups, stale = [], []
        with replacing(place) as files:
            for host, rows in frames.items():
                days = _days(rows)
                if _is_news(place, host, days):
                    rollups.append((host, roll_up(rows.reset_index(drop=True), rates(rows))))
                else:
                    stale.append((host, days))
                merge_samples(files, host, rows, quality)
        with replacing(place) as files:
            for host, rows in rollups:
                write_rollup(files, host, rows, simulated=simulated)
            for host, days in stale:
                refresh_rollup(files, host, days, simulated=simulated)


def _days(samples: pd.DataFrame) -> list[date]:
    """The days of samples, ascending."""
    return [_date(number) for number in np.unique(milliseconds(samples["ts"]) // _DAY_MS)]


def _date(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def _is_news(place: Place, host: str, days: list[date]) -> bool:
    """Whether the store has no samples of the host that the statistics of these days could depend on, nor they on these."""
    return not raw_files(place, first=days[0] - _DAY, last=days[-1] + _DAY, hosts=[host])


def merge_samples(files: Replacements, host: str, samples: pd.DataFrame, quality: Quality) -> list[date]:
    """Merge samples of one host into the Parquet files of their days; the lock is held.

    Returns:
        The days that were written.

    Raises:
        StoreError: A file is damaged, or cannot be written.
    """
    place = files.place
    day = milliseconds(samples["ts"]) // _DAY_MS
    order = np.argsort(day, kind="stable")
    table = to_table(samples.take(order))
    numbers, starts, counts = np.unique(day[order], return_index=True, return_counts=True)
    days = [_date(number) for number in numbers]
    for when, start, count in zip(days, starts.tolist(), counts.tolist(), strict=True):
        path, new, before = raw_path(place, host, when), table.slice(start, count), Quality()
        if place.has(path):
            before = read_quality(place, path)
            new = to_table(union([to_frame(scan(place, [path], SCHEMA)), to_frame(new)]))
        write_raw(files, path, [new], before | quality)
    return days


def refresh_rollup(files: Replacements, host: str, days: list[date], *, simulated: bool = False) -> None:
    """Roll up days of a host again, and the days after them, whose first rates need the last sample before midnight.

    Raises:
        StoreError: A file is damaged, or cannot be written.
    """
    place = files.place
    after = {day + _DAY for day in days} - set(days)
    stale = sorted([*days, *(day for day in after if raw_files(place, first=day, last=day, hosts=[host]))])
    rows = merge_rows([roll_up_days(place, first, last, hosts=[host], pending=False) for first, last in _runs(stale)])
    if len(rows):
        write_rollup(files, host, rows, simulated=simulated)


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
