"""A whole journal as a frame: the fast way to the same samples that `journal.read` yields one by one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from healthkit.errors import StoreError
from healthkit.store.journal import decode, parse_path
from healthkit.store.raw import Quality
from healthkit.store.tables import SCHEMA, in_order, milliseconds, readable, to_frame

if TYPE_CHECKING:
    import pandas as pd

_OPTIONS = {
    "read_options": pc.ReadOptions(column_names=["ts", "metric", "device", "value", "crc"]),
    "parse_options": pc.ParseOptions(quote_char=False, escape_char=False),
    "convert_options": pc.ConvertOptions(
        column_types={
            "ts": pa.int64(),
            "metric": pa.dictionary(pa.int32(), pa.string()),
            "device": pa.dictionary(pa.int32(), pa.string()),
            "value": pa.float64(),
            "crc": pa.string(),
        },
        null_values=[],
        strings_can_be_null=False,
    ),
}


@dataclass(frozen=True, slots=True)
class JournalTable:
    """What a journal holds."""

    path: Path
    samples: pd.DataFrame
    """In order, the last written of several for one moment."""
    quality: Quality
    bad_lines: tuple[bytes, ...]
    """Lines with a wrong checksum, as they are: acknowledged samples that were damaged later."""
    size: int
    """Bytes that were read."""


def read_journal(path: Path) -> JournalTable:
    """Everything in a journal.

    Raises:
        FileNotFoundError: It was compacted meanwhile.
        StoreError: It cannot be read.
    """
    host, _ = parse_path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error}") from error
    lines = [line for line in data.split(b"\n") if line and not line.startswith(b"#")]
    good = [line for line in lines if _sound(line)]
    bad = tuple(line for line in lines if not _sound(line)) if len(good) < len(lines) else ()
    damaged = tuple(line for line in bad if _complete(line))
    written = _parse(good, host)
    samples = in_order(written)
    quality = Quality(
        duplicates=_replaced(written, samples),
        clock_steps=int((np.diff(milliseconds(written["ts"])) < -1000).sum()),
        torn=len(bad) - len(damaged),
        damaged=len(damaged),
    )
    return JournalTable(path, samples, quality, damaged, len(data))


def _sound(line: bytes) -> bool:
    try:
        return line[-9:-8] == b"," and int(line[-8:], 16) == zlib.crc32(line[:-9])
    except ValueError:
        return False


def _complete(line: bytes) -> bool:
    """Whether a line was written to its end; a crash leaves a beginning of one."""
    return line.count(b",") >= 4 and len(line.rpartition(b",")[2]) == 8


def _parse(lines: list[bytes], host: str) -> pd.DataFrame:
    """Sound lines as samples, in the order they were written."""
    if not lines:
        return to_frame(SCHEMA.empty_table())
    try:
        table = pc.read_csv(BytesIO(b"\n".join(lines)), **_OPTIONS)
    except pa.ArrowInvalid:  # a sound checksum over something else than five fields
        plain = [line for line in lines if decode(line, host)]
        return _parse(plain, host) if len(plain) < len(lines) else _parse_slowly(lines, host)
    table = table.select(["ts", "metric", "device", "value"])
    ts = table["ts"].cast(SCHEMA.field("ts").type)
    hosts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(table), np.int32)), pa.array([readable(host)]))
    arrays = [ts, hosts, table["metric"], _unquoted(table["device"]), table["value"]]
    return to_frame(pa.Table.from_arrays(arrays, names=SCHEMA.names))


def _parse_slowly(lines: list[bytes], host: str) -> pd.DataFrame:
    samples = [sample for line in lines if (sample := decode(line, host))]
    table = pa.table(
        {
            "ts": pa.array([sample.ts for sample in samples], pa.int64()).cast(SCHEMA.field("ts").type),
            "host": [readable(host)] * len(samples),
            "metric": [sample.metric for sample in samples],
            "device": [readable(sample.device) for sample in samples],
            "value": pa.array([sample.value for sample in samples], pa.float64()),
        }
    )
    return to_frame(table)


def _unquoted(column: pa.ChunkedArray) -> pa.Array:
    """Devices as they are called, from devices as the journal writes them."""
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    names = [readable(unquote(name, errors="surrogateescape")) for name in whole.dictionary.to_pylist()]
    distinct = sorted(set(names))
    codes = np.array([distinct.index(name) for name in names], dtype=np.int32)[whole.indices.to_numpy()]
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(distinct, pa.string()))


def _replaced(written: pd.DataFrame, kept: pd.DataFrame) -> int:
    """Samples that a later one with another value replaced."""
    if len(written) == len(kept):
        return 0
    distinct = ~written.duplicated(["metric", "device", "ts", "value"])
    return int(distinct.sum()) - len(kept)
