"""What can still be read of a damaged SQLite database, copied into a new one; and an account of what cannot.

A statement that meets a damaged page fails as a whole, and `.dump` ends there. So each table is read in ranges of its
rowid (`_ranges`). Pages that are whole but can no longer be reached from above (`_orphans`) are made the
root of their table for a moment, so that SQLite itself reads their rows.

Sources: https://www.sqlite.org/fileformat2.html, https://www.sqlite.org/rowidtable.html,
https://www.sqlite.org/pragma.html#pragma_writable_schema
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from healthkit.procedures._losses import Salvaged, Table
from healthkit.procedures._orphans import orphans
from healthkit.procedures._ranges import Copying, quoted

_MAGIC = b"SQLite format 3\0"
_MOST_PADDING = 1000
"""How many times as long a file may become: a damaged header may say anything."""
_KEPT = ("user_version", "application_id")


def salvage(source: Path, target: Path) -> Salvaged:
    """Copy what can be read.

    Args:
        source: A private copy of the damaged database, with its WAL beside it; it is written to.
        target: Must not exist.

    Raises:
        sqlite3.Error: Not even its schema can be read.
    """
    _lengthen(source)
    with suppress(sqlite3.Error), closing(sqlite3.connect(source)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        new.execute("PRAGMA synchronous = OFF")
        new.execute("PRAGMA journal_mode = MEMORY")
        new.execute("ATTACH ? AS bad", [str(source)])
        new.execute("PRAGMA bad.synchronous = OFF")
        new.execute("PRAGMA bad.cell_size_check = ON")
        _headers(new)
        schema = new.execute("SELECT type, name, sql FROM bad.sqlite_master WHERE sql IS NOT NULL").fetchall()
        found = Salvaged()
        for name, sql in [(name, sql) for kind, name, sql in schema if kind == "table"]:
            if _made(new, name, sql, found):
                found.tables[name] = Copying(new, name).take()
        _adopt(new, source, {t.name: t for t in found.tables.values() if t.trouble})
        with suppress(sqlite3.Error):  # what AUTOINCREMENT remembers
            new.execute("DELETE FROM main.sqlite_sequence")
            new.execute("INSERT INTO main.sqlite_sequence SELECT * FROM bad.sqlite_sequence")
        for name, sql in [(name, sql) for kind, name, sql in schema if kind != "table"]:
            _made(new, name, sql, found)
        new.execute("DETACH bad")
        found.faults += [str(row[0]) for row in new.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
    return found


def _lengthen(source: Path) -> None:
    """Fill a file that was cut off with empty pages: SQLite opens none that is shorter than its header says."""
    with source.open("r+b") as file:
        header = file.read(100)
        size = int.from_bytes(header[16:18], "big")
        told = int.from_bytes(header[28:32], "big") * (65536 if size == 1 else size)
        there = file.seek(0, os.SEEK_END)
        if header.startswith(_MAGIC) and there < told <= _MOST_PADDING * max(there, 2**20):
            file.truncate(told)


def _adopt(new: sqlite3.Connection, source: Path, damaged: dict[str, Table]) -> None:
    """Add the rows of orphaned pages to the damaged table that they must be of; where two could be, to none."""
    if not damaged:
        return
    roots = {root for (root,) in new.execute("SELECT rootpage FROM bad.sqlite_master WHERE type = 'table'")}
    widths = {name: new.execute("SELECT count(*) FROM pragma_table_info(?)", [name]).fetchone()[0] for name in damaged}
    for page, columns in orphans(source, {1, *roots}):
        # ALTER TABLE ADD COLUMN leaves the older rows shorter.
        owners = [n for n, width in widths.items() if width == columns] or [n for n, w in widths.items() if w > columns]
        if len(owners) == 1:
            with suppress(sqlite3.Error):
                _take_page(new, damaged[owners[0]], page)


def _take_page(new: sqlite3.Connection, table: Table, page: int) -> None:
    new.execute("PRAGMA writable_schema = ON")
    new.execute("UPDATE bad.sqlite_master SET rootpage = ? WHERE type = 'table' AND name = ?", [page, table.name])
    new.execute("PRAGMA writable_schema = RESET")
    copying = Copying(new, table.name)
    there = new.execute(f"SELECT min({copying.rowid}), max({copying.rowid}) FROM bad.{quoted(table.name)} NOT INDEXED")  # noqa: S608
    low, high = there.fetchone()
    table.rows = copying.take().rows
    table.read.append((low, high))


def _headers(new: sqlite3.Connection) -> None:
    """What the header of the file says, as far as it can be read."""
    encoding = new.execute("PRAGMA bad.encoding").fetchone()[0]
    size = new.execute("PRAGMA bad.page_size").fetchone()[0]
    new.execute(f"PRAGMA encoding = '{encoding}'")
    new.execute(f"PRAGMA page_size = {int(size)}")
    for name in _KEPT:
        value = new.execute(f"PRAGMA bad.{name}").fetchone()[0]
        new.execute(f"PRAGMA main.{name} = {int(value)}")


def _made(new: sqlite3.Connection, name: str, sql: str, found: Salvaged) -> bool:
    if name.startswith("sqlite_"):
        return False
    try:
        new.execute(sql)
    except sqlite3.Error as error:
        if "already exists" not in str(error):  # the tables behind a virtual one are made with it
            found.faults.append(f"{name} could not be made: {error}")
            return False
    return True
