"""Samples are kept for a while; their daily statistics for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from healthkit.errors import ParameterError
from healthkit.store.files import locked, remove_file
from healthkit.store.layout import Home, Place, daily_files, raw_files
from healthkit.store.verification import hosts_of, missing_rollups


@dataclass(frozen=True, slots=True)
class Expiry:
    """What was deleted."""

    files: int
    """Parquet files of samples."""
    size: int
    """Their bytes."""
    kept: int
    """Files that are old enough and stay, because a host in them has no rollup of the day yet."""

    def __str__(self) -> str:
        kept = f"; {self.kept} kept, which have no rollup: run `healthkit store repair`" if self.kept else ""
        return f"{self.files} files of samples deleted, {self.size} bytes{kept}"


def expire(home: Home, *, keep_raw: float | timedelta, now: datetime | None = None) -> Expiry:
    """Delete the samples of days that ended longer than *keep_raw* ago, if their rollup is there.

    Args:
        home: The directory or bucket.
        keep_raw: How long samples are kept: seconds, or a timedelta.
        now: The time to count from; the current one by default.

    Raises:
        ParameterError: *keep_raw* is negative.
        StoreError: A file is damaged, or the store cannot be written.
    """
    age = keep_raw if isinstance(keep_raw, timedelta) else timedelta(seconds=keep_raw)
    if age < timedelta(0):
        raise ParameterError(f"keep_raw {keep_raw!r}: not negative")
    last = ((now or datetime.now(UTC)).astimezone(UTC) - age).date() - timedelta(days=1)
    place = Place.open(home)
    with locked(place):
        old = raw_files(place, last=last)
        missing = missing_rollups(place, old, daily_files(place, last=last))
        kept = [part for part in old if any(part.first in missing.get(host, ()) for host in hosts_of(place, part))]
        gone = [part for part in old if part not in kept]
        for part in gone:
            remove_file(place, part.path)
    return Expiry(len(gone), sum(part.size for part in gone), len(kept))
