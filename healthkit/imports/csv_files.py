"""CSV: tidy (ts, host, metric, device, value), or wide with a column of times and one column a metric.

Times are ISO 8601 with a zone, or seconds or milliseconds since 1970; an empty cell and `NaN` are not measured.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd

from healthkit.errors import ParameterError, SourceError
from healthkit.imports.arrivals import read_text, samples_frame

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*\Z")
_HEADER = re.compile(r"\s*(?P<metric>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?P<device>.*)\})?\s*\Z")
_NOT_MEASURED = ("", "nan", "null", "na", "-")
_SECONDS_END = 1e11
"""Numbers above it are milliseconds: as seconds it is the year 5138."""


def tidy(file: TextIO, *, host: str, source: str = "", zone: ZoneInfo | None = None) -> Iterator[pd.DataFrame]:
    """Samples of a file with the columns ts, metric and value, and host and device where they matter.

    Args:
        file: The text; its first line names the columns.
        host: Of rows without one.
        source: The file's name, for errors.
        zone: Of times that name none; without it they are refused.

    Raises:
        SourceError: Names line and value.
    """
    rows = _read(file, source)
    if missing := [name for name in ("ts", "metric", "value") if name not in rows]:
        raise SourceError(
            f"no column {', '.join(missing)}; there are {', '.join(map(str, rows))}. With a column of times and one column a metric: --time COLUMN",
            source=source, line=1,
        )  # fmt: skip
    where = _Lines(rows, source)
    where.refuse(~rows["metric"].str.match(NAME), "metric", "is no name of a metric: letters, digits and _")
    text = {name: rows[name] if name in rows else pd.Series("", rows.index) for name in ("host", "device")}
    columns = {
        "ts": _times(rows["ts"], where, zone),
        "host": text["host"].where(text["host"] != "", host),
        "metric": rows["metric"],
        "device": text["device"],
        "value": _values(rows["value"], where),
    }
    yield samples_frame(columns)


def wide(
    file: TextIO, *, time: str, host: str, host_column: str = "", source: str = "", zone: ZoneInfo | None = None
) -> Iterator[pd.DataFrame]:
    """Samples of a file with one row a moment: the headings are `metric` or `metric{device}`.

    Args:
        file: The text; its first line names the columns.
        time: Heading of the column of times.
        host: Of all rows, if no column tells.
        host_column: Heading of the column of hosts.
        source: The file's name, for errors.
        zone: Of times that name none; without it they are refused.

    Raises:
        ParameterError: A column that was named is not there.
        SourceError: Names line and value.
    """
    rows = _read(file, source)
    for name in filter(None, (time, host_column)):
        if name not in rows:
            raise ParameterError(f"{source}: no column {name!r}; there are {', '.join(map(str, rows))}")
    where = _Lines(rows, source)
    ts = _times(rows[time], where, zone)
    hosts = rows[host_column].where(rows[host_column] != "", host) if host_column else pd.Series(host, rows.index)
    frames = []
    for name in [*map(str, rows)]:
        if name in (time, host_column):
            continue
        heading = _HEADER.match(name)
        if heading is None:
            raise SourceError(f"{name!r} is neither metric nor metric{{device}}", source=source, line=1)
        columns = {"ts": ts, "host": hosts, "metric": heading["metric"], "device": heading["device"] or ""}
        frames.append(samples_frame(columns | {"value": _values(rows[name], where)}))
    if frames:
        yield pd.concat(frames, ignore_index=True)  # all or nothing: an error in the last column leaves no half


def _read(file: TextIO, source: str) -> pd.DataFrame:
    """All cells as text, with the line of each row as the index."""
    reader = csv.reader(io.StringIO(read_text(file, source), newline=""), strict=True)
    lines, rows = [], []
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise SourceError(
                    f"{len(row)} cells, the header has {len(header)}", source=source, line=reader.line_num
                )
            lines.append(reader.line_num)
            rows.append(row)
    except csv.Error as error:
        raise SourceError(str(error), source=source, line=reader.line_num) from error
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise SourceError(f"two columns are named {', '.join(twice)}", source=source, line=1)
    return pd.DataFrame(rows, index=lines, columns=header, dtype="str")


class _Lines:
    """Where a wrong cell is."""

    def __init__(self, rows: pd.DataFrame, source: str) -> None:
        self._rows = rows
        self._source = source

    def refuse(self, wrong: pd.Series, column: str, why: str) -> None:
        """Raise for the first row that is wrong."""
        if wrong.any():
            at = int(wrong.to_numpy().argmax())
            line = int(self._rows.index.to_numpy()[at])
            raise SourceError(f"{column} {self._rows[column].iloc[at]!r} {why}", source=self._source, line=line)


def _values(cells: pd.Series, where: _Lines) -> np.ndarray[Any, np.dtype[np.float64]]:
    text = cells.str.strip().str.lower()
    empty = text.isin(_NOT_MEASURED)
    values = pd.to_numeric(text.where(~empty), errors="coerce")
    where.refuse(values.isna() & ~empty, str(cells.name), "is not a number")
    return values.to_numpy(dtype=np.float64)


def _times(cells: pd.Series, where: _Lines, zone: ZoneInfo | None) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Milliseconds since 1970 UTC."""
    column = str(cells.name)
    numbers = pd.to_numeric(cells, errors="coerce")
    if len(cells) and numbers.notna().all():
        where.refuse(~np.isfinite(numbers), column, "is no time")
        seconds = numbers.to_numpy(dtype=np.float64)
        return np.rint(np.where(np.abs(seconds) > _SECONDS_END, seconds, seconds * 1000)).astype(np.int64)
    aware = cells.str.contains(r"(?:Z|[+-]\d\d:?\d\d)\s*\Z", case=False)
    if zone is None:
        where.refuse(~aware, column, "has no time zone: write 2026-11-23T02:00:00Z, or say --timezone")
    read: Callable[..., pd.Series] = pd.to_datetime
    times = read(cells.where(aware), utc=True, format="ISO8601", errors="coerce")
    if zone is not None and not aware.all():
        local = read(cells.where(~aware), format="ISO8601", errors="coerce")
        times = times.fillna(local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC"))
    where.refuse(times.isna(), column, "is no time, or one that the change of clocks makes ambiguous: name its offset")
    return np.asarray(times.dt.as_unit("ms").astype("int64"), dtype=np.int64)
