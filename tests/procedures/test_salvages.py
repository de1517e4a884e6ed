"""Salvage of SQLite databases with destroyed pages: every row of every page that is whole, and an account of the others.

Second opinion: SQLite's own `.dump`, which ends at the first damaged page.
"""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from healthkit.procedures._salvages import salvage

PAGE = 4096
TABLES = {
    "numbered": "CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT, pad TEXT)",
    "unnumbered": "CREATE TABLE notes (name TEXT, pad TEXT)",
    "random": "CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT, pad TEXT)",
}


def build(path, kind="numbered", rows=2500):
    generator = random.Random(0)
    with closing(sqlite3.connect(path)) as db:
        db.execute(TABLES[kind])
        for i in range(1, rows + 1):
            key = i if kind == "numbered" else generator.randrange(-(2**62), 2**62)
            values = {"name": f"name {i};", "pad": "x" * 80} | ({} if kind == "unnumbered" else {"id": key})
            query = f"INSERT INTO notes ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
            db.execute(query, [*values.values()])
        db.execute("CREATE TABLE other (a INTEGER PRIMARY KEY AUTOINCREMENT, b, c, d)")
        db.executemany("INSERT INTO other (b, c, d) VALUES (?, ?, ?)", [(i, str(i), i / 7) for i in range(500)])
        db.execute("CREATE VIEW many AS SELECT count(*) AS n FROM notes")
        db.execute("PRAGMA user_version = 7")
        db.commit()


def kinds(data):
    """Page numbers by the first byte of their header."""
    found = {}
    for number in range(2, len(data) // PAGE + 1):
        found.setdefault(data[(number - 1) * PAGE], []).append(number)
    return found


def destroy(path, pages, *, noise=False):
    """Overwrite pages; the names of the rows that were in them."""
    data = bytearray(path.read_bytes())
    gone = set()
    for number in pages:
        start = (number - 1) * PAGE
        gone |= {match.decode() for match in re.findall(rb"name \d+;", data[start : start + PAGE])}
        data[start : start + PAGE] = random.Random(number).randbytes(PAGE) if noise else bytes(PAGE)
    path.write_bytes(data)
    return gone


def names(path):
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM notes")}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("seed", range(3))
def test_five_destroyed_pages_cost_their_own_rows_and_no_others(tmp_path, kind, seed):
    path = tmp_path / "damaged.db"
    build(path, kind)
    before, leaves = names(path), kinds(path.read_bytes())[0x0D]
    gone = destroy(path, random.Random(seed).sample(leaves, 5), noise=bool(seed % 2))
    found = salvage(path, tmp_path / "new.db")
    saved = names(tmp_path / "new.db")
    intact = before - gone
    assert intact <= saved
    assert saved <= before
    assert found.faults == []
    if kind != "random":
        table = found.tables["notes"]
        assert table.lost is None or table.lost >= len(before - saved)
        assert f"{len(saved)} rows" in str(table)


def test_rows_below_a_destroyed_inner_page_are_found(tmp_path):
    """They are reached by no rowid, only by looking at every page."""
    path = tmp_path / "damaged.db"
    build(path)
    before = names(path)
    destroy(path, kinds(path.read_bytes())[0x05])
    found = salvage(path, tmp_path / "new.db")
    assert names(tmp_path / "new.db") == before
    assert found.tables["other"].rows == 500


def test_what_was_deleted_does_not_come_back(tmp_path):
    """Free pages still hold rows, and are no table's."""
    path = tmp_path / "damaged.db"
    build(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM notes WHERE id BETWEEN 500 AND 2000")
    before = names(path)
    destroy(path, kinds(path.read_bytes())[0x05])
    salvage(path, tmp_path / "new.db")
    assert names(tmp_path / "new.db") == before


def test_the_schema_and_what_the_header_says_come_along(tmp_path):
    path = tmp_path / "damaged.db"
    build(path)
    destroy(path, kinds(path.read_bytes())[0x0D][3:5])
    found = salvage(path, tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "new.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (7,)
        assert db.execute("SELECT n FROM many").fetchone() == (found.tables["notes"].rows,)
        assert db.execute("SELECT seq FROM sqlite_sequence").fetchone() == (500,)
        assert db.execute("SELECT count(DISTINCT typeof(b) || typeof(c) || typeof(d)) FROM other").fetchone() == (1,)


def test_an_index_that_is_whole_tells_how_many_there_were(tmp_path):
    path = tmp_path / "damaged.db"
    build(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE INDEX by_name ON notes (name)")
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'notes'").fetchone()[0]
    leaves = [page for page in kinds(path.read_bytes())[0x0D] if page > root][-30:-27]
    gone = destroy(path, [*leaves])
    table = salvage(path, tmp_path / "new.db").tables["notes"]
    assert (table.counted, table.lost) == (2500, len(gone))


def test_the_wal_is_read_along(tmp_path):
    """D17: what was committed and is still in the WAL is data too."""
    live, path = tmp_path / "live.db", tmp_path / "damaged.db"
    build(live, rows=1000)
    with closing(sqlite3.connect(live, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("INSERT INTO notes (name) VALUES ('only in the WAL')")
        for suffix in ("", "-wal"):
            shutil.copy(f"{live}{suffix}", f"{path}{suffix}")
    destroy(path, kinds(path.read_bytes())[0x0D][2:3])
    salvage(path, tmp_path / "new.db")
    assert "only in the WAL" in names(tmp_path / "new.db")


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    (tmp_path / "damaged.db").write_bytes(b"\xff" * 9000)
    with pytest.raises(sqlite3.DatabaseError):
        salvage(tmp_path / "damaged.db", tmp_path / "new.db")
