"""Sample frames and Arrow tables: dtypes, order, duplicates.

Everywhere inside the store a frame of samples has the columns ts (datetime64[ms, UTC]), host, metric, device (categorical,
categories sorted, so that codes sort like names) and value (float64).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from healthkit.errors import BadSeries
from healthkit.schema import COLUMNS

NAMES = ("host", "metric", "device")
_TS = pa.timestamp("ms", tz="UTC")
_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema([("ts", _TS), ("host", _NAME), ("metric", _NAME), ("device", _NAME), ("value", pa.float64())])


def tidy(samples: pd.DataFrame) -> pd.DataFrame:
    """Samples from outside, with the dtypes of the store, in order, the last of several for one moment.

    Raises:
        BadSeries: A column is missing or cannot be understood, or a time has no zone or is missing.
    """
    missing = [name for name in COLUMNS if name not in samples.columns]
    if missing:
        raise BadSeries(f"samples have no column {', '.join(missing)}: they need {', '.join(COLUMNS)}")
    if not isinstance(samples["ts"].dtype, pd.DatetimeTZDtype):
        raise BadSeries(f"ts is {samples['ts'].dtype}: it must be a time with a zone")
    if samples["ts"].isna().any():
        raise BadSeries("ts has missing values")
    frame = pd.DataFrame({"ts": samples["ts"].dt.tz_convert("UTC").dt.as_unit("ms").reset_index(drop=True)})
    for name in NAMES:
        column = samples[name].reset_index(drop=True)
        if column.isna().any():
            raise BadSeries(f"{name} has missing values")
        frame[name] = _categorical(column)
    try:
        frame["value"] = samples["value"].to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise BadSeries(f"value is not a number: {error}") from error
    return in_order(frame)


def _categorical(column: pd.Series) -> pd.Series:
    r"""A column of names as categories in the order of the names; bytes that are no UTF-8 become `\\xNN`."""
    column = column.astype("category").cat.remove_unused_categories()
    names = [str(name) for name in column.cat.categories]
    column = column.cat.rename_categories([readable(name) for name in names])
    return column.cat.reorder_categories(sorted(column.cat.categories))


def readable(name: str) -> str:
    r"""A name that can be written as UTF-8: bytes that a file name brought along (surrogates) become `\\xNN`."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sorted by host, metric, device and ts; of several samples for one moment the last one given."""
    if len(frame) < 2:
        return frame.reset_index(drop=True)
    series, ts = keys(frame)
    if not _ascending(series, ts):
        order = np.lexsort((ts, series))  # stable: what came later stays later
        series, ts = series[order], ts[order]
        frame = frame.take(order)
    last = np.ones(len(frame), dtype=bool)
    last[:-1] = (series[1:] != series[:-1]) | (ts[1:] != ts[:-1])
    return frame.loc[last].reset_index(drop=True) if not last.all() else frame.reset_index(drop=True)


def is_in_order(frame: pd.DataFrame) -> bool:
    """Whether samples are sorted by host, metric, device and ts, without two for one moment."""
    return _ascending(*keys(frame))


def keys(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """A number for each sample's series, ordered like the names, and its time in ms."""
    series = np.zeros(len(frame), dtype=np.int64)
    for name in NAMES:
        column = frame[name].cat
        series = series * max(1, len(column.categories)) + column.codes.to_numpy()
    return series, milliseconds(frame["ts"])


def _ascending(series: np.ndarray, ts: np.ndarray) -> bool:
    step = np.diff(series)
    return bool(((step > 0) | ((step == 0) & (np.diff(ts) > 0))).all())


def union(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All samples of frames that have the dtypes of the store; where they disagree about a moment, the last one wins."""
    parts = [frame for frame in frames if len(frame)]
    if not parts:
        return to_frame(SCHEMA.empty_table())
    if len(parts) == 1:
        return in_order(parts[0])
    columns: dict[str, object] = {"ts": pd.concat([part["ts"] for part in parts], ignore_index=True)}
    for name in NAMES:
        names = sorted(set().union(*(part[name].cat.categories for part in parts)))
        aligned = [part[name].cat.set_categories(names) for part in parts]
        columns[name] = pd.concat(aligned, ignore_index=True)
    columns["value"] = np.concatenate([part["value"].to_numpy() for part in parts])
    return in_order(pd.DataFrame(columns))


def to_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table with some columns of `SCHEMA` as a frame with the dtypes of the store."""
    columns: dict[str, object] = {}
    for name in table.column_names:
        column = table[name]
        if name in NAMES:
            columns[name] = to_categorical(column)
        elif name == "ts":
            ms = column.cast(pa.int64()).to_numpy()
            columns[name] = pd.Series(ms.astype("datetime64[ms]")).dt.tz_localize("UTC")
        else:
            columns[name] = column.to_numpy()
    return pd.DataFrame(columns)


def to_categorical(column: pa.ChunkedArray) -> pd.Categorical:
    """A column of strings as categories in the order of the names."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    names = column.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), dtype=np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    codes = place[column.indices.to_numpy(zero_copy_only=False)] if len(column) else np.empty(0, np.int32)
    used = np.unique(codes)  # a filter leaves names without rows
    if len(used) < len(names):
        codes = np.searchsorted(used, codes)
    return from_codes(codes, [names[order[at]] for at in used])


def from_codes(codes: np.ndarray, names: list[str]) -> pd.Categorical:
    """A column of names from their positions in a list of names."""
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))


def to_table(frame: pd.DataFrame) -> pa.Table:
    """A frame of samples as an Arrow table with `SCHEMA`."""
    columns = [pa.array(milliseconds(frame["ts"]), pa.int64()).cast(_TS)]
    columns.extend(to_dictionary(frame[name]) for name in NAMES)
    columns.append(pa.array(frame["value"].to_numpy(), pa.float64(), from_pandas=False))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def to_dictionary(column: pd.Series) -> pa.DictionaryArray:
    """A categorical column for Arrow, with the names that occur."""
    codes = column.cat.codes.to_numpy()
    names = list(column.cat.categories)
    used = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    if len(used) < len(names):
        codes = np.searchsorted(used, codes)
    names = [names[at] for at in used]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()))


def milliseconds(ts: pd.Series) -> np.ndarray:
    """Aware times as ms since 1970."""
    ms: np.ndarray = ts.dt.as_unit("ms").astype("int64").to_numpy()
    return ms


def series_starts(samples: pd.DataFrame) -> np.ndarray:
    """Row by row, whether a new (host, metric, device) begins here."""
    starts = np.zeros(len(samples), dtype=bool)
    starts[:1] = True
    for column in NAMES:
        codes = samples[column].cat.codes.to_numpy()
        starts[1:] |= codes[1:] != codes[:-1]
    return starts
