"""Parquet as this store writes it: zstd, dictionaries for names, a CRC-32 for every page, and what a file says of itself.

The page checksums are verified by every read. The file's metadata holds, under `healthkit`, the schema version and a
CRC-32 of the rows, which `verify` computes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import healthkit
from healthkit.errors import StoreError
from healthkit.schema import SCHEMA_VERSION
from healthkit.store.files import replace_file
from healthkit.store.tables import NAMES

if TYPE_CHECKING:
    from healthkit.store.layout import Place

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
    place: Place,
    path: str,
    groups: Iterable[pa.Table],
    *,
    schema: pa.Schema,
    encodings: Mapping[str, str],
    facts: Mapping[str, Any],
) -> None:
    """Write tables as the row groups of one file, at once or not at all.

    Args:
        place: The home.
        path: The file.
        groups: Tables of one schema, written as they come.
        schema: Of all of them.
        encodings: Of the columns that are not names.
        facts: What the file is to say of itself; read when the last group is written.

    Raises:
        StoreError: It cannot be written.
    """

    def write(stream: Any) -> None:
        with pq.ParquetWriter(
            stream,
            schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=list(NAMES),
            column_encoding=dict(encodings),
            write_page_checksum=True,
            version="2.6",
        ) as writer:
            for table in groups:
                writer.write_table(table, row_group_size=max(len(table), 1))
            said = {"schema": SCHEMA_VERSION, "version": healthkit.__version__, **facts}
            writer.add_key_value_metadata({KEY: json.dumps(said)})

    replace_file(place, path, write)


def read_facts(place: Place, path: str) -> dict[str, Any]:
    """What a file says of itself.

    Raises:
        LaterSchemaError: It was written by a later version of healthkit.
        StoreError: It is damaged, or not ours.
        FileNotFoundError: It is gone.
    """
    try:
        metadata = pq.read_metadata(path, filesystem=place.filesystem).metadata or {}
        facts: dict[str, Any] = json.loads(metadata[KEY])
        version = int(facts["schema"])
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise StoreError(f"{path}: damaged, or not a file of the store: {_first_line(error)}") from error
    if version > SCHEMA_VERSION:
        raise LaterSchemaError(f"{path}: written by a later version (schema {version}, this is {SCHEMA_VERSION})")
    return facts


def read_groups(place: Place, path: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The row groups of a file, one after the other.

    Raises:
        StoreError: It is damaged.
        FileNotFoundError: It is gone.
    """
    try:
        with pq.ParquetFile(
            path, filesystem=place.filesystem, read_dictionary=list(NAMES), page_checksum_verification=True
        ) as file:
            for number in range(file.num_row_groups):
                yield _sound(file.read_row_group(number, columns=schema.names).cast(schema))
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise StoreError(f"{path}: damaged: {_first_line(error)}") from error


def scan(
    place: Place, paths: Sequence[str], schema: pa.Schema, condition: Any = None, *, columns: list[str] | None = None
) -> pa.Table:
    """Rows of files as one table, file by file; row groups that cannot meet the condition are not read.

    Raises:
        StoreError: Names the file that is damaged.
        FileNotFoundError: A file is gone.
    """
    if not paths:
        empty = schema.empty_table()
        return empty.select(columns) if columns else empty
    try:
        fragments = [_FORMAT.make_fragment(path, filesystem=place.filesystem) for path in paths]
        dataset = ds.FileSystemDataset(fragments, schema, _FORMAT, place.filesystem)
        return _sound(dataset.to_table(columns, filter=condition))
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        for path in paths if len(paths) > 1 else ():
            scan(place, [path], schema, condition, columns=columns)  # finds the one and names it
        raise StoreError(f"{paths[0]}: damaged: {_first_line(error)}") from error


def _sound(table: pa.Table) -> pa.Table:
    """The table, if no value is missing and no name points nowhere: what a flipped bit outside of the pages can do.

    Raises:
        ValueError: It is not.
    """
    table.validate(full=True)
    empty = [name for name in table.column_names if table[name].null_count]
    if empty:
        raise ValueError(f"{', '.join(empty)}: values are missing")
    return table


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
