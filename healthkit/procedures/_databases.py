"""SQLite databases: a consistent copy of a live one, and what a copy must hold.

Sources: https://www.sqlite.org/backup.html, https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from healthkit.errors import ProcedureError
from healthkit.manifests import BackedDatabase, count_rows, open_read_only, schema_digest
from healthkit.procedures._copies import keep_owner
from healthkit.quantities import counted

_PAGES = 1024
_RESTARTS = 5
"""How often a copy in small pieces may be overtaken by a writer before it takes the lock for the whole of it."""
_MAGIC = b"SQLite format 3\0"


def database_bytes(path: Path) -> int:
    """What a copy may take: the file and what its WAL adds; 0 if there is none."""
    return sum(
        part.stat().st_size for part in (path, path.with_name(f"{path.name}-wal")) if part.exists()
    )  # the sizes of a moment: a margin comes on top


def copy_database(
    name: str, source: Path, target: Path, *, inside: str, wait: float = 300
) -> tuple[BackedDatabase, list[str]]:
    """Copy a database that others may be writing to: every row committed before the call is in the copy.

    Args:
        name: As in the configuration.
        source: The database; read only.
        target: Must not exist; mode 0600, and on disk when the call returns.
        inside: Path of the target in the backup.
        wait: Seconds to wait for a writer that holds the lock.

    Returns:
        What the copy holds, and what is wrong with it; nothing is, in a sound one.

    Raises:
        sqlite3.Error: The source cannot be opened or read.
        ProcedureError: It stayed locked.
    """
    began = time.monotonic()
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with open_read_only(source, timeout=min(wait, 30)) as origin:
        mode = str(origin.execute("PRAGMA journal_mode").fetchone()[0])
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            _copy_pages(origin, copy, wal=mode == "wal", wait=wait)
            faults = list(_settle(copy))
            described = _describe(copy) if not faults else ({}, "", 0)
    fd = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    try:
        keep_owner(fd, source.stat())
        os.fsync(fd)
    finally:
        os.close(fd)
    tables, schema, version = described
    return BackedDatabase(name, inside, tables, schema, mode, version, round(time.monotonic() - began, 3)), faults


class _Overtaken(Exception):  # noqa: N818 - no error: a reason to copy otherwise
    """A writer changed pages that were copied already, again and again."""


def _copy_pages(origin: sqlite3.Connection, copy: sqlite3.Connection, *, wal: bool, wait: float) -> None:
    """In one piece where readers do not hold writers up (WAL); else in pieces, between which writers may write.

    A change by another process makes SQLite begin anew. After some of these the copy is made in one piece: that holds
    writers up for as long as it takes, but it ends.
    """
    deadline = time.monotonic() + wait
    left, restarts = 0, 0

    def watch(_: int, remaining: int, __: int) -> None:
        nonlocal left, restarts
        restarts, left = restarts + (remaining > left > 0), remaining
        if time.monotonic() > deadline:
            hint = "See which process holds it: lsof."
            raise ProcedureError(f"the database stayed locked or busy for {wait:g} s", hint=hint)
        if restarts > _RESTARTS and not whole:
            raise _Overtaken

    whole = wal
    if not whole:
        try:
            origin.backup(copy, pages=_PAGES, progress=watch, sleep=0.02)
        except _Overtaken:
            whole, left = True, 0
    if whole:
        origin.backup(copy, pages=-1, progress=watch, sleep=0.05)


def _settle(copy: sqlite3.Connection) -> Iterator[str]:
    """Make the copy one file, so that it can be read without writing beside it; and say what is wrong with it."""
    try:
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        errors = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(20)")]
    except sqlite3.DatabaseError as error:
        yield f"is damaged: {error}"
        return
    if errors != ["ok"]:
        yield f"is damaged: {errors[0].splitlines()[-1]}"
    elif not copy.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        yield "has no tables at all"


def _describe(copy: sqlite3.Connection) -> tuple[dict[str, int], str, int]:
    return count_rows(copy), schema_digest(copy), int(copy.execute("PRAGMA user_version").fetchone()[0])


def faults_of(path: Path, backed: BackedDatabase) -> Iterator[str]:
    """What is wrong with a restored database, against what the manifest says it held. Opens it for writing: a copy.

    `ok` must be the only row of `integrity_check`: an error may name an index called `ix_tokens`. An empty file
    passes it, and so does a missing one, which SQLite would make; so the header, the schema and the rows count too.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        yield f"is not an SQLite database: it begins with {magic!r}" if magic else "is empty: 0 bytes"
        return
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
            yield from _examine(database, backed)
    except sqlite3.Error as error:
        yield f"is damaged: {error}"


def _examine(database: sqlite3.Connection, backed: BackedDatabase) -> Iterator[str]:
    errors = [str(row[0]) for row in database.execute("PRAGMA integrity_check(20)")]
    if errors != ["ok"]:
        yield f"integrity_check: {errors[0].splitlines()[-1]}"
        return
    orphans = database.execute("PRAGMA foreign_key_check").fetchmany(1000)
    if orphans:
        tables = ", ".join(sorted({str(row[0]) for row in orphans}))
        yield f"{counted(len(orphans), 'row refers', 'rows refer')} to rows that are not there, in {tables}"
    rows = count_rows(database)
    if not rows:
        yield "has no tables at all"
    for table, expected in sorted(backed.tables.items()):
        if table not in rows:
            yield f"table {table} is missing; the manifest counts {counted(expected, 'row')} of it"
        elif rows[table] != expected:
            yield f"table {table} has {counted(rows[table], 'row')}; the manifest counts {expected}"
    if backed.schema and schema_digest(database) != backed.schema:
        yield "has another schema than the manifest says"
