"""Backups of real databases, some of them while they are written to, and some cut off by kill -9."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults import needs_strace
from faults import run as run_with

import healthkit as hk
from healthkit.checks import check
from healthkit.config import Backups, Config, Database, Keep, Restic
from healthkit.findings import Severity
from healthkit.manifests import Backup, Manifest, digest, newest_backup, read_manifest
from healthkit.procedures._retention import expired, kept, shelf
from healthkit.state import State
from healthkit.store.journal import Journal, journal_path, read

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_the_layout_is_the_contract(host, rows):
    folder = host.backup()
    assert (host.backups / "latest").resolve() == folder
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "manifest.json",
        "databases/health.db",
        "databases/_healthkit.db",
        "config/production.yaml",
        "config/_healthkit/healthkit.yaml",
    }
    assert rows(folder / "databases/health.db") == 500
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    manifest = read_manifest(folder)
    assert manifest.created == datetime(2026, 11, 23, 6, tzinfo=UTC)
    assert {file.path: file.sha256 for file in manifest.files} == {
        name: digest(folder / name) for name in found - {"manifest.json"}
    }
    health = next(database for database in manifest.databases if database.name == "health")
    assert (health.tables, health.journal_mode) == ({"tokens": 500}, "wal")
    source = next(file for file in manifest.files if file.path == "config/production.yaml")
    assert (source.source, source.mode) == (str(host.etc / "production.yaml"), 0o644)


def test_the_check_and_the_record_agree(host):
    host.backup()
    findings = check(host.home, config=host.config(), names=["backups"], now=datetime(2026, 11, 23, 7, tzinfo=UTC))
    assert findings.worst is Severity.OK, findings
    with State(host.home) as state:
        assert state.last_task_run("backup")["status"] == "ok"


def test_rows_in_the_wal_are_in_the_backup(host, rows):
    """D17: `cp health.db` while the WAL holds commits: 1000 committed rows were not in the copy."""
    with closing(sqlite3.connect(host.database, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("BEGIN")
        writer.executemany("INSERT INTO tokens (name) VALUES (?)", [("late",)] * 1000)
        writer.execute("COMMIT")
        copied = shutil.copy(host.database, host.top / "runbook.db")
        folder = host.backup()
    assert rows(copied) < 1500, "the runbook's way loses them"
    assert rows(folder / "databases/health.db") == 1500


WRITER = textwrap.dedent("""
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
    db.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
    n = 0
    while True:
        db.execute("INSERT INTO tokens (name) VALUES ('written')")
        n += 1
        print(n, flush=True)
""")


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_no_committed_row_is_lost_under_a_writer(host, rows, mode):
    """D17, with a writer in another process that never pauses: what it had committed before is in the backup."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(host.database), mode], stdout=subprocess.PIPE, text=True
    ) as writer:
        committed = [0]

        def follow():
            for line in writer.stdout:
                committed[0] = int(line)

        follower = threading.Thread(target=follow)
        follower.start()
        try:
            while committed[0] < 200:
                time.sleep(0.01)
            for number in range(2):
                before = committed[0]
                folder = host.backup(after=number * HOUR)
                path = folder / "databases/health.db"
                assert rows(path) >= 500 + before
                with closing(sqlite3.connect(path)) as db:
                    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert not list(folder.rglob("*-wal")), "one file, whole without another"
        finally:
            writer.kill()
            follower.join()


def test_a_corrupt_database_is_told_and_does_not_stop_the_others(host):
    """A copy of a broken database is evidence, and no good backup: `latest` and the retention stay with the last good."""
    good = host.backup()
    data = bytearray(host.database.read_bytes())
    data[4096 : 4096 + 2000] = b"\xff" * 2000
    for end in ("-wal", "-shm"):
        Path(f"{host.database}{end}").unlink(missing_ok=True)
    host.database.write_bytes(data)
    run = host.run("backup", after=HOUR)
    assert run.exit_code == 2
    assert run.findings[0].subject == "health"
    assert (host.backups / "latest").resolve() == good
    newest = newest_backup(host.backups)
    assert newest.folder != good
    assert newest.manifest.faults
    assert {database.name for database in newest.manifest.databases} == {"health", "_healthkit"}


@pytest.mark.parametrize("content", [None, b"", b"text, no database\n"])
def test_a_missing_or_empty_database_is_a_fault(host, content):
    """D15, D16: SQLite opens a missing path as an empty database and calls it ok; so it does with 0 bytes."""
    for path in host.database.parent.iterdir():
        path.unlink()
    if content is not None:
        host.database.write_bytes(content)
    run = host.run("backup")
    assert run.exit_code == 2
    assert run.findings[0].subject == "health"
    assert host.database.exists() is (content is not None), "looking makes no file"
    assert not (host.backups / "latest").is_symlink()


def test_samples_are_in_it_while_they_are_collected(host):
    at = int(datetime(2026, 11, 23, 5, tzinfo=UTC).timestamp() * 1000)
    with Journal(host.home, "web-1") as journal:
        journal.append(at, [hk.Reading("load1", 0.5)])
        folder = host.backup()
    path = journal_path(Path(), "web-1", datetime(2026, 11, 23, tzinfo=UTC).date())
    (sample,) = read(folder / path)
    assert sample.value == 0.5
    without = host.run("backup", after=HOUR, config=host.config(backups={"metrics": False}))
    assert "metrics" not in {step.name for step in without.steps}


def test_strange_entries_in_the_configuration_are_told(host):
    """A FIFO hangs `cp`, a link may lead to anybody's secret, a hostile name must stay a name (D32, D33, D55)."""
    os.mkfifo(host.etc / "fifo.yaml")
    (host.etc / "shadow").symlink_to("/etc/shadow")
    (host.etc / "current.yaml").symlink_to("production.yaml")
    (host.etc / ".hidden").write_text("dotfiles count")
    (host.etc / "'; touch pwned; '.yaml").write_text("a: 1\n")
    run = host.run("backup")
    assert run.exit_code == 1
    (finding,) = run.findings.of(Severity.WARNING)
    assert len(finding.evidence["left"]) == 2
    folder = host.backups / "20261123T060000Z"
    names = {path.name for path in (folder / "config").iterdir()}
    assert {".hidden", "'; touch pwned; '.yaml"} <= names
    assert not names & {"fifo.yaml", "shadow"}
    assert [(link.path, link.target) for link in read_manifest(folder).links] == [
        ("config/current.yaml", "production.yaml")
    ]


def test_a_dry_run_lists_what_would_go_and_changes_nothing(host):
    keep = host.config(backups={"keep": Keep(daily=2)})
    for day in range(4):
        host.backup(after=day * DAY)
    before = host.folders
    run = host.run("backup", after=4 * DAY, apply=False, config=keep)
    step = next(step for step in run.steps if step.name == "retention")
    assert step.evidence["would_remove"] == ["20261124T060000Z", "20261123T060000Z"]
    assert host.folders == before
    host.run("backup", after=4 * DAY, config=keep)
    assert host.folders == ["20261126T060000Z", "20261127T060000Z", "latest"]


def test_the_last_good_backup_is_never_removed(host):
    """Even when a hundred bad ones came after it."""
    host.backup()
    shutil.move(host.database, host.top / "elsewhere.db")
    for day in range(1, 4):
        host.run("backup", after=day * DAY, config=host.config(backups={"keep": Keep(daily=1)}))
    assert "20261123T060000Z" in host.folders
    assert (host.backups / "latest").resolve().name == "20261123T060000Z"


def test_others_and_damaged_folders_are_not_removed(host):
    damaged = host.backup()
    (damaged / "manifest.json").write_text("{")
    foreign = host.backups / "20200101T000000Z"
    shutil.copytree(host.backup(after=HOUR), foreign)
    manifest = read_manifest(foreign)
    other = Manifest(created=datetime(2020, 1, 1, tzinfo=UTC), host="db-9", files=manifest.files)
    from healthkit.manifests import encode_manifest

    (foreign / "manifest.json").write_bytes(encode_manifest(other))
    (host.backups / "README").write_text("mine")
    host.run("backup", after=9 * DAY, config=host.config(backups={"keep": Keep(daily=1)}))
    assert host.folders == ["20200101T000000Z", "20261123T060000Z", "20261202T060000Z", "README", "latest"]


def test_days_weeks_and_months_are_kept(tmp_path):
    """Against counting by hand: one backup a day for 100 days, ending on Monday 23 November 2026."""
    end = datetime(2026, 11, 23, 6, tzinfo=UTC)
    good = [Backup(tmp_path / str(n), Manifest(created=end - n * DAY, host="x")) for n in range(100)]
    stay = [backup.manifest.created.date().isoformat() for backup in kept(good, Keep(daily=3, weekly=3, monthly=3))]
    assert stay == [
        "2026-11-23", "2026-11-22", "2026-11-21",  # days
        "2026-11-15",  # the Sundays that end the ISO weeks before this one are 22 (kept as a day) and 15
        "2026-10-31", "2026-09-30",  # month ends
    ]  # fmt: skip


def test_no_room_is_told_before_anything_is_written(host):
    class Full:
        f_bavail, f_frsize = 10, 4096

    original = os.statvfs
    os.statvfs = lambda _: Full
    try:
        run = host.run("backup")
    finally:
        os.statvfs = original
    assert run.exit_code == 2
    assert [step.status for step in run.steps][:2] == ["failed", "skipped"]
    assert "40 KiB free" in run.findings[0].message.replace("\u00a0", " ")
    assert not host.backups.exists()


def test_two_homes_with_one_folder_wait_for_each_other(host, tmp_path):
    host.backup()
    import fcntl

    fd = os.open(host.backups, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        run = host.run("backup", after=HOUR)
    finally:
        os.close(fd)
    assert run.status == "skipped" or run.exit_code == 1
    assert "another run is at work" in run.findings[0].message


def test_not_configured_is_no_failure(host):
    run = host.run("backup", config=Config(host="x"))
    assert (run.exit_code, run.status) == (0, "skipped")


def test_a_name_that_leads_elsewhere_is_refused(host):
    config = Config(
        host="x",
        databases=(Database(name="../../evil", path=str(host.database)),),
        backups=Backups(directory=str(host.backups)),
    )
    assert host.run("backup", config=config).exit_code == 2
    assert not list(host.top.rglob("evil*"))


needs_restic = pytest.mark.skipif(not shutil.which("restic"), reason="restic is not installed")


@pytest.fixture
def restic(host):
    password = host.top / "password"
    password.write_text("correct horse\n")
    password.chmod(0o600)
    repository = host.top / "repository"
    config = host.config(
        backups={"restic": Restic(repository=str(repository), password_file=str(password), check="100%")}
    )
    return repository, password, config


@needs_restic
@pytest.mark.slow
def test_restic_is_a_second_target_and_a_flipped_byte_is_found(host, restic):
    repository, password, config = restic
    command = ["restic", "--repo", repository, "--password-file", password, "init"]
    subprocess.run(command, check=True, capture_output=True)
    host.backup(config=config)
    for name in ("backup_verification", "restore_test"):
        run = host.run(name, config=config)
        assert (run.exit_code, run.steps[-1].name) == (0, "restic"), run.findings
    pack = max((path for path in (repository / "data").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[len(data) // 3] ^= 1
    pack.write_bytes(data)
    run = host.run("backup_verification", config=config)
    assert run.exit_code == 2
    assert {finding.subject for finding in run.findings.of(Severity.CRITICAL)} == {"restic"}


def test_without_restic_it_is_unknown(host, restic):
    from healthkit.checks._context import NOT_INSTALLED

    def absent(args, *, timeout, stdin=""):
        raise FileNotFoundError(2, NOT_INSTALLED, args[0])

    run = host.run("backup", config=restic[2], run=absent)
    assert run.exit_code == 3
    assert "apt-get install restic" in run.findings[0].hint
    assert (host.backups / "latest").exists(), "the first target is not the worse for it"


def test_a_password_that_others_can_read_is_refused(host, restic):
    restic[1].chmod(0o644)
    run = host.run("backup", config=restic[2])
    assert run.exit_code == 2
    assert "0644" in run.findings[0].message


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("call", ["rename,renameat,renameat2", "fsync", "unlink,unlinkat"])
def test_kill_9_at_any_call_leaves_whole_backups(host, call, rows):
    """For N = 1, 2, ... until a run survives: readers see whole backups only, and the next run heals the rest."""
    for day in (1, 2):
        host.backup(after=timedelta(days=day - 23))
    days, killed = iter(range(3, 29)), 0
    for n in range(1, 60):
        day = next(days, None)
        if day is None:
            break
        done = _killed(host, day, inject=f"{call}:signal=KILL:when={n}")
        stock = shelf(host.backups)
        assert stock.good, f"{call} {n}"
        assert not stock.faulty
        assert not stock.unreadable
        assert (host.backups / "latest").resolve().is_dir()
        assert rows(stock.good[0].folder / "databases/health.db") == 500
        if done.code == 0:
            break
        killed += 1
    assert killed
    host.backup(after=(30 - 23) * DAY, config=_two_days(host))
    left = [name for name in host.folders if name.startswith(".")]
    assert not left
    assert len(shelf(host.backups).good) == 2
    with State(host.home) as state:
        statuses = {row["status"] for row in state.records("task_runs", task="backup")}
    assert "running" not in statuses


def _two_days(host):
    return host.config(backups={"keep": Keep(daily=2)})


def _killed(host, day, inject):
    now = datetime(2026, 11, day, tzinfo=UTC)
    return run_with(hk.run, "backup", host.home, config=_two_days(host), dry_run=False, now=now, inject=inject)


def test_nothing_goes_while_there_is_no_good_backup(host):
    folder = host.backup()
    (folder / "databases/health.db").unlink()
    assert expired(shelf(host.backups), Keep(daily=1), "web-1") == []
