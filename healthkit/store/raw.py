"""Samples in Parquet: one day of one host a file, sorted by (host, metric, device, ts).

Encodings: times as differences, names as dictionaries, values split by byte (IEEE 754 doubles of one series share their
upper bytes), all under zstd. Each page carries a CRC-32 that every read verifies; the file's metadata holds the schema
version and a CRC-32 of the rows, which `verify` recomputes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import healthkit
from healthkit.errors import StoreError
from healthkit.schema import SCHEMA_VERSION
from healthkit.store.files import replace_file
from healthkit.store.layout import PartFile, Place
from healthkit.store.tables import NAMES, SCHEMA, milliseconds, series_starts, to_frame, to_table

KEY = b"healthkit"
_FORMAT = ds.ParquetFileFormat(
    dictionary_columns=list(NAMES),
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True),
)
DAMAGE = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowKeyError,
    pa.ArrowTypeError,
    OSError,
    UnicodeDecodeError,
)
"""What Arrow raises for a file that is not, or no longer, what we wrote."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was noticed about the samples of a file when they came in; at least so many."""

    duplicates: int = 0
    """Samples that another sample with a different value for the same moment replaced."""
    clock_steps: int = 0
    """Times the clock went back."""
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


def write_raw(place: Place, path: str, samples: pd.DataFrame, quality: Quality = Quality()) -> None:
    """Write samples (dtypes of the store, in order) as the file *path*, at once or not at all.

    Raises:
        StoreError: It cannot be written.
    """
    table = to_table(samples)
    table = table.replace_schema_metadata(
        {KEY: metadata(rows=len(samples), crc32=checksum(samples), **asdict(quality))}
    )
    write_parquet(place, path, table, {"ts": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}, sizes(samples))


def write_parquet(
    place: Place, path: str, table: pa.Table, encodings: dict[str, str], groups: Sequence[int] = ()
) -> None:
    """Write a table as the store writes all of them: zstd, dictionaries for names, page checksums.

    Args:
        place: The home.
        path: The file.
        table: Its rows, in order, with their metadata.
        encodings: Of the columns that are not dictionaries.
        groups: Rows of each row group; all in one by default.
    """
    names = [name for name in table.column_names if name in NAMES]

    def write(stream: Any) -> None:
        with pq.ParquetWriter(
            stream,
            table.schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=names,
            column_encoding=encodings,
            write_page_checksum=True,
            write_statistics=True,
            version="2.6",
        ) as writer:
            at = 0
            for rows in groups or (len(table),):
                writer.write_table(table.slice(at, rows), row_group_size=max(rows, 1))
                at += rows

    replace_file(place, path, write)


def sizes(samples: pd.DataFrame) -> list[int]:
    """Rows of each host: a row group each, so that a reader of a part finds one host without reading the others."""
    codes = samples["host"].cat.codes.to_numpy()
    edges = np.flatnonzero(np.diff(codes)) + 1
    return np.diff(np.concatenate(([0], edges, [len(codes)]))).tolist()


def metadata(**numbers: Any) -> bytes:
    """What a file says about itself."""
    return json.dumps({"schema": SCHEMA_VERSION, "version": healthkit.__version__, **numbers}).encode()


def read_metadata(place: Place, path: str) -> dict[str, Any]:
    """What a file says about itself.

    Raises:
        StoreError: The file is damaged, not ours, or of a later version of the schema.
    """
    try:
        schema = pq.read_schema(path, filesystem=place.filesystem)
        facts: dict[str, Any] = json.loads((schema.metadata or {})[KEY])
        version = int(facts["schema"])
    except (*DAMAGE, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: damaged, or not a file of the store: {error}") from error
    if version > SCHEMA_VERSION:
        raise StoreError(f"{path}: written by a later version (schema {version}, this is {SCHEMA_VERSION})")
    return facts


def read_quality(place: Place, path: str) -> Quality:
    """What was noticed about the samples of a file.

    Raises:
        StoreError: The file is damaged.
    """
    facts = read_metadata(place, path)
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
    """
    condition = _condition(hosts, metrics, start, end)
    return to_frame(scan(place, [part.path for part in parts], SCHEMA, condition))


def scan(
    place: Place, paths: Sequence[str], schema: pa.Schema, condition: Any = None, *, columns: list[str] | None = None
) -> pa.Table:
    """Rows of Parquet files as one table, file by file.

    Raises:
        StoreError: Names the file that is damaged.
    """
    if not paths:
        empty = schema.empty_table()
        return empty.select(columns) if columns else empty
    try:
        return _scan(place, paths, schema, condition, columns)
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        for path in paths if len(paths) > 1 else ():
            scan(place, [path], schema, condition, columns=columns)  # finds the one and names it
        raise StoreError(f"{paths[0]}: damaged: {error}") from error


def _scan(place: Place, paths: Sequence[str], schema: pa.Schema, condition: Any, columns: list[str] | None) -> pa.Table:
    fragments = [_FORMAT.make_fragment(path, filesystem=place.filesystem) for path in paths]
    return ds.FileSystemDataset(fragments, schema, _FORMAT, place.filesystem).to_table(columns, filter=condition)


def _condition(
    hosts: Collection[str] | None,
    metrics: Collection[str] | None,
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
) -> Any:
    condition = None
    for column, names in (("host", hosts), ("metric", metrics)):
        if names is not None:
            wanted = ds.field(column).isin(pa.array(sorted(names), pa.string()))
            condition = wanted if condition is None else condition & wanted
    for moment, later in ((start, True), (end, False)):
        if moment is not None:
            limit = pa.scalar(int(moment.timestamp() * 1000), pa.int64()).cast(SCHEMA.field("ts").type)
            side = ds.field("ts") >= limit if later else ds.field("ts") < limit
            condition = side if condition is None else condition & side
    return condition


def checksum(samples: pd.DataFrame) -> int:
    """CRC-32 of samples in order: names with the number of their rows, times, values."""
    first = np.flatnonzero(series_starts(samples))
    rows = np.diff(np.append(first, len(samples))).tolist()
    series = zip(*(samples[name].iloc[first] for name in NAMES), rows, strict=True)
    crc = zlib.crc32(json.dumps(list(series)).encode())
    crc = zlib.crc32(np.ascontiguousarray(milliseconds(samples["ts"])), crc)
    return zlib.crc32(np.ascontiguousarray(samples["value"].to_numpy()), crc)
