"""What a store holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pyarrow.compute as pc

from healthkit.quantities import quantity
from healthkit.schema import SCHEMA_VERSION
from healthkit.store.journal import parse_path
from healthkit.store.journal_tables import read_journal
from healthkit.store.layout import Home, PartFile, Place, daily_files, journals, raw_files
from healthkit.store.parquet_files import read_facts, scan
from healthkit.store.rollup_files import SCHEMA as ROLLUP_SCHEMA


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a store holds, in numbers."""

    hosts: tuple[str, ...]
    """Names, sorted."""
    metrics: tuple[str, ...]
    """Names, sorted."""
    days: int
    """Days (UTC) of which there are samples."""
    files: int
    """Parquet files and journals."""
    samples: int
    """Samples in raw Parquet; those in journals not counted."""
    raw_bytes: int
    """Size of raw Parquet."""
    daily_bytes: int
    """Size of the rollups."""
    journal_bytes: int
    """Size of the journals."""
    bytes_per_sample: float | None
    """Of raw Parquet; None where there is none."""
    oldest: date | None
    """First day with samples or a rollup of them."""
    newest: date | None
    """Last day with samples."""
    schema_version: int
    """Of what this version writes."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        days = {"oldest": self.oldest, "newest": self.newest}
        return asdict(self) | {name: day.isoformat() if day else None for name, day in days.items()}

    def __str__(self) -> str:
        if self.oldest is None or self.newest is None:
            return "nothing is stored"
        size = quantity(self.raw_bytes + self.daily_bytes + self.journal_bytes, "bytes")
        hosts = f"{len(self.hosts)} host{'' if len(self.hosts) == 1 else 's'}"
        many = f"{hosts}, {len(self.metrics)} metrics, {self.samples:,} samples"
        return f"{many} of {self.days} days, {self.oldest} to {self.newest}, in {self.files} files of {size}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        rows = [("Hosts", ", ".join(self.hosts)), ("Metrics", ", ".join(self.metrics))]
        return bundle("inventory", str(self), self.as_dict(), columns=("", "Names"), rows=rows)


def hosts(home: Home) -> tuple[str, ...]:
    """Names of the hosts that the store knows, sorted.

    Raises:
        StoreError: A part of many hosts is damaged, and is named.
    """
    place = Place.open(home)
    found = {parse_path(path)[0] for path in journals(place)}
    files = [*raw_files(place), *daily_files(place)]
    found |= {part.host for part in files if part.host is not None}
    many = [part.path for part in daily_files(place) if part.host is None]
    found |= set(_distinct(place, many, "host"))
    return tuple(sorted(found))


def metrics(home: Home) -> tuple[str, ...]:
    """Names of the metrics that the store knows, sorted.

    Raises:
        StoreError: A file is damaged, and is named.
    """
    place = Place.open(home)
    found = set(_distinct(place, [part.path for part in daily_files(place)], "metric"))
    for path in journals(place):
        found |= set(read_journal(path).samples["metric"].cat.categories)
    return tuple(sorted(found))


def info(home: Home) -> Inventory:
    """What the store of a home holds; all empty where there is none.

    Raises:
        StoreError: A file is damaged, and is named.
    """
    place = Place.open(home)
    raw, daily, fresh = raw_files(place), daily_files(place), journals(place)
    samples = sum(int(read_facts(place, part.path)["rows"]) for part in raw)
    days = {part.first for part in raw} | {parse_path(path)[1] for path in fresh}
    oldest = _oldest_rollup(place, daily)
    size = sum(part.size for part in raw)
    return Inventory(
        hosts=hosts(home),
        metrics=metrics(home),
        days=len(days),
        files=len(raw) + len(daily) + len(fresh),
        samples=samples,
        raw_bytes=size,
        daily_bytes=sum(part.size for part in daily),
        journal_bytes=sum(path.stat().st_size for path in fresh),
        bytes_per_sample=size / samples if samples else None,
        oldest=min([*days, *oldest], default=None),
        newest=max(days, default=None),
        schema_version=SCHEMA_VERSION,
    )


def _oldest_rollup(place: Place, daily: list[PartFile]) -> list[date]:
    if not daily:
        return []
    first = min(part.first for part in daily)
    table = scan(place, [part.path for part in daily if part.first == first], ROLLUP_SCHEMA, columns=["date"])
    return [pc.min(table["date"]).as_py()] if len(table) else []


def _distinct(place: Place, paths: list[str], column: str) -> list[str]:
    table = scan(place, paths, ROLLUP_SCHEMA, columns=[column])
    return (
        [str(name) for name in pc.unique(table[column].unify_dictionaries().cast("string")).to_pylist()]
        if len(table)
        else []
    )
