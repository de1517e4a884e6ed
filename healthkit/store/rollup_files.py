"""Rollups in Parquet: the days of a month of one host a file.

The inner quantiles are the columns `p05` ... `p95`, which any reader of Parquet can use; the outer two are `min` and `max`.
Single floats of 16 significant bits, split by byte, take half the room of doubles, and the byte that is always zero none.

Where two files, or a file and a fresh computation, know the same day of a series, the row with more samples wins, and of
equals the later: samples that were expired or damaged after the day was rolled up do not take its statistics along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from healthkit.store.layout import PartFile, Place, daily_files, daily_path
from healthkit.store.parquet_files import scan, write_parquet
from healthkit.store.rollup import QUANTILES, ROLLUP_COLUMNS, as_rows, bounded, single
from healthkit.store.tables import NAMES, milliseconds, to_categorical, to_dictionary

if TYPE_CHECKING:
    from healthkit.store.files import Replacements

_NAME = pa.dictionary(pa.int32(), pa.string())
_INNER = tuple(f"p{round(100 * share):02d}" for share in QUANTILES[1:-1])
_NUMBERS = ("coverage", "min", "max", "mean", "last")
SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        *((name, _NAME) for name in NAMES),
        ("n", pa.int32()),
        *((name, pa.float64()) for name in _NUMBERS),
        *((name, pa.float32()) for name in _INNER),
    ]
)
_ENCODINGS = dict.fromkeys(("date", "n"), "DELTA_BINARY_PACKED") | dict.fromkeys(
    (*_NUMBERS, *_INNER), "BYTE_STREAM_SPLIT"
)


def read_rollup(
    place: Place,
    *,
    hosts: Collection[str] | None = None,
    metrics: Collection[str] | None = None,
    first: date = date.min,
    last: date = date.max,
) -> pd.DataFrame:
    """The rows of the files, from the day *first* to *last*, both included.

    Raises:
        StoreError: Names the file that is damaged.
    """
    conditions = []
    if first > date.min:
        conditions.append(ds.field("date") >= pa.scalar(first))
    if last < date.max:
        conditions.append(ds.field("date") <= pa.scalar(last))
    conditions.extend(
        ds.field(column).isin(pa.array(sorted(names), pa.string()))
        for column, names in (("host", hosts), ("metric", metrics))
        if names is not None
    )
    condition = reduce(and_, conditions) if conditions else None
    paths = [part.path for part in daily_files(place, first=first, last=last, hosts=hosts)]
    return to_rollup(scan(place, paths, SCHEMA, condition, hosts=hosts))


def read_parts(place: Place, parts: Sequence[PartFile]) -> pd.DataFrame:
    """All rows of some files.

    Raises:
        StoreError: Names the file that is damaged.
    """
    return to_rollup(scan(place, [part.path for part in parts], SCHEMA))


def write_rollup(files: Replacements, host: str, rows: pd.DataFrame, *, simulated: bool = False) -> None:
    """Merge rows of one host into the files of their months.

    Raises:
        StoreError: A file is damaged, or cannot be written.
    """
    place = files.place
    months = rows["date"].dt.tz_localize(None).dt.to_period("M")
    for month in sorted(months.unique()):
        path = daily_path(place, host, month.start_time.date())
        old = [to_rollup(scan(place, [path], SCHEMA))] if place.has(path) else []
        replace_rollup(files, path, merge_rows([*old, rows[months == month]]), simulated=simulated)


def replace_rollup(files: Replacements, path: str, rows: pd.DataFrame, *, simulated: bool = False) -> None:
    """Write rows as the file *path*, at once or not at all.

    Raises:
        StoreError: It cannot be written.
    """
    facts = {"rows": len(rows), "simulated": simulated}
    write_parquet(files, path, [_to_table(rows)], schema=SCHEMA, encodings=_ENCODINGS, facts=facts)


def merge_rows(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Rows sorted by host, metric, device and date; of several for one day of a series the one with most samples."""
    parts = [frame for frame in frames if len(frame)]
    if not parts:
        return to_rollup(SCHEMA.empty_table())
    rows = _concat(parts) if len(parts) > 1 else parts[0]
    codes = [rows[name].cat.codes.to_numpy() for name in NAMES]
    day = milliseconds(rows["date"])
    order = np.lexsort((rows["n"].to_numpy(), day, *reversed(codes)))
    last = np.zeros(len(rows), dtype=bool)
    last[-1:] = True
    for key in (day, *codes):
        last[:-1] |= np.diff(key[order]) != 0
    return rows.take(order[last]).reset_index(drop=True)


def _concat(parts: list[pd.DataFrame]) -> pd.DataFrame:
    aligned = [part.copy(deep=False) for part in parts]
    for name in NAMES:
        names = sorted(set().union(*(part[name].cat.categories for part in parts)))
        for part in aligned:
            part[name] = part[name].cat.set_categories(names)
    return pd.concat(aligned, ignore_index=True)


def _to_table(rows: pd.DataFrame) -> pa.Table:
    grid = np.stack(rows["q"].to_list()) if len(rows) else np.empty((0, len(QUANTILES)))
    columns = [pa.array(rows["date"].dt.date, pa.date32())]
    columns.extend(to_dictionary(rows[name]) for name in NAMES)
    columns.append(pa.array(rows["n"].to_numpy(), pa.int32()))
    columns.extend(pa.array(rows[name].to_numpy(), pa.float64(), from_pandas=False) for name in _NUMBERS)
    columns.extend(pa.array(inner, pa.float32(), from_pandas=False) for inner in single(grid[:, 1:-1]).T)
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def to_rollup(table: pa.Table) -> pd.DataFrame:
    """An Arrow table with `SCHEMA` as `load_rollup` returns it."""
    days = table["date"].cast(pa.int32()).to_numpy().astype("datetime64[D]")
    columns: dict[str, object] = {"date": pd.Series(days.astype("datetime64[ms]")).dt.tz_localize("UTC")}
    columns |= {name: to_categorical(table[name]) for name in NAMES}
    columns["n"] = table["n"].to_numpy().astype(np.int64)
    numbers = {name: table[name].to_numpy() for name in _NUMBERS}
    grid = np.empty((len(table), len(QUANTILES)))
    for at, name in enumerate(_INNER, start=1):
        grid[:, at] = table[name].to_numpy()
    columns["q"] = as_rows(bounded(grid, numbers["min"], numbers["max"]))
    return pd.DataFrame(columns | numbers)[list(ROLLUP_COLUMNS)]
