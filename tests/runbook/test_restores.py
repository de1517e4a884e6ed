"""`--test-restore DIR --dry-run`: of our own backups, and of those of another tool."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from healthkit.cli.main import main as healthkit
from healthkit.state import State


def database(path, rows=200):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE tokens (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("CREATE INDEX ix_tokens ON tokens (name)")
        db.executemany("INSERT INTO tokens (name) VALUES (?)", [(f"token {i}",) for i in range(rows)])
        db.commit()


@pytest.fixture
def stranger(tmp_path):
    """A backup as the old scripts expect one: a database, configuration, and nothing that says what it should hold."""
    folder = tmp_path / "backup-test"
    (folder / "config").mkdir(parents=True)
    database(folder / "health.db")
    (folder / "config/production.yaml").write_text("test_execution: {parallel: true, timeout: 60}\n")
    return folder


def told(old):
    with State(old.home) as state:
        return [row["message"] for row in state.records("alerts", name="RestoreTest")]


def test_a_sound_backup_of_another_tool_passes_and_what_cannot_be_told_is_said(old, stranger):
    done = old("--test-restore", stranger, "--dry-run")
    assert done.code == 0
    assert "database health: whole; nothing says how many rows it held" in done.out
    assert "has no manifest" in done.out
    assert told(old) == []
    assert sorted(path.name for path in stranger.iterdir()) == ["config", "health.db"]


def damage(kind, folder):
    if kind == "missing database":
        (folder / "health.db").unlink()
    elif kind == "empty database":
        (folder / "health.db").write_bytes(b"")
    elif kind == "no tables":
        (folder / "health.db").unlink()
        with closing(sqlite3.connect(folder / "health.db")) as db:
            db.execute("VACUUM")
    elif kind == "broken index":
        with closing(sqlite3.connect(folder / "health.db", isolation_level=None)) as db:
            db.execute("PRAGMA writable_schema = ON")
            db.execute(
                "UPDATE sqlite_master SET sql = 'CREATE INDEX ix_tokens ON tokens (id)' WHERE name = 'ix_tokens'"
            )
    elif kind == "cut configuration":
        (folder / "config/production.yaml").write_text("")
    elif kind == "no file":
        for path in [*folder.rglob("*.*")]:
            path.unlink()
    elif kind == "no folder":
        folder.rename(folder.with_name("elsewhere"))


DAMAGES = [
    "missing database",
    "empty database",
    "no tables",
    "broken index",
    "cut configuration",
    "no file",
    "no folder",
]


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_bad_backup_is_told_and_the_exit_code_is_0(old, stranger, kind):
    """D13, D14, D15, D34, D56: the old test skipped or passed these, exited 0, and nobody heard of it."""
    damage(kind, stranger)
    done = old("--test-restore", stranger, "--dry-run")
    assert done.code == 0
    assert "failed" in done.out or "unknown" in done.out
    assert len(told(old)) == 1
    with State(old.home) as state:
        assert state.last_task_run("restore_test")["status"] != "ok"


def test_a_hostile_file_name_is_data(old, stranger):
    """D32, D33: the old test pasted the name of a file into a program that it ran as root."""
    name = "x'));open('owned','w').write('').yaml"
    (stranger / "config" / name).write_text("a: 1\n")
    os.chdir(stranger)
    done = old("--test-restore", stranger, "--dry-run")
    assert done.code == 0
    assert not list(stranger.rglob("owned"))


def test_a_copy_of_our_own_backup_is_held_to_its_manifest(old, tmp_path):
    (tmp_path / "var").mkdir()
    database(tmp_path / "var/health.db")
    old.configure(
        f"host: web-1\ndatabases: [{{name: health, path: {tmp_path}/var/health.db}}]\n"
        f"backups: {{directory: {tmp_path}/backups}}\n"
    )
    assert healthkit(["run", "backup", "--apply", "--home", str(old.home)]) == 0
    backup = next(path for path in (tmp_path / "backups").iterdir() if path.is_dir() and not path.is_symlink())
    assert "200 rows as in the manifest" in old("--test-restore", backup, "--dry-run").out
    with closing(sqlite3.connect(backup / "databases/health.db")) as db:
        db.execute("DELETE FROM tokens WHERE id > 150")
        db.commit()
    done = old("--test-restore", backup, "--dry-run")
    assert done.code == 0
    assert "table tokens has 150 rows; the manifest counts 200" in told(old)[0]
