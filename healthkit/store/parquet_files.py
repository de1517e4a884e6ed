"""Parquet as this store writes it: zstd, dictionaries for names, sealed, and what a file says of itself.

The file's metadata holds, under `healthkit`, the schema version, what is known about the rows, and the checksums of
`seals`: what is read is what was written, or an error that names the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

import healthkit
from healthkit.errors import StoreError
from healthkit.schema import SCHEMA_VERSION
from healthkit.store.seals import MAGIC, SealedStream, footer_size, unseal, unsealed_version
from healthkit.store.tables import NAMES

if TYPE_CHECKING:
    from healthkit.store.files import Replacements
    from healthkit.store.layout import Place

KEY = b"healthkit"
_AT_ONCE = 4 * 1024**2
"""Bytes: files up to this size are read in one go, others row group by row group."""
_THREADS = 4
DAMAGE = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowKeyError,
    pa.ArrowTypeError,
    pa.ArrowMemoryError,  # a length that a flipped bit made huge
    OSError,
    ValueError,
    KeyError,
    TypeError,
)
"""What Arrow and JSON raise for a file that is not, or no longer, what we wrote."""


class LaterSchemaError(StoreError):
    """A file was written by a later version of healthkit: nothing is wrong with it."""


def write_parquet(
    files: Replacements,
    path: str,
    groups: Iterable[pa.Table],
    *,
    schema: pa.Schema,
    encodings: Mapping[str, str],
    facts: Mapping[str, Any],
) -> None:
    """Write tables as the row groups of one file, at once or not at all.

    Args:
        files: Where it is put when all are written.
        path: The file.
        groups: Tables of one schema, written as they come.
        schema: Of all of them.
        encodings: Of the columns that are not names.
        facts: What the file is to say of itself; read when the last group is written.

    Raises:
        StoreError: It cannot be written.
    """
    files.write(path, lambda stream: _write(stream, groups, schema, encodings, facts))


def _write(
    stream: Any, groups: Iterable[pa.Table], schema: pa.Schema, encodings: Mapping[str, str], facts: Mapping[str, Any]
) -> None:
    sealed = SealedStream(stream)
    with pq.ParquetWriter(
        sealed,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=list(NAMES),
        column_encoding=dict(encodings),
        write_statistics=[schema.names[0], *NAMES],
        write_page_checksum=True,
        version="2.6",
    ) as writer:
        for table in groups:
            writer.write_table(table, row_group_size=max(len(table), 1))
            sealed.end_group()
        said = sealed.facts({"schema": SCHEMA_VERSION, "version": healthkit.__version__, **facts})
        writer.add_key_value_metadata({KEY: said})
    sealed.seal()


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A file that is open, and whose footer is what was written."""

    source: Any
    """`pyarrow.NativeFile`: the file, or the memory that holds all of it."""
    facts: dict[str, Any]

    def tables(self, columns: list[str], hosts: Collection[str] | None = None) -> Iterator[pa.Table]:
        """The row groups that can hold rows of *hosts*."""
        with pq.ParquetFile(self.source, read_dictionary=list(NAMES)) as file:
            start = 0
            for number, (end, crc) in enumerate(self.facts["groups"]):
                if hosts is None or _holds(file.metadata.row_group(number), hosts):
                    if zlib.crc32(self.source.read_at(end - start, start)) != crc:
                        raise ValueError(f"bytes {start} to {end} are not what was written")
                    yield file.read_row_group(number, columns=columns, use_threads=False)
                start = end


def _holds(group: Any, hosts: Collection[str]) -> bool:
    columns = (group.column(number) for number in range(group.num_columns))
    statistics = next(column.statistics for column in columns if column.path_in_schema == "host")
    return statistics is None or any(statistics.min <= host <= statistics.max for host in hosts)


@contextmanager
def _opened(place: Place, path: str) -> Iterator[_Sealed]:
    """A file to be read; whatever is wrong with it, until it is closed, is a StoreError that names it.

    Raises:
        LaterSchemaError: It was written by a later version of healthkit.
        StoreError: It is damaged, or not ours.
        FileNotFoundError: It is gone.
    """
    try:
        with place.filesystem.open_input_file(path) as file:
            size = file.size()
            source = file if size > _AT_ONCE else pa.BufferReader(file.read_buffer())
            if size < 2 * len(MAGIC) or source.read_at(len(MAGIC), 0) != MAGIC:
                raise ValueError("it does not begin as a Parquet file")
            footer = source.read_at(length := footer_size(source.read_at(8, size - 8)), max(size - length, 0))
            if (version := unsealed_version(footer)) <= SCHEMA_VERSION:
                facts = unseal(footer)
                version = int(facts["schema"])
            if version > SCHEMA_VERSION:
                raise LaterSchemaError(
                    f"{path}: written by a later version (schema {version}, this is {SCHEMA_VERSION})"
                )
            yield _Sealed(source, facts)
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise StoreError(f"{path}: damaged, or not a file of the store: {_first_line(error)}") from error


def read_facts(place: Place, path: str) -> dict[str, Any]:
    """What a file says of itself.

    Raises:
        LaterSchemaError: It was written by a later version of healthkit.
        StoreError: It is damaged, or not ours.
        FileNotFoundError: It is gone.
    """
    with _opened(place, path) as file:
        return file.facts


def read_groups(place: Place, path: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The row groups of a file, one after the other.

    Raises:
        LaterSchemaError: It was written by a later version of healthkit.
        StoreError: It is damaged.
        FileNotFoundError: It is gone.
    """
    with _opened(place, path) as file:
        for table in file.tables(schema.names):
            yield _typed(table, schema)


def scan(
    place: Place,
    paths: Sequence[str],
    schema: pa.Schema,
    condition: Any = None,
    *,
    hosts: Collection[str] | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """Rows of files as one table, file by file.

    Args:
        place: The home.
        paths: The files.
        schema: Of all of them.
        condition: An expression of `pyarrow.dataset` that rows must meet; it may be about *columns* only.
        hosts: Row groups of other hosts are not read.
        columns: Names; all by default.

    Raises:
        StoreError: Names the file that is damaged.
        FileNotFoundError: A file is gone.
    """
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    with ThreadPoolExecutor(min(_THREADS, max(len(paths), 1))) as threads:
        tables = list(threads.map(_rows, repeat(place), paths, repeat(wanted), repeat(condition), repeat(hosts)))
    return pa.concat_tables([wanted.empty_table(), *tables])


def _rows(place: Place, path: str, schema: pa.Schema, condition: Any, hosts: Collection[str] | None) -> pa.Table:
    with _opened(place, path) as file:
        table = pa.concat_tables(
            [schema.empty_table(), *(_typed(part, schema) for part in file.tables(schema.names, hosts))]
        )
        return table if condition is None else table.filter(condition)


def _typed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table if table.schema.equals(schema) else table.cast(schema)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
