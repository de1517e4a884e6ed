"""The tables of `health.db`: their columns, and how a record becomes a row and a row a record.

Times are stored as integer milliseconds UTC in columns ending in `_ms`, and handed out as aware datetimes without the
suffix. A table may be somebody else's: columns are added, nothing is dropped or renamed.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from healthkit.errors import StoreError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TABLES: dict[str, dict[str, str]] = {
    "health_reports": {
        "ts_ms": "INTEGER", "host": "TEXT", "cadence": "TEXT", "period": "TEXT", "overall_score": "REAL",
        "coverage": "REAL", "report": "TEXT",
    },
    "task_runs": {
        "task": "TEXT", "host": "TEXT", "started_ms": "INTEGER", "ended_ms": "INTEGER", "status": "TEXT",
        "exit_code": "INTEGER", "detail": "TEXT",
    },
    "alerts": {
        "ts_ms": "INTEGER", "name": "TEXT", "host": "TEXT", "subject": "TEXT", "severity": "TEXT", "status": "TEXT",
        "message": "TEXT", "detail": "TEXT",
    },
    "silences": {
        "starts_ms": "INTEGER", "ends_ms": "INTEGER", "name": "TEXT", "reason": "TEXT", "who": "TEXT",
    },
    "notifications": {
        "ts_ms": "INTEGER", "name": "TEXT", "host": "TEXT", "transport": "TEXT", "status": "TEXT", "detail": "TEXT",
    },
    "events": {
        "ts_ms": "INTEGER", "host": "TEXT", "kind": "TEXT", "text": "TEXT", "detail": "TEXT",
    },
    "incidents": {
        "opened_ms": "INTEGER", "closed_ms": "INTEGER", "incident": "TEXT", "host": "TEXT", "severity": "TEXT",
        "title": "TEXT", "detail": "TEXT",
    },
    "forecasts": {
        "made_ms": "INTEGER", "target_ms": "INTEGER", "host": "TEXT", "metric": "TEXT", "device": "TEXT", "how": "TEXT", "kind": "TEXT",
        "mean": "REAL", "lower80": "REAL", "upper80": "REAL", "lower95": "REAL", "upper95": "REAL", "limit_value": "REAL",
        "factor": "REAL", "actual": "REAL", "measured": "REAL", "scored_ms": "INTEGER",
    },
    "reports": {
        "ts_ms": "INTEGER", "name": "TEXT", "period": "TEXT", "scope": "TEXT", "score": "REAL", "coverage": "REAL",
        "worst": "TEXT", "detail": "TEXT",
    },
    "checklists": {
        "name": "TEXT", "period": "TEXT", "item": "TEXT", "done_ms": "INTEGER", "who": "TEXT", "note": "TEXT",
        "state": "TEXT", "owner": "TEXT", "due_ms": "INTEGER",
    },
}  # fmt: skip
"""Columns of every table; each has `uid` besides, by which a spooled record is stored once."""
ORDER = {
    "task_runs": "started_ms",
    "silences": "starts_ms",
    "incidents": "opened_ms",
    "forecasts": "target_ms",
    "checklists": "done_ms",
}
"""The column that tells a record's time, where it is not `ts_ms`."""
DERIVED: dict[str, dict[str, str]] = {
    "task_runs": {
        "procedure": "COALESCE(CASE WHEN json_valid(detail) THEN json_extract(detail, '$.procedure') END, task)"
    },
}
"""What records can be asked for besides columns: a task keeps the run of its procedure, which has another name."""
_DATED = ("health_reports", "task_runs", "reports", "checklists")
"""Tables whose times are those at which something was done; of events and incidents people give the time."""


def missing(db: sqlite3.Connection, table: str, names: set[str]) -> set[str]:
    """Columns that a table lacks; all of them if it does not exist."""
    there = _columns(db, table) if table in names else set()
    return {"uid", *TABLES[table]} - there


def complete(db: sqlite3.Connection, table: str) -> None:
    """Make the table, or add the columns that it lacks."""
    columns = {"uid": "TEXT", **TABLES[table]}
    names = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    db.execute(f"CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, {names})")
    there = _columns(db, table)
    for name, kind in columns.items():
        if name not in there:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    order = ORDER.get(table, "ts_ms")
    db.execute(f"CREATE INDEX IF NOT EXISTS healthkit_{table} ON {table} ({order})")


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    """Names as SQLite compares them: without case."""
    return {row["name"].lower() for row in db.execute(f"PRAGMA table_info({table})")}


def first(db: sqlite3.Connection) -> datetime | None:
    """When the oldest check, report, run or sign-off was made; None where there is none."""
    times = [db.execute(f"SELECT MIN({ORDER.get(table, 'ts_ms')}) FROM {table}").fetchone()[0] for table in _DATED]  # noqa: S608 - names from TABLES
    return _time(min(known)) if (known := [ms for ms in times if ms is not None]) else None


def insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Insert; columns of others that must not be empty get what their name asks for, or an empty text."""
    values = dict(row)
    for column in db.execute(f"PRAGMA table_info({table})"):
        name = column["name"]
        if column["pk"] and column["type"].upper() != "INTEGER":
            values[name] = row["uid"]
        elif (
            column["notnull"] and column["dflt_value"] is None and values.get(name.lower()) is None and not column["pk"]
        ):
            values.pop(name.lower(), None)
            values[name] = _guess(name, row)
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in values)
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608 - values are bound


def insert_once(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Insert a spooled row, unless it is there already: a crash between commit and removal leaves it in both."""
    if table in TABLES and not db.execute(f"SELECT 1 FROM {table} WHERE uid = ?", [row.get("uid")]).fetchone():  # noqa: S608
        known = {name: value for name, value in row.items() if name == "uid" or name in TABLES[table]}
        insert(db, table, known)


def _guess(name: str, row: Mapping[str, Any]) -> Any:
    lower = name.lower()
    if "score" in lower and row.get("overall_score") is not None:
        return row["overall_score"]
    if any(word in lower for word in ("time", "date", "created")):
        ms = next((value for key, value in row.items() if key.endswith("_ms") and value is not None), None)
        return _time(ms).isoformat() if ms is not None else ""
    return row.get("report") or row.get("detail") or ""


def encode(table: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a record, with a new `uid`.

    Raises:
        StoreError: The table or a column does not exist, or a time has no zone.
    """
    if table not in TABLES:
        raise StoreError(f"no table {table!r}: one of {', '.join(TABLES)}")
    row = {"uid": uuid4().hex}
    return row | {column_of(table, name): encode_value(value) for name, value in record.items()}


def encode_value(value: Any) -> Any:
    """What SQLite stores for a value: times as milliseconds, mappings and lists as JSON, no infinities."""
    if isinstance(value, datetime):
        return milliseconds(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=str)
    if hasattr(value, "item"):  # NumPy's scalars
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def column_of(table: str, name: str) -> str:
    """The column of a field: `ts` is stored in `ts_ms`.

    Raises:
        StoreError: There is no such column.
    """
    column = name if name in TABLES[table] else f"{name}_ms"
    if column not in TABLES[table]:
        raise StoreError(f"table {table} has no column {name!r}: one of {', '.join(TABLES[table])}")
    return column


def decode(row: sqlite3.Row) -> dict[str, Any]:
    """The record of a row."""
    record: dict[str, Any] = {}
    for name in row.keys():  # noqa: SIM118 - a Row iterates over values
        value = row[name]
        if name.endswith("_ms"):
            record[name.removesuffix("_ms")] = None if value is None else _time(value)
        elif name in {"report", "detail"}:
            record[name] = _json(value)
        else:
            record[name] = value
    return record


def _json(text: Any) -> Any:
    """The JSON of a column; as it is where somebody else wrote something else."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def milliseconds(when: datetime) -> int:
    """Milliseconds since 1970 UTC.

    Raises:
        StoreError: The time has no zone.
    """
    if when.tzinfo is None:
        raise StoreError(f"{when!r} has no time zone")
    return (when - _EPOCH) // timedelta(milliseconds=1)


def _time(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
