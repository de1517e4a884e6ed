"""Is every SQLite database whole, and does it still hold what the last backup held?

Read only and never created by looking: a missing file is an answer, and not OK. `integrity_check` passes an empty
file and names indices in its errors, so size, schema and row counts are judged too, and "ok" must be its only row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.checks._context import not_applicable
from healthkit.findings import Finding, Severity
from healthkit.manifests import BackedDatabase, Manifest, count_rows, newest_backup, open_read_only
from healthkit.quantities import counted, quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "data_safety"
WEIGHT = 3
REQUIRED = True
CAP = 39

OWN = "_healthkit"
"""healthkit's own database, HOME/health.db."""
_MAGIC = b"SQLite format 3\0"
_RESTORE = "Keep the file with its -wal and -shm, then restore: healthkit run recovery."


def check(context: Context) -> Iterator[Finding]:
    """Every configured database, and healthkit's own where there is or was one."""
    manifest = _last_manifest(context)
    backed = {database.name: database for database in manifest.databases} if manifest else {}
    asked = {database.name: Path(database.path) for database in context.config.databases}
    own = context.home / "health.db"
    if own not in asked.values() and (own.exists() or OWN in backed):
        asked[OWN] = own
    if not asked:
        hint = "Name them under `databases:` in healthkit.yaml."
        yield not_applicable("databases", "databases", "no database is configured", hint=hint)
    found = [finding for name, path in asked.items() for finding in _judge(context, name, path, backed.get(name))]
    if set(asked) == {OWN} and found[0].severity is Severity.OK:
        # The tool's own records are no merit of the host: they may cost points, not earn them.
        found = [not_applicable("databases", OWN, f"no database is configured; healthkit's own is {found[0].message}")]
    yield from found


def _last_manifest(context: Context) -> Manifest | None:
    """What the newest backup holds; None without one: the check of backups tells about that."""
    if context.config.backups is None:
        return None
    try:
        backup = newest_backup(Path(context.config.backups.directory))
    except OSError:
        return None
    return backup.manifest if backup else None


def _judge(context: Context, name: str, path: Path, backed: BackedDatabase | None) -> Iterator[Finding]:
    said = _Answers(name, path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except FileNotFoundError:
        yield said.critical(f"{path} is missing")
        return
    except OSError as error:
        yield said.unknown(f"{path} cannot be read: {error.strerror}")
        return
    if size == 0:
        yield said.critical(f"{path} is empty: 0 bytes")
        return
    if magic != _MAGIC:
        yield said.critical(f"{path} is not an SQLite database: it begins with {magic!r}")
        return
    try:
        with open_read_only(path) as connection:
            connection.set_progress_handler(lambda: context.remaining < 0.5, 100_000)
            yield from _examine(said, connection, backed, size)
    except sqlite3.OperationalError as error:
        # Locked, interrupted by our deadline, or a WAL that this user may not open: no word on the data.
        reason = "it took too long" if "interrupted" in str(error) else str(error)
        yield said.unknown(f"{path} cannot be examined: {reason}")
    except sqlite3.DatabaseError as error:
        yield said.critical(f"{path} is damaged: {error}")


def _examine(
    said: _Answers, connection: sqlite3.Connection, backed: BackedDatabase | None, size: int
) -> Iterator[Finding]:
    errors = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    if errors != ["ok"]:
        yield said.critical(f"integrity_check: {errors[0].splitlines()[-1]}", errors=errors)
        return
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(1000)
    if orphans:
        tables = sorted({str(row[0]) for row in orphans})
        message = (
            f"{counted(len(orphans), 'row refers', 'rows refer')} to rows that are not there, in {', '.join(tables)}"
        )
        yield said.finding(Severity.WARNING, message, "See PRAGMA foreign_key_check; repair in the application.")
    rows = count_rows(connection)
    if not rows:
        yield said.critical("it has no tables at all")
        return
    lost = _lost(rows, backed) if backed else []
    yield from (
        said.critical(text) if worst else said.finding(Severity.WARNING, text, _RESTORE) for worst, text in lost
    )
    if not (lost or orphans):
        compared = ", as many as in the last backup or more" if backed else "; no backup to compare with"
        message = f"whole: {quantity(size, 'bytes')}, {counted(sum(rows.values()), 'row')} in {counted(len(rows), 'table')}{compared}"
        yield said.finding(Severity.OK, message, "", rows=rows)


def _lost(rows: dict[str, int], backed: BackedDatabase) -> list[tuple[bool, str]]:
    """What the last backup held and the database does not: whether it is the worst, and a sentence."""
    lost = []
    for table, before in sorted(backed.tables.items()):
        after = rows.get(table)
        if after is None:
            lost.append((True, f"table {table} is gone; the last backup has {counted(before, 'row')} of it"))
        elif after == 0 < before:
            lost.append((True, f"table {table} is empty; the last backup has {counted(before, 'row')} of it"))
        elif after < before / 2:
            lost.append((False, f"table {table} has {counted(after, 'row')}; the last backup has {before}"))
    return lost


class _Answers:
    """Findings about one database."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path

    def finding(self, severity: Severity, message: str, hint: str, **evidence: Any) -> Finding:
        seen = {"path": str(self._path), "source": str(self._path), **evidence}
        return Finding("databases", severity, self._name, message, evidence=seen, hint=hint)

    def critical(self, message: str, **evidence: Any) -> Finding:
        """Corrupt or gone: caps the score lowest of all."""
        return self.finding(Severity.CRITICAL, message, _RESTORE, cap=CAP, **evidence)

    def unknown(self, message: str) -> Finding:
        hint = "Try again when no writer holds it, or as the user that owns it."
        return self.finding(Severity.UNKNOWN, message, hint)
