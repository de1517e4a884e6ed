"""Many small files become one: a fleet's day, a fleet's month.

Ten thousand hosts write ten thousand files a day, and opening them takes longer than reading them. A part holds the rows
of many hosts, each host a row group, sorted by host. It replaces the files that went into it: it is complete before they
are deleted, and until then a reader sees the same rows twice and takes them once. What arrives late lies beside it in
the host's own file, which is newer and wins.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from healthkit.store.files import locked, remove_file, replacing
from healthkit.store.layout import MANY_HOSTS, SUFFIX, Home, Place, daily_files, raw_files
from healthkit.store.parquet_files import read_facts
from healthkit.store.raw import Quality, read_quality, read_raw, write_raw
from healthkit.store.rollup_files import merge_rows, read_parts, replace_rollup
from healthkit.store.tables import to_table, union
from healthkit.store.verification import hosts_of

if TYPE_CHECKING:
    import pyarrow as pa

    from healthkit.store.layout import PartFile


@dataclass(frozen=True, slots=True)
class Merge:
    """What was merged."""

    before: int
    """Files that were replaced ..."""
    after: int
    """... by so many."""

    def __str__(self) -> str:
        return f"{self.before} files became {self.after}"


def compact_parts(home: Home, *, before: date | None = None) -> Merge:
    """Merge the files of each past day, and of each past month of rollups, into one part.

    Run it on one machine of the fleet. Simulated files stay as they are.

    Args:
        home: The directory or bucket.
        before: Only earlier days, and months that ended earlier; today (UTC) by default.

    Raises:
        StoreError: A file is damaged, or the store cannot be written.
    """
    place = Place.open(home)
    today = before or datetime.now(UTC).date()
    yesterday, last_month = today - timedelta(days=1), today.replace(day=1) - timedelta(days=1)
    merged = []
    with locked(place):
        for parts in _crowds(place, raw_files(place, last=yesterday)):
            _merge_raw(place, parts)
            merged.append(len(parts))
        for parts in _crowds(place, daily_files(place, last=last_month)):
            _merge_daily(place, parts)
            merged.append(len(parts))
    return Merge(sum(merged), len(merged))


def _crowds(place: Place, parts: list[PartFile]) -> Iterator[list[PartFile]]:
    """Real files of one day or month, where there are several."""
    for _, together in groupby(parts, key=lambda part: part.first):
        real = [part for part in together if not read_facts(place, part.path).get("simulated")]
        if len(real) > 1:
            yield real


def _merge_raw(place: Place, parts: list[PartFile]) -> None:
    holders: dict[str, list[PartFile]] = {}
    for part in parts:
        for host in hosts_of(place, part):
            holders.setdefault(host, []).append(part)

    def hosts() -> Iterator[pa.Table]:
        for host, holding in sorted(holders.items()):
            yield to_table(union([read_raw(place, holding, hosts=[host])]))

    seen = [read_quality(place, part.path) for part in parts]
    quality = Quality(
        duplicates=sum(one.duplicates for one in seen),
        clock_steps=sum(one.clock_steps for one in seen),
        torn=sum(one.torn for one in seen),
        damaged=sum(one.damaged for one in seen),
    )
    path = _part_path(parts)
    with replacing(place) as files:
        write_raw(files, path, hosts(), quality)
    _remove(place, parts, path)


def _merge_daily(place: Place, parts: list[PartFile]) -> None:
    path = _part_path(parts)
    with replacing(place) as files:
        replace_rollup(files, path, merge_rows([read_parts(place, parts)]))
    _remove(place, parts, path)


def _part_path(parts: list[PartFile]) -> str:
    """A name that the parts of other homes do not have."""
    folder = parts[0].path.rpartition("/")[0]
    crc = zlib.crc32("\n".join(f"{part.path.rpartition('/')[2]} {part.size}" for part in parts).encode())
    return f"{folder}/hosts{MANY_HOSTS}{crc:08x}{SUFFIX}"


def _remove(place: Place, parts: list[PartFile], kept: str) -> None:
    for part in parts:
        if part.path != kept:
            remove_file(place, part.path)
