"""The program's own records: `HOME/health.db`, an SQLite database.

The file may be absent, empty, somebody else's (the runbook's own `health_reports` with other columns: columns are added,
nothing is dropped or renamed), locked, read-only or corrupt. While it cannot be used, `State.problem` says why, reads
raise `StoreError`, and records go to `HOME/spool/`, one file each; the next good open moves them into the database.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

from healthkit.errors import StoreError
from healthkit.records import (
    DERIVED,
    ORDER,
    TABLES,
    column_of,
    complete,
    decode,
    encode,
    encode_value,
    first,
    insert,
    insert_once,
    milliseconds,
    missing,
)
from healthkit.spool import drain, spool

APPLICATION_ID = 0x484B4954
"""`HKIT` in the database's header: the file was made by healthkit, and its `user_version` is ours."""
VERSION = 1


class SupportsDict(Protocol):
    """A result that knows its JSON."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""


class State:
    """The records of one home, open for reading and writing.

    Args:
        home: The home directory.
        timeout: Seconds to wait for another process's lock.

    >>> import tempfile
    >>> with State(Path(tempfile.mkdtemp())) as state:
    ...     state.record_health_report({"overall_score": 91.5, "coverage": 1.0}, host="web-1")
    ...     state.last_health_report("web-1")["overall_score"]
    91.5
    """

    def __init__(self, home: Path, *, timeout: float = 5.0) -> None:
        self.home = Path(home)
        self.path = self.home / "health.db"
        self.timeout = timeout
        self.problem = ""
        """Why the database cannot be used; empty while it can."""
        self.notes: tuple[str, ...] = ()
        """What was found and put right on opening, for the data quality section."""
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            empty = self.path.exists() and self.path.stat().st_size == 0
            self._db = sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._prepare()
        except (OSError, sqlite3.Error, StoreError) as error:
            self._fail(error)
            self._reopen_read_only()
            return self
        if empty:
            self.notes += (f"{self.path.name} was a file of 0 bytes: started anew",)
        self._drain()
        return self

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def record(self, table: str, record: Mapping[str, Any]) -> bool:
        """Store one record; where the database cannot take it, spool it.

        Args:
            table: One of `TABLES`.
            record: Values by column; times as aware datetimes under the name without `_ms`, mappings become JSON.

        Returns:
            Whether it is in the database; otherwise it lies in the spool.

        Raises:
            StoreError: It could be stored neither here nor there.
        """
        return self.record_all(table, [record])

    def record_all(self, table: str, records: Iterable[Mapping[str, Any]]) -> bool:
        """Store several records, all or none; see `record`."""
        rows = [encode(table, record) for record in records]
        if not self.problem:
            try:
                with self._transaction() as db:
                    for row in rows:
                        insert(db, table, row)
            except sqlite3.Error as error:
                self._fail(error)
            else:
                return True
        for row in rows:
            spool(self.home / "spool", table, row)
        return False

    def records(
        self,
        table: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        **equal: object,
    ) -> list[dict[str, Any]]:
        """Records, newest first.

        Args:
            table: One of `TABLES`.
            since: Only those of this time or later; of forecasts, the day they are for.
            until: Only those before this time.
            limit: At most so many.
            equal: Only those with these values, by column or by what is derived from one (`procedure` of task_runs);
                None for those without a value.

        Raises:
            StoreError: The database cannot be read.
        """
        order, derived = ORDER.get(table, "ts_ms"), DERIVED.get(table, {})
        # Rows that somebody else wrote into a shared table have no time of ours.
        tests = [f"{order} IS NOT NULL", *(f"{derived.get(name) or column_of(table, name)} IS ?" for name in equal)]
        values = [encode_value(value) for value in equal.values()]
        for sign, bound in ((">=", since), ("<", until)):
            if bound is not None:
                tests.append(f"{order} {sign} ?")
                values.append(milliseconds(bound))
        columns = ", ".join(["rowid AS id", *(f"{name} AS {name}" for name in TABLES[table])])
        query = f"SELECT {columns} FROM {table} WHERE {' AND '.join(tests)} ORDER BY {order} DESC, rowid DESC LIMIT ?"  # noqa: S608 - names from TABLES
        return [decode(row) for row in self._read(query, [*values, -1 if limit is None else limit])]

    def first(self) -> datetime | None:
        """When the oldest check, report, run or sign-off was made; None if there is none.

        Raises:
            StoreError: The database cannot be read.
        """
        try:
            return first(self._connection)
        except sqlite3.Error as error:
            raise StoreError(self.problem or f"{self.path}: {error}") from error

    def update(self, table: str, key: int, **values: object) -> None:
        """Change columns of the record with this `id`; see `update_all`."""
        self.update_all(table, {key: values})

    def update_all(self, table: str, changes: Mapping[int, Mapping[str, object]]) -> None:
        """Change columns of several records, by their `id`: all or none.

        Raises:
            StoreError: The database cannot be written.
        """
        try:
            with self._transaction() as db:
                for key, values in changes.items():
                    row = {column_of(table, name): encode_value(value) for name, value in values.items()}
                    names = ", ".join(f"{name} = ?" for name in row)
                    db.execute(f"UPDATE {table} SET {names} WHERE rowid = ?", [*row.values(), key])  # noqa: S608 - names from TABLES
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    def record_health_report(
        self,
        report: Mapping[str, Any] | SupportsDict,
        *,
        host: str = "",
        cadence: str | None = None,
        period: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Keep the result of a health check, or of a period's report.

        Args:
            report: The JSON of the contract, or a `HealthScore`.
            host: Which one; by default what the report says. Several are joined by a comma.
            cadence: `weekly`, `monthly`, ... of a period's report; None for a check.
            period: Its label.
            now: When it was made, UTC.
        """
        body = report if isinstance(report, Mapping) else report.as_dict()
        values = {"overall_score": body.get("overall_score"), "coverage": body.get("coverage")}
        about = {"host": host or body.get("host", ""), "cadence": cadence, "period": period}
        self.record("health_reports", {"ts": now or datetime.now(UTC), **about, **values, "report": body})

    def last_health_report(self, host: str) -> dict[str, Any] | None:
        """The newest check of a host, its JSON under `report`; None if there is none."""
        return next(iter(self.records("health_reports", limit=1, host=host, cadence=None)), None)

    def health_reports(self, host: str, *, since: datetime | None = None) -> list[dict[str, Any]]:
        """Checks of a host, newest first."""
        return self.records("health_reports", since=since, host=host, cadence=None)

    def report_score(self, cadence: str, period: str, hosts: Sequence[str]) -> float | None:
        """The score of the newest report of a period about these hosts; None if there is none."""
        where = ", ".join(hosts)
        rows = self.records("health_reports", limit=1, cadence=cadence, period=period, host=where)
        return rows[0]["overall_score"] if rows else None

    def record_task_run(
        self, task: str, *, started: datetime, ended: datetime | None, status: str, exit_code: int | None = None,
        host: str = "", detail: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Keep that a task ran, or started: `status` is `ok`, `failed`, `skipped` or `running`."""
        times = {"started": started, "ended": ended}
        rest = {"status": status, "exit_code": exit_code, "host": host, "detail": detail or {}}
        self.record("task_runs", {"task": task, **times, **rest})

    def last_task_run(self, task: str) -> dict[str, Any] | None:
        """The newest run of a task; None if it never ran."""
        return next(iter(self.records("task_runs", limit=1, task=task)), None)

    def _prepare(self) -> None:
        db = self._connection
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        ours = not names or db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if ours and db.execute("PRAGMA user_version").fetchone()[0] > VERSION:
            raise StoreError(f"{self.path} was made by a newer healthkit")
        if ours:
            # In somebody else's database the journal stays as it is: their backups may copy the file alone.
            db.execute("PRAGMA journal_mode = WAL")
        if names and not any(missing(db, table, names) for table in TABLES):
            return
        with self._transaction():
            for table in TABLES:
                complete(db, table)
            if ours:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {VERSION}")

    def _drain(self) -> None:
        if not any((self.home / "spool").glob("*.jsonl")):
            return
        try:
            with self._transaction() as db:
                stored, damaged, finish = drain(self.home / "spool", lambda table, row: insert_once(db, table, row))
        except (OSError, sqlite3.Error) as error:
            self.notes += (f"spooled records wait: {error}",)
            return
        finish()
        if stored:
            self.notes += (f"{stored} spooled records moved into the database",)
        if damaged:
            self.notes += (f"{damaged} spooled records are damaged and were left in the spool",)

    def _fail(self, error: Exception) -> None:
        self.problem = str(error) if str(self.path) in str(error) else f"{self.path}: {error}"

    def _reopen_read_only(self) -> None:
        """What can still be read is read: a database in a read-only place."""
        if self._db is not None:
            self._db.close()
        self._db = None
        # Without a -wal file nobody has it open, and where we may not write SQLite cannot make the files to lock it by.
        alone = not os.access(self.path, os.W_OK) and not Path(f"{self.path}-wal").exists()
        query = "immutable=1" if alone else "mode=ro"
        with contextlib.suppress(sqlite3.Error):
            db = sqlite3.connect(f"{self.path.absolute().as_uri()}?{query}", uri=True, timeout=self.timeout)
            db.row_factory = sqlite3.Row
            self._db = db

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(self.problem or f"{self.path} is not open: use `with State(home) as state`")
        return self._db

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:  # an error; SQLite rolls back by itself when the disk is full
                db.execute("ROLLBACK")

    def _read(self, query: str, values: list[Any]) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(self.problem or f"{self.path}: {error}") from error
