"""Journals of past days become Parquet: samples, then rollup, then the journal goes.

Each step leaves files that are old or new as a whole, and a journal is deleted only after its samples and statistics are
on disk. A compaction that is killed anywhere is simply run again: a day that then lies in both places is read as the
union, and merged by the next run.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from healthkit.errors import StoreError
from healthkit.store.files import locked, replacing, sync_folder
from healthkit.store.journal import parse_path
from healthkit.store.journal_tables import JournalTable, read_journal
from healthkit.store.layout import DAMAGED, Home, Place, journals
from healthkit.store.writing import merge_samples, refresh_rollup


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did."""

    journals: int
    """Journals that became Parquet."""
    samples: int
    """Samples in them."""
    torn: int
    """Lines that a crash had cut off, dropped."""
    damaged: int
    """Lines with a wrong checksum, kept in `<journal>.damaged`."""

    def __str__(self) -> str:
        bad = f", {self.torn} torn and {self.damaged} damaged lines" if self.torn or self.damaged else ""
        return f"{self.journals} journals, {self.samples} samples compacted{bad}"


def compact(home: Home, *, before: date | None = None, host: str | None = None) -> Compaction:
    """Turn journals into Parquet and delete them.

    Args:
        home: The directory.
        before: Only journals of earlier days; today (UTC) by default.
        host: Only its journals; all by default.

    Raises:
        StoreError: A journal or the Parquet file of its day is damaged or cannot be written. All other journals are
            compacted first; the message names every file.
    """
    place = Place.open(home)
    last = (before or datetime.now(UTC).date()) - timedelta(days=1)
    tables, failures = [], []
    with locked(place):
        for path in journals(place, last=last, hosts=None if host is None else [host]):
            try:
                tables.append(_compact(place, path))
            except StoreError as error:
                failures.append(str(error))
    if failures:
        raise StoreError("; ".join(failures))
    return Compaction(
        journals=len(tables),
        samples=sum(len(table.samples) for table in tables),
        torn=sum(table.quality.torn for table in tables),
        damaged=sum(table.quality.damaged for table in tables),
    )


def _compact(place: Place, path: Path) -> JournalTable:
    table = read_journal(path)
    host, _ = parse_path(path)
    with replacing(place) as files:
        days = merge_samples(files, host, table.samples, table.quality)
    with replacing(place) as files:
        refresh_rollup(files, host, days)
    try:
        _remove(table)
    except OSError as error:
        raise StoreError(f"{path}: cannot be removed: {error}") from error
    return table


def _remove(table: JournalTable) -> None:
    """Delete a journal whose samples are in Parquet, unless a collector has appended to it since it was read."""
    with table.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # `Journal.append` holds it while it writes
        if file.seek(0, 2) != table.size:
            return  # the next compaction takes the rest
        if table.bad_lines:
            _set_aside(table)
        table.path.unlink()
    sync_folder(table.path.parent)


def _set_aside(table: JournalTable) -> None:
    """Keep damaged lines: nobody knows what they said, but somebody may find out."""
    with table.path.with_name(table.path.name + DAMAGED).open("wb") as file:
        file.writelines(line + b"\n" for line in table.bad_lines)
        file.flush()
        os.fsync(file.fileno())
