"""Backups in a real folder: fresh, old, touched, cut off, linked."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from healthkit.config import Backups, Database
from healthkit.findings import Severity
from healthkit.manifests import (
    STAMP,
    BackedDatabase,
    BackedFile,
    Manifest,
    count_rows,
    digest,
    encode_manifest,
    newest_backup,
    open_read_only,
    read_manifest,
    schema_digest,
)
from healthkit.state import State

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "backups"
    path.mkdir()
    return path


@pytest.fixture
def backup(directory, worlds):
    """Make a backup that is so many hours old."""

    def backup(hours, *, tables=("health_reports",)):
        created = worlds.NOW - timedelta(hours=hours)
        folder = directory / created.strftime(STAMP)
        (folder / "databases").mkdir(parents=True)
        (folder / "config").mkdir()
        (folder / "config/production.yaml").write_text("test_execution: {parallel: true}\n")
        path = folder / "databases/health.db"
        with closing(sqlite3.connect(path)) as db:
            for table in tables:
                db.execute(f"CREATE TABLE {table} AS SELECT 1 AS id")
            db.commit()
        with open_read_only(path) as db:
            entry = BackedDatabase("health", "databases/health.db", count_rows(db), schema_digest(db))
        files = tuple(
            BackedFile(str(p.relative_to(folder)), p.stat().st_size, digest(p))
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        )
        manifest = Manifest(created=created, host="web-1", files=files, databases=(entry,))
        (folder / "manifest.json").write_bytes(encode_manifest(manifest))
        return folder

    return backup


@pytest.fixture
def judge(ask, directory):
    def judge(**config):
        return ask("backups", backups=Backups(directory=str(directory)), **config)

    return judge


def severities(findings):
    return {finding.subject: finding.severity for finding in findings}


def test_not_configured_is_not_applicable(ask):
    (finding,) = ask("backups")
    assert finding.evidence["applicable"] is False


@pytest.mark.parametrize(("hours", "severity"), [(1, OK), (24.5, WARNING), (26, CRITICAL), (47, CRITICAL)])
def test_age(judge, backup, hours, severity):
    """D05: `-mtime +1` means two days: a backup of 47 hours was `less than 24`."""
    backup(hours)
    assert severities(judge()) == {"age": severity, "content": OK}


def test_no_backup_at_all(judge, directory):
    (finding,) = judge()
    assert (finding.severity, finding.evidence["cap"]) == (CRITICAL, 39)
    directory.rmdir()
    (finding,) = judge()
    assert finding.severity is CRITICAL


def test_what_is_no_backup_is_none(judge, directory, backup):
    """D09: `ls -t | head` picked any newest name: a file, lost+found, a partial copy."""
    folder = backup(30)
    (directory / "README").write_text("x")
    (directory / "lost+found").mkdir()
    (directory / ".20261123T055900Z.partial").mkdir()
    (directory / "20261123T055500Z").write_text("a file named like a backup")
    found = judge()
    assert severities(found) == {"age": CRITICAL, "content": OK}
    assert next(f for f in found if f.subject == "age").evidence["folder"] == str(folder)


def test_a_touched_old_backup_is_old(judge, backup, worlds):
    """D10: a touch made it the latest."""
    old, new = backup(300), backup(2)
    os.utime(old)
    os.utime(new, (0, 0))
    found = judge()
    assert severities(found) == {"age": OK, "content": OK}
    assert next(f for f in found if f.subject == "age").evidence["folder"] == str(new)


def test_an_unchanged_file_does_not_make_it_old(judge, backup):
    """D11: find counted every old file inside: one unchanged configuration was `older than 24 h` every day."""
    folder = backup(2)
    os.utime(folder / "config/production.yaml", (0, 0))
    assert severities(judge()) == {"age": OK, "content": OK}


def test_a_link_is_no_backup(judge, directory, backup, tmp_path, worlds):
    """D12: find does not follow a link: nine days old passed. D60: `latest` counted twice."""
    folder = backup(216)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder, elsewhere)
    (directory / (worlds.NOW - timedelta(hours=1)).strftime(STAMP)).symlink_to(elsewhere)
    (directory / "latest").symlink_to(elsewhere)
    (finding,) = judge()
    assert finding.severity is CRITICAL


def test_latest_does_not_count_twice(directory, backup):
    """D60."""
    folder = backup(2)
    (directory / "latest").symlink_to(folder.name)
    assert newest_backup(directory).folder == folder


def test_a_backup_without_the_database_fails(judge, backup):
    """D13: `if -f health.db` skipped the check: exit 0."""
    folder = backup(2)
    (folder / "databases/health.db").unlink()
    content = next(f for f in judge() if f.subject == "content")
    assert content.severity is CRITICAL
    assert "databases/health.db is missing" in content.evidence["faults"]


def test_a_database_that_was_never_backed_up_is_missed(judge, backup):
    """D13."""
    backup(2)
    content = next(f for f in judge(databases=(Database(name="orders", path="/x.db"),)) if f.subject == "content")
    assert content.evidence["faults"] == ["database orders is not in it"]


def test_a_truncated_database_is_found(judge, backup):
    """D15: 0 bytes passed integrity_check."""
    folder = backup(2)
    (folder / "databases/health.db").write_bytes(b"")
    assert severities(judge())["content"] is CRITICAL


def test_a_flipped_byte_is_found(judge, backup):
    path = backup(2) / "databases/health.db"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert severities(judge())["content"] is CRITICAL


def test_a_database_without_tables_is_not_backed_up(judge, backup):
    """D53: 0 records were successful."""
    backup(2, tables=())
    assert severities(judge())["content"] is CRITICAL


def test_a_cut_off_later_one_is_reported(judge, directory, backup):
    """D56: the failure was printed, and the job ended with exit 0."""
    backup(2)
    (directory / "20261123T055000Z").mkdir()
    damaged = directory / "20261123T055500Z"
    damaged.mkdir()
    (damaged / "manifest.json").write_text('{"created": "2026-')
    found = judge()
    assert severities(found) == {"unfinished": WARNING, "age": OK, "content": OK}
    assert set(found[0].evidence["refused"]) == {"20261123T055000Z", "20261123T055500Z"}


def test_a_manifest_that_reaches_outside(judge, backup):
    folder = backup(2)
    manifest = read_manifest(folder)
    outside = BackedFile("../../../etc/passwd", 1, "x")
    changed = Manifest(
        created=manifest.created, host="web-1", files=(*manifest.files, outside), databases=manifest.databases
    )
    (folder / "manifest.json").write_bytes(encode_manifest(changed))
    content = next(f for f in judge() if f.subject == "content")
    assert "lies outside" in content.message


def test_a_backup_from_the_future_is_unknown(judge, backup):
    backup(-3)
    assert severities(judge())["age"] is UNKNOWN


@pytest.fixture
def record(tmp_path, worlds):
    def record(days, status="ok"):
        started = worlds.NOW - timedelta(days=days)
        with State(tmp_path / "home") as state:
            code = 0 if status == "ok" else 2
            ended = started + timedelta(minutes=1)
            state.record_task_run("restore_test", started=started, ended=ended, status=status, exit_code=code)

    return record


@pytest.fixture
def restored(ask, directory):
    def restored():
        return ask("restore_test", backups=Backups(directory=str(directory)))

    return restored


def test_no_backups_no_restore_test(ask):
    (finding,) = ask("restore_test")
    assert finding.evidence["applicable"] is False


def test_never_restored(restored):
    (finding,) = restored()
    assert (finding.severity, finding.evidence["cap"]) == (WARNING, 84)


def test_restored_lately(restored, record):
    record(60, "failed")
    record(6)
    assert severities(restored()) == {"result": OK, "age": OK}


def test_restored_long_ago(restored, record):
    record(36)
    found = restored()
    assert severities(found) == {"age": WARNING, "result": OK}
    assert found[0].evidence["cap"] == 84


def test_a_restore_that_failed_is_critical(restored, record):
    """D56: a failed test only printed."""
    record(8)
    record(1, "failed")
    found = restored()
    assert severities(found) == {"result": CRITICAL, "age": OK}
    assert found[0].evidence["exit_code"] == 2
