"""Samples in Parquet: one day of one host a file, sorted by (host, metric, device, ts).

Encodings: times as differences, names as dictionaries. Values are split by byte, which is best for noise (the doubles of
a series share their upper bytes), or left plain, which is best for rounded values (zstd finds the repeated doubles):
whichever is smaller for this host. In a part of many hosts each host is a row group, so that one is found without
reading the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import chain
from operator import and_
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from healthkit.store.parquet_files import read_facts, scan, write_parquet
from healthkit.store.tables import SCHEMA, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.store.files import Replacements
    from healthkit.store.layout import PartFile, Place

_ZSTD = pa.Codec("zstd", 3)


@dataclass(frozen=True, slots=True)
class Quality:
    """What was noticed about the samples of a file when they came in; at least so many."""

    duplicates: int = 0
    """Samples that another sample with a different value for the same moment replaced."""
    clock_steps: int = 0
    """Times the clock went back by more than a second."""
    torn: int = 0
    """Journal lines that a crash cut off."""
    damaged: int = 0
    """Journal lines whose checksum is wrong."""
    simulated: bool = False
    """Whether the samples were made up, for a demo."""

    def __or__(self, other: Quality) -> Quality:
        """Of two accounts of the same day; a compaction that is run again counts nothing twice."""
        return Quality(
            max(self.duplicates, other.duplicates),
            max(self.clock_steps, other.clock_steps),
            max(self.torn, other.torn),
            max(self.damaged, other.damaged),
            self.simulated or other.simulated,
        )


def write_raw(files: Replacements, path: str, hosts: Iterable[pa.Table], quality: Quality) -> None:
    """Write samples as the file *path*, at once or not at all.

    Args:
        files: Where it is put when all are written.
        path: The file.
        hosts: The samples of each host (as `to_table` makes them, in order), by name; at least one.
        quality: What is known about them.

    Raises:
        StoreError: It cannot be written.
    """
    facts: dict[str, Any] = {"rows": 0, **asdict(quality)}
    rest = iter(hosts)
    first = next(rest)
    encodings = {"ts": "DELTA_BINARY_PACKED", "value": smaller_encoding(first["value"].to_numpy())}

    def groups() -> Iterator[pa.Table]:
        for samples in chain([first], rest):
            facts["rows"] += len(samples)
            yield samples

    write_parquet(files, path, groups(), schema=SCHEMA, encodings=encodings, facts=facts)


def smaller_encoding(values: np.ndarray) -> str:
    """The Parquet encoding of doubles that zstd makes least of: `PLAIN` or `BYTE_STREAM_SPLIT`."""
    plain = np.ascontiguousarray(values)
    split = np.ascontiguousarray(plain.view(np.uint8).reshape(-1, 8).T)
    sizes = [len(_ZSTD.compress(data.tobytes(), asbytes=True)) for data in (plain, split)]
    return "PLAIN" if sizes[0] <= sizes[1] else "BYTE_STREAM_SPLIT"


def read_quality(place: Place, path: str) -> Quality:
    """What was noticed about the samples of a file.

    Raises:
        StoreError: The file is damaged.
    """
    facts = read_facts(place, path)
    return Quality(**{name: facts[name] for name in Quality.__slots__ if name in facts})


def read_raw(
    place: Place,
    parts: Sequence[PartFile],
    *,
    hosts: Collection[str] | None = None,
    metrics: Collection[str] | None = None,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """The samples in some files, in the order of the files; only what is asked for is read.

    Raises:
        StoreError: Names the file that is damaged.
        FileNotFoundError: A file is gone: a compaction has put its samples into another one.
    """
    conditions = [
        ds.field(column).isin(pa.array(sorted(names), pa.string()))
        for column, names in (("host", hosts), ("metric", metrics))
        if names is not None
    ]
    if start is not None:
        conditions.append(ds.field("ts") >= _scalar(start))
    if end is not None:
        conditions.append(ds.field("ts") < _scalar(end))
    condition = reduce(and_, conditions) if conditions else None
    return to_frame(scan(place, [part.path for part in parts], SCHEMA, condition, hosts=hosts))


def _scalar(moment: pd.Timestamp) -> pa.Scalar:
    ms = -(-moment.value // 1_000_000)  # rounded up: a bound between two milliseconds excludes the earlier
    return pa.scalar(ms, pa.int64()).cast(SCHEMA.field("ts").type)
