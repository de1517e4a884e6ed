"""Maintenance of real databases, beside real writers."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from typing import NamedTuple

import pytest

from healthkit.findings import Severity
from healthkit.procedures import _upkeep
from healthkit.procedures._upkeep import look, vacuum

OLD = 12_000


class Usage(NamedTuple):
    """As `shutil.disk_usage` returns it."""

    total: int
    used: int
    free: int


@pytest.fixture
def wasteful(host):
    """A third of the database's pages are empty."""
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("CREATE TABLE old (id INTEGER PRIMARY KEY, text TEXT)")
        db.executemany("INSERT INTO old (text) VALUES (?)", (("x" * 1500,) for _ in range(OLD)))
        db.execute("DELETE FROM old WHERE id > ?", (OLD // 4,))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return host


def step(run, name):
    return next(step for step in run.steps if step.name == name)


def test_what_it_finds_and_does(wasteful, rows):
    before = wasteful.database.stat().st_size
    run = wasteful.run("database_maintenance")
    assert run.exit_code == 0, run.findings
    done = step(run, "vacuum health").evidence
    assert done["before"]["bytes"] == before, "D57: the size was taken after the VACUUM only"
    assert done["before"]["wasted"] > 0.5
    assert done["after"]["free_pages"] == 0
    assert wasteful.database.stat().st_size < before / 2
    assert rows(wasteful.database) == 500
    assert rows(wasteful.database, "old") == OLD // 4
    assert look("health", wasteful.database).analyzed
    assert step(run, "after").evidence["won"] > before / 2


def test_a_dry_run_changes_nothing(wasteful):
    before = wasteful.database.read_bytes()
    run = wasteful.run("database_maintenance", apply=False)
    assert "would win back" in step(run, "vacuum health").message
    assert wasteful.database.read_bytes() == before


def test_where_it_does_not_pay_it_is_not_done(host):
    before = host.database.read_bytes()
    told = step(host.run("database_maintenance"), "vacuum health")
    assert "does not pay" in told.message
    assert "0\u00a0B" in told.message, "with the number that decided it"
    assert look("health", host.database).analyzed
    assert before[:16] == host.database.read_bytes()[:16]


def test_a_held_lock_is_waited_for_and_then_left_alone(wasteful, rows):
    """D57: the return code of a VACUUM that found the database locked was ignored."""
    before = wasteful.database.stat().st_size
    with closing(sqlite3.connect(wasteful.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        run = wasteful.run("database_maintenance", options={"wait": "0.3"})
        assert 0.3 < time.monotonic() - began < 10
        writer.execute("ROLLBACK")
    assert run.exit_code == 1
    messages = [f.message for f in run.findings.of(Severity.WARNING)]
    assert len(messages) == 2, "neither statistics nor VACUUM"
    assert all("postponed: database is locked for 0.3 s" in message for message in messages)
    assert wasteful.database.stat().st_size == before
    assert rows(wasteful.database) == 500


def test_a_vacuum_that_holds_writers_up_is_broken_off(wasteful, rows):
    """D57: an exclusive lock for as long as it takes."""
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        vacuum(wasteful.database, wait=1, hold=1e-9)
    assert rows(wasteful.database, "old") == OLD // 4
    run = wasteful.run("database_maintenance", options={"hold": "0.000000001"})
    (found,) = run.findings.of(Severity.WARNING)
    assert "broken off" in found.message
    assert found.hint
    assert look("health", wasteful.database).pays, "as it was"


def test_a_writer_waits_no_longer_than_it_is_told(wasteful):
    """A writer at work during the VACUUM: every one of its commits succeeds, and none waits longer than its time-out."""
    stop, waits = threading.Event(), []

    def write():
        with closing(sqlite3.connect(wasteful.database, timeout=20, isolation_level=None)) as db:
            while not stop.is_set():
                began = time.monotonic()
                db.execute("INSERT INTO tokens (name) VALUES ('busy')")
                waits.append(time.monotonic() - began)
                stop.wait(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        run = wasteful.run("database_maintenance", options={"hold": "10"})
    finally:
        stop.set()
        writer.join()
    assert run.exit_code in (0, 1)
    assert max(waits) < 15
    with closing(sqlite3.connect(wasteful.database)) as db:
        assert db.execute("SELECT count(*) FROM tokens").fetchone()[0] == 500 + len(waits)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_no_room_for_the_copy(wasteful, monkeypatch):
    """D57: a VACUUM takes the database's size again, twice with its journal."""
    size = look("health", wasteful.database).bytes
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * size, 8 * size, 2 * size))
    run = wasteful.run("database_maintenance")
    (found,) = run.findings.of(Severity.WARNING)
    assert "are free" in found.message
    assert look("health", wasteful.database).pays


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_what_is_no_database_is_unknown(host, content):
    host.database.write_bytes(content)
    for suffix in ("-wal", "-shm"):
        host.database.with_name(f"{host.database.name}{suffix}").unlink(missing_ok=True)
    run = host.run("database_maintenance")
    assert "health" in {f.subject for f in run.findings.of(Severity.UNKNOWN)}
    assert host.database.read_bytes() == content


def test_a_missing_database_is_unknown_and_not_made(host):
    host.database.unlink()
    run = host.run("database_maintenance")
    assert {f.subject for f in run.findings.of(Severity.UNKNOWN)} == {"health"}
    assert not host.database.exists()


def test_a_large_one_is_named(wasteful, monkeypatch):
    from healthkit.procedures import database_maintenance

    monkeypatch.setattr(database_maintenance, "LARGE", 1000)
    found = wasteful.run("database_maintenance").findings.of(Severity.INFO)
    assert any("Archive" in f.hint for f in found)
    assert _upkeep.WASTED == 0.20
