"""Samples and rollups of a home, whatever they lie in: Parquet of past days and the journal of today.

A reader takes no lock. It reads the journals first and lists the Parquet files after that: a compaction writes Parquet
before it deletes a journal, so whatever has left the one place has already arrived in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime

import pandas as pd

from healthkit.errors import ParameterError, StoreError
from healthkit.periods import Period
from healthkit.store.journal import parse_path
from healthkit.store.journal_tables import JournalTable, read_journal
from healthkit.store.layout import Home, Place, journals, raw_files
from healthkit.store.rates import LOOK_BACK
from healthkit.store.rates import rates as rates_of
from healthkit.store.raw import read_raw
from healthkit.store.rollup import roll_up
from healthkit.store.rollup_files import merge_rows, read_rollup
from healthkit.store.tables import union

Moment = datetime | date | str
Names = str | Collection[str]
_ATTEMPTS = 5


def load(
    home: Home,
    *,
    period: Period | str | None = None,
    hosts: Names | None = None,
    metrics: Names | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    rates: bool = True,
) -> pd.DataFrame:
    """Samples as a tidy frame; only the days, hosts and metrics asked for are read.

    Args:
        home: The directory, or `s3://bucket/prefix`.
        period: Label such as `2026-W47`, or a `Period`.
        hosts: Names; all by default.
        metrics: Names; all by default.
        start: First moment: an aware datetime, a date or ISO text (UTC where it has no zone). Narrows *period*.
        end: First moment that no longer belongs to it.
        rates: Counters as rates per second. A counter's first sample, or one after a reset or after more than a day
            without one, is then NaN; the last sample before *start* is looked at so that midnight costs none.
            False: counters as they were read.

    Returns:
        Columns `ts` (datetime64[ms, UTC]), `host`, `metric`, `device` (categorical) and `value` (float64), sorted by
        host, metric, device and ts. Units: `schema.rate_unit(metric)`, or `schema.unit(metric)` with `rates=False`.

    Raises:
        StoreError: A file is damaged, and is named.
        ParameterError: The period is not written so, or a bound has no time zone.
    """
    first, last = _bounds(period, start, end)
    place = Place.open(home)
    before = first - LOOK_BACK if rates and first is not None else first
    samples = _samples(place, _names(hosts), _names(metrics), before, last)
    if rates:
        samples["value"] = rates_of(samples)
    if before is not first:
        samples = samples.loc[(samples["ts"] >= first).to_numpy()].reset_index(drop=True)
    samples.attrs["rates"] = rates
    return samples


def load_rollup(
    home: Home,
    *,
    period: Period | str | None = None,
    hosts: Names | None = None,
    metrics: Names | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> pd.DataFrame:
    """Statistics of whole days (UTC); those that still lie in a journal, today among them, are rolled up on the fly.

    Args:
        home: As for `load`, like the others; a day belongs to it when its midnight does.
        period: Label such as `2026-W47`, or a `Period`.
        hosts: Names; all by default.
        metrics: Names; all by default.
        start: First moment.
        end: First moment that no longer belongs to it.

    Returns:
        `date` (datetime64[ms, UTC], midnight), `host`, `metric`, `device` (categorical), `n` (samples), `coverage`
        (share of the day), `min`, `max`, `mean`, `last`, and `q` (array of the quantiles at 0, 5, ... 100 %), sorted by
        host, metric, device and date. Of counters all of it is about the rates per second.

    Raises:
        StoreError: A file is damaged, and is named.
        ParameterError: The period is not written so, or a bound has no time zone.
    """
    lower, upper = _bounds(period, start, end)
    first = lower.ceil("D").date() if lower is not None else date.min
    last = (upper.ceil("D") - pd.Timedelta(days=1)).date() if upper is not None else date.max
    place = Place.open(home)
    wanted, names = _names(hosts), _names(metrics)
    fresh = _retried(lambda: roll_up_pending(place, first=first, last=last, hosts=wanted, metrics=names))
    stored = _retried(lambda: read_rollup(place, first=first, last=last, hosts=wanted, metrics=names))
    return merge_rows([stored, fresh])


def roll_up_pending(
    place: Place, *, first: date, last: date, hosts: Collection[str] | None, metrics: Collection[str] | None
) -> pd.DataFrame:
    """The statistics of the days that have a journal."""
    days: dict[date, list[str]] = {}
    for path in journals(place, first=first, last=last, hosts=hosts):
        host, day = parse_path(path)
        days.setdefault(day, []).append(host)
    return merge_rows(
        [roll_up_days(place, day, day, hosts=found, metrics=metrics) for day, found in sorted(days.items())]
    )


def roll_up_days(
    place: Place,
    first: date,
    last: date,
    *,
    hosts: Collection[str],
    metrics: Collection[str] | None = None,
    pending: bool = True,
) -> pd.DataFrame:
    """The statistics of the days from *first* to *last*, both included, from their samples.

    Args:
        place: The home.
        first: A day.
        last: A day.
        hosts: Their names.
        metrics: Names; all by default.
        pending: Whether samples that still lie in a journal count.

    Raises:
        StoreError: A file is damaged, and is named.
    """
    start = pd.Timestamp(first, tz="UTC")
    end = pd.Timestamp(last, tz="UTC") + pd.Timedelta(days=1)
    samples = _samples(place, hosts, metrics, start - LOOK_BACK, end, pending=pending)
    values = rates_of(samples)
    inside = (samples["ts"] >= start).to_numpy()
    return roll_up(samples.loc[inside].reset_index(drop=True), values[inside])


def _samples(
    place: Place,
    hosts: Collection[str] | None,
    metrics: Collection[str] | None,
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
    *,
    pending: bool = True,
) -> pd.DataFrame:
    """Samples as stored, from Parquet and journals, with start <= ts < end."""
    first = start.date() if start is not None else date.min
    last = (end - pd.Timedelta(1, "ms")).date() if end is not None else date.max

    def read() -> pd.DataFrame:
        fresh = [table.samples for table in _journals(place, first, last, hosts)] if pending else []
        parts = raw_files(place, first=first, last=last, hosts=hosts)
        stored = read_raw(place, parts, hosts=hosts, metrics=metrics, start=start, end=end)
        return union([stored, *(_within(frame, metrics, start, end) for frame in fresh)])

    return _retried(read)


def _journals(place: Place, first: date, last: date, hosts: Collection[str] | None) -> Sequence[JournalTable]:
    tables = []
    for path in journals(place, first=first, last=last, hosts=hosts):
        try:
            tables.append(read_journal(path))
        except FileNotFoundError:
            continue  # compacted since it was listed: its samples are in Parquet by now
    return tables


def _within(
    frame: pd.DataFrame, metrics: Collection[str] | None, start: pd.Timestamp | None, end: pd.Timestamp | None
) -> pd.DataFrame:
    rows = pd.Series(data=True, index=frame.index)
    if metrics is not None:
        rows &= frame["metric"].isin(metrics)
    if start is not None:
        rows &= frame["ts"] >= start
    if end is not None:
        rows &= frame["ts"] < end
    return frame.loc[rows]


def _retried(read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Read again when a file that was listed is gone: a compaction has put its rows into another one."""
    for _ in range(_ATTEMPTS):
        try:
            return read()
        except FileNotFoundError as error:
            gone = error
    raise StoreError(f"the store changes faster than it can be read: {gone}") from gone


def _bounds(
    period: Period | str | None, start: Moment | None, end: Moment | None
) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    if isinstance(period, str):
        period = Period.parse(period)
    lower = [_moment(start, "start")] if start is not None else []
    upper = [_moment(end, "end")] if end is not None else []
    if period is not None:
        lower.append(pd.Timestamp(period.start))
        upper.append(pd.Timestamp(period.end))
    return (max(lower) if lower else None, min(upper) if upper else None)


def _moment(when: Moment, name: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(when)
    except ValueError as error:
        raise ParameterError(f"{name} {when!r}: not a time") from error
    if moment.tzinfo is None:
        if isinstance(when, datetime):
            raise ParameterError(f"{name} {when!r} has no time zone")
        moment = moment.tz_localize("UTC")
    return moment.tz_convert("UTC")


def _names(names: Names | None) -> tuple[str, ...] | None:
    return (names,) if isinstance(names, str) else None if names is None else tuple(names)
