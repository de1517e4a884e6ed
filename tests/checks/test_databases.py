"""Real SQLite databases: healthy, with a WAL, empty, missing, corrupt, robbed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from healthkit.config import Backups, Database
from healthkit.findings import Severity
from healthkit.manifests import BackedDatabase, Manifest, count_rows, encode_manifest, open_read_only, schema_digest

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "health.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE tokens (id INTEGER PRIMARY KEY, token TEXT)")
        db.execute("CREATE INDEX ix_tokens ON tokens (token)")
        db.executemany("INSERT INTO tokens (token) VALUES (?)", [(f"t{i:06}",) for i in range(2000)])
        db.execute("CREATE TABLE health_reports (id INTEGER PRIMARY KEY, token INTEGER REFERENCES tokens (id))")
        db.executemany("INSERT INTO health_reports (token) VALUES (?)", [(i + 1,) for i in range(100)])
        db.commit()
    return path


@pytest.fixture
def judge(ask, tmp_path, worlds):
    def judge(path, backed=None):
        directory = tmp_path / "backups"
        if backed is not None:
            folder = directory / "20261123T050000Z"
            folder.mkdir(parents=True)
            entry = BackedDatabase("health", "databases/health.db", backed, "x")
            manifest = Manifest(created=worlds.NOW - timedelta(hours=1), host="web-1", databases=(entry,))
            (folder / "manifest.json").write_bytes(encode_manifest(manifest))
        return ask(
            "databases",
            databases=(Database(name="health", path=str(path)),),
            backups=Backups(directory=str(directory)),
        )

    return judge


def test_no_database_is_not_applicable(ask):
    (finding,) = ask("databases")
    assert finding.evidence["applicable"] is False


def test_a_whole_database(judge, database):
    (finding,) = judge(database)
    assert finding.severity is OK
    assert finding.evidence["rows"] == {"health_reports": 100, "tokens": 2000}


def test_a_missing_database_is_an_answer_and_stays_missing(judge, tmp_path):
    """D16: sqlite3 opens an empty database for a missing path and says ok. D13: `if -f` skipped it."""
    path = tmp_path / "missing.db"
    (finding,) = judge(path)
    assert finding.severity is CRITICAL
    assert finding.evidence["cap"] == 39
    assert not path.exists()


def test_an_empty_file_is_no_database(judge, tmp_path):
    """D15: a file of 0 bytes passes integrity_check."""
    path = tmp_path / "empty.db"
    path.touch()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (finding,) = judge(path)
    assert finding.severity is CRITICAL


def test_a_database_without_tables_is_empty_too(judge, tmp_path):
    """D15: no row count and no schema check."""
    path = tmp_path / "hollow.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")
        db.execute("CREATE TABLE t (a)")
        db.execute("DROP TABLE t")
        db.commit()
    (finding,) = judge(path)
    assert finding.severity is CRITICAL


def test_an_error_that_contains_ok_is_an_error(judge, database):
    """D14: `grep -q ok` matched `row 1 missing from index ix_tokens`."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET sql = 'CREATE TABLE tokens (id INTEGER PRIMARY KEY, token TEXT)' WHERE name = 'tokens'"
        )
        db.execute("CREATE TABLE copy AS SELECT * FROM tokens")
        # Rows that the index does not know of: take the index away from the schema, insert, put it back.
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_tokens'").fetchone()[0]
        db.execute("DELETE FROM sqlite_master WHERE name = 'ix_tokens'")
        db.commit()
    with closing(sqlite3.connect(database)) as db:
        db.execute("INSERT INTO tokens (token) VALUES ('unknown to the index')")
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "INSERT INTO sqlite_master VALUES ('index', 'ix_tokens', 'tokens', ?, 'CREATE INDEX ix_tokens ON tokens (token)')",
            [root],
        )
        db.commit()
    with closing(sqlite3.connect(database)) as db:
        said = "\n".join(row[0] for row in db.execute("PRAGMA integrity_check"))
    assert "ok" in said  # what the runbook greps for
    assert said != "ok"
    (finding,) = judge(database)
    assert finding.severity is CRITICAL
    assert any("ix_tokens" in error for error in finding.evidence["errors"])


def test_damaged_pages(judge, database):
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(3 * 4096))
    (finding,) = judge(database)
    assert finding.severity is CRITICAL


def test_text_is_no_database(judge, tmp_path):
    path = tmp_path / "text.db"
    path.write_text("this is not a database, but it is not empty\n" * 100)
    (finding,) = judge(path)
    assert finding.severity is CRITICAL


def test_rows_that_refer_to_nothing(judge, database):
    with closing(sqlite3.connect(database)) as db:
        db.execute("DELETE FROM tokens WHERE id <= 10")
        db.commit()
    (finding,) = judge(database)
    assert finding.severity is WARNING
    assert "10 rows" in finding.message


def test_what_a_writer_has_committed_counts(judge, database):
    """D17: rows in the WAL are read along, while the writer holds it."""
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO health_reports (token) VALUES (1)")
        writer.commit()
        assert database.with_name("health.db-wal").stat().st_size > 0
        (finding,) = judge(database, {"health_reports": 101, "tokens": 2000})
    assert finding.severity is OK
    assert finding.evidence["rows"]["health_reports"] == 101


@pytest.mark.parametrize(
    ("backed", "severity", "said"),
    [
        ({"tokens": 2000, "health_reports": 90}, OK, "whole"),
        ({"tokens": 2000, "health_reports": 1000}, WARNING, "has 100 rows"),
        ({"tokens": 2000, "orders": 7}, CRITICAL, "orders is gone"),
    ],
)
def test_against_the_last_backup(judge, database, backed, severity, said):
    """D15, D53: row counts and schema are compared; 0 records were still `successful`."""
    (finding,) = judge(database, backed)
    assert finding.severity is severity
    assert said in finding.message


def test_an_emptied_table_is_a_loss(judge, database):
    """D53: COUNT(*) of 0 passed as successful."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("DELETE FROM health_reports")
        db.commit()
    (finding,) = judge(database, {"tokens": 2000, "health_reports": 100})
    assert finding.severity is CRITICAL
    assert "is empty" in finding.message


def test_a_locked_database_is_unknown_not_corrupt(judge, database):
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("DELETE FROM health_reports")
        (finding,) = judge(database)
        writer.execute("ROLLBACK")
    assert finding.severity is UNKNOWN


def test_looking_changes_nothing(judge, database):
    before = database.read_bytes()
    judge(database)
    assert database.read_bytes() == before


def test_the_own_database_is_judged_where_there_is_one(ask, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "health.db").write_bytes(b"garbage" * 1000)
    (finding,) = ask("databases", home=home)
    assert (finding.subject, finding.severity) == ("_healthkit", CRITICAL)


def test_the_own_database_earns_no_points(ask, tmp_path, database):
    home = tmp_path / "home"
    home.mkdir()
    database.rename(home / "health.db")
    (finding,) = ask("databases", home=home)
    assert finding.evidence["applicable"] is False
    assert "whole" in finding.message


def test_hostile_names_of_files_and_tables(judge, tmp_path):
    """D32: a quote in a name broke the check, or ran as code."""
    path = tmp_path / "it's ?mode=rwc#\n.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute('CREATE TABLE "we""ird; DROP TABLE x" (a)')
        db.execute('INSERT INTO "we""ird; DROP TABLE x" VALUES (1)')
        db.commit()
    (finding,) = judge(path)
    assert finding.severity is OK
    assert finding.evidence["rows"] == {'we"ird; DROP TABLE x': 1}


def test_the_schema_has_a_digest(database):
    with open_read_only(database) as db:
        before, rows = schema_digest(db), count_rows(db)
    with closing(sqlite3.connect(database)) as db:
        db.execute("ALTER TABLE tokens ADD COLUMN more TEXT")
        db.commit()
    with open_read_only(database) as db:
        assert schema_digest(db) != before
        assert count_rows(db) == rows
