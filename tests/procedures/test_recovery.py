"""Recoveries of real damage: what comes back, what is lost, who is refused, and kill -9 at every step."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

import healthkit as hk
from healthkit.cli.main import main
from healthkit.config import Duration, Incidents, Service
from healthkit.errors import ConfigError
from healthkit.findings import Severity
from healthkit.procedures._damages import database_fault
from healthkit.procedures._trials import spare_port

DAY = timedelta(days=1)
PAGE = 4096
STAMP = "20261124-060000"


def content(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(db.iterdump())


def fill(host, rows, start=500):
    """Rows as wide as real ones, so that there are many pages."""
    with closing(sqlite3.connect(host.database)) as db:
        db.executemany(
            "INSERT INTO tokens (name) VALUES (?)", [(f"token {start + i} {'x' * 80}",) for i in range(rows)]
        )
        db.commit()


def leaves(path):
    data = path.read_bytes()
    return [n for n in range(2, len(data) // PAGE + 1) if data[(n - 1) * PAGE] == 0x0D]


def destroy(path, pages):
    data = bytearray(path.read_bytes())
    for number in pages:
        data[(number - 1) * PAGE : number * PAGE] = bytes(PAGE)
    path.write_bytes(data)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_nothing_damaged_is_nothing_done(host):
    """D59: services were stopped whatever the state of the data."""
    before = files(host.database.parent)
    log = host.top / "stopped"
    service = Service(name="web", stop=("touch", str(log)))
    run = host.run("recovery", config=host.config(services=(service,)))
    assert (run.exit_code, [step.name for step in run.steps]) == (0, ["assess"])
    assert "nothing is damaged: 2 databases" in run.findings[0].message
    assert not log.exists()
    assert files(host.database.parent)["health.db"] == before["health.db"]


BROKEN = "host: web-1\nbackups: {directory: /nowhere, nonsense: 1}\n"


def test_a_broken_configuration_of_our_own_comes_back_and_the_run_goes_by_the_backup_s(host, capsys):
    """An emergency is when somebody edits healthkit.yaml by hand: a recovery that stops at it helps nobody."""
    own = host.home / "config/healthkit.yaml"
    text = (
        f"host: web-1\ndatabases: [{{name: health, path: {host.database}}}]\nbackups: {{directory: {host.backups}}}\n"
    )
    own.write_text(text)
    host.backup()
    own.write_text(BROKEN)
    host.database.write_bytes(host.database.read_bytes()[:100])
    command = ["run", "recovery", "--home", str(host.home), "-o", "backups", str(host.backups)]
    assert main([*command, "--format", "json"]) == 1, "dry"
    done = json.loads(capsys.readouterr().out)
    (first,) = (finding for finding in done["findings"] if finding["subject"] == "configuration")
    assert "unknown key `$.backups.nonsense`" in first["message"]
    assert "goes by the one in backup" in first["message"]
    assert own.read_text() == BROKEN
    main([*command, "--apply"])
    assert own.read_text() == text
    assert database_fault(host.database) == ""
    assert list(own.parent.glob("healthkit.yaml.corrupted.*"))
    assert main(["config", "check", "--home", str(host.home)]) == 0


def test_without_a_backup_a_broken_configuration_is_critical_and_nothing_is_called_sound(host, tmp_path):
    own = host.home / "config/healthkit.yaml"
    own.write_text(BROKEN)
    run = hk.run("recovery", host.home, options={"backups": str(tmp_path / "none")})
    assert run.exit_code == 2
    (told,) = (finding for finding in run.findings if finding.subject == "configuration")
    assert "goes by the defaults; what the configuration names was not looked at" in told.message
    assert any(str(own) in finding.subject for finding in run.findings.of(Severity.CRITICAL))
    with pytest.raises(ConfigError):
        hk.run("backup", host.home)


def test_a_good_backup_beside_a_stale_wal_comes_back_exactly(host, rows):
    """D18: `cp` left the damaged database's WAL, which was replayed over the restored one."""
    folder = host.backup()
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(
            "UPDATE tokens SET name = 'later' || name"
        )  # of pages that are there: the header stays out of the WAL
        db.commit()
        for suffix in ("-wal", "-shm"):
            shutil.copy(f"{host.database}{suffix}", f"{host.database}.saved{suffix}")
    for suffix in ("-wal", "-shm"):
        Path(f"{host.database}.saved{suffix}").rename(f"{host.database}{suffix}")
    wal = Path(f"{host.database}-wal").read_bytes()
    data = bytearray(host.database.read_bytes())
    data[:100] = b"\xff" * 100
    host.database.write_bytes(data)
    host.database.chmod(0o640)
    run = host.run("recovery", after=DAY)
    assert run.exit_code == 1, run.findings
    assert host.database.read_bytes() == (folder / "databases/health.db").read_bytes()
    assert rows(host.database) == 500
    assert host.database.stat().st_mode & 0o777 == 0o640
    kept = host.database.with_name(f"health.db.corrupted.{STAMP}")
    assert kept.read_bytes() == data
    assert Path(f"{kept}-wal").read_bytes() == wal
    assert "backup 20261123T060000Z" in run.findings[0].message


def test_without_a_good_backup_everything_intact_is_salvaged_and_the_loss_told(host):
    """D59: no backup was the end of it."""
    fill(host, 4500)
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        before = db.execute("SELECT count(*) FROM tokens").fetchone()[0]
    destroy(host.database, leaves(host.database)[10:60:11])
    run = host.run("recovery", after=DAY)
    assert run.exit_code == 1, run.findings
    with closing(sqlite3.connect(host.database)) as db:
        after = db.execute("SELECT count(*) FROM tokens").fetchone()[0]
    assert before == 5000
    assert before - after == int(re.search(r"(\d+) lost", run.findings[0].message)[1])
    assert before - after < 5 * 45
    assert (run.findings[0].severity, "salvage" in run.findings[0].message) == (Severity.WARNING, True)


def test_what_loses_less_is_taken(host, rows):
    fill(host, 4500)
    host.backup()
    host.backup(after=DAY)
    fill(host, 1000, start=5000)
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    destroy(host.database, leaves(host.database)[10:20:5])
    plan = host.run("recovery", after=DAY, apply=False)
    assert any("would recover health from salvage" in step.message for step in plan.steps)
    assert not list(host.database.parent.glob("*corrupted*"))
    run = host.run("recovery", after=DAY, options={"prefer": "backup"})
    assert "the backup lacks" not in run.findings[0].message or rows(host.database) == 5000
    assert rows(host.database) == 5000


def test_a_corrupt_newest_backup_is_passed_over(host):
    """D59, D60: the newest was taken whatever it held."""
    host.backup()
    newest = host.backup(after=DAY)
    path = newest / "databases/health.db"
    path.write_bytes(path.read_bytes()[:-PAGE])
    host.database.write_bytes(b"not a database at all" * 400)
    run = host.run("recovery", after=DAY)
    assert "backup 20261123T060000Z" in run.findings[0].message


@contextmanager
def writer(path):
    """A process that has a database open, as a service has."""
    code = "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA user_version'); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_writer_that_does_not_stop_is_named_and_nothing_is_touched(host, monkeypatch):
    """D59: a stop that failed was ignored, and the writer kept the file open."""
    monkeypatch.setattr("healthkit.procedures.recovery.PATIENCE", 0.2)
    host.backup()
    with writer(host.database) as process:
        data = b"\xff" * 100 + host.database.read_bytes()[100:]
        host.database.write_bytes(data)
        service = Service(name="web", stop=("false",), start=("touch", str(host.top / "started")))
        run = host.run("recovery", after=DAY, config=host.config(services=(service,)))
    assert (run.exit_code, run.steps[1].status) == (2, "failed")
    assert f"process {process.pid}" in run.steps[1].message
    assert "false ended with exit code 1" in run.steps[1].message
    assert host.database.read_bytes() == data
    assert not list(host.database.parent.glob("*corrupted*"))
    assert not (host.top / "started").exists()


def test_a_service_is_stopped_recovered_and_answers_again(host, tmp_path):
    host.backup()
    served, pid = Path(__file__).with_name("served.py"), tmp_path / "pid"
    port = spare_port()
    program = (sys.executable, "-I", "-S", str(served), "--daemon", "--pid-file", str(pid))
    start = (*program, "--port", str(port), "--database", str(host.database))
    stop = ("sh", "-c", f"kill $(cat {pid})")
    service = Service(name="web", url=f"http://127.0.0.1:{port}/health", start=start, stop=stop, timeout=2)
    config = host.config(services=(service,), incidents=Incidents(settle=Duration(8)))
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not pid.exists():
            time.sleep(0.02)
        old = pid.read_text()
        host.database.write_bytes(b"")
        run = host.run("recovery", after=DAY, config=config)
        assert run.exit_code == 1, run.findings
        assert "status 200" in run.steps[-1].message
        assert pid.read_text() != old
    finally:
        os.kill(int(pid.read_text()), signal.SIGTERM)


def test_nothing_to_recover_from_starts_nothing_and_goes_on_later(host, rows):
    """D59: the service was started on a database that had not come back."""
    folder = host.backup()
    hidden = folder.rename(host.top / "elsewhere")
    host.database.write_bytes(b"\xff" * 9000)
    service = Service(name="web", stop=("true",), start=("touch", str(host.top / "started")))
    config = host.config(services=(service,))
    run = host.run("recovery", after=DAY, config=config)
    assert (run.exit_code, run.status) == (2, "failed")
    assert "nothing to recover health from" in str(run.findings[0].message)
    assert not (host.top / "started").exists()
    assert host.database.read_bytes() == b"\xff" * 9000
    hidden.rename(folder)
    run = host.run("recovery", after=2 * DAY, config=config)
    assert run.exit_code == 1, run.findings
    assert rows(host.database) == 500
    assert (host.top / "started").exists()
    assert len(list(host.database.parent.glob("*.corrupted.????????-??????"))) == 1, "kept once"


def test_configuration_comes_back_with_owner_and_mode_and_only_if_it_parses(host):
    """D46: it was copied without being parsed, the damaged one was lost, owner and mode too."""
    path = host.etc / "production.yaml"
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    good = path.read_text()
    host.backup()
    newest = host.backup(after=DAY)
    (newest / "config/production.yaml").write_text("a line of text")
    path.unlink()
    path.write_text("test_execution: [")
    run = host.run("recovery", after=DAY)
    assert run.exit_code == 1, run.findings
    status = path.stat()
    assert (path.read_text(), status.st_mode & 0o777) == (good, 0o640)
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (65534, 65534)
    assert path.with_name(f"production.yaml.corrupted.{STAMP}").read_text() == "test_execution: ["


CALLS = ("rename", "replace", "unlink")
"""What changes names on the disk; between two of them only temporary files differ."""


def killed_at(host, number, config):
    """Run it in a child that is killed before its n-th call that changes a disk; whether it lived to the end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    count = 0
    for name in CALLS:
        call = getattr(os, name)

        def deadly(*args, _call=call, **keys):
            nonlocal count
            count += Path(args[0]).exists()
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return _call(*args, **keys)

        setattr(os, name, deadly)
    try:
        host.run("recovery", after=DAY, config=config)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.slow
def test_kill_9_at_every_step_and_a_rerun_end_in_the_same_state(host, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing that it wrote
    folder = host.backup()
    host.database.write_bytes(b"\xff" * 9000)
    Path(f"{host.database}-wal").write_bytes(b"stale")
    (host.etc / "production.yaml").write_text("")
    started = host.top / "started"
    service = Service(name="web", stop=("rm", "-f", str(started)), start=("touch", str(started)))
    config = host.config(services=(service,))
    places = (host.database.parent, host.etc, host.home / "logs")
    image = host.top / "image"
    for place in (host.database.parent, host.etc):
        shutil.copytree(place, image / place.name)

    def reset():
        for place in (host.database.parent, host.etc):
            shutil.rmtree(place)
            shutil.copytree(image / place.name, place)
        shutil.rmtree(host.home / "logs", ignore_errors=True)
        started.unlink(missing_ok=True)

    def state():
        journal = json.loads(next((host.home / "logs/recovery").glob("REC-*.json")).read_text())
        assert journal["finished"]
        assert started.exists()
        assert len(list((host.home / "logs/recovery").iterdir())) == 2
        return [files(place) for place in places[:2]]

    before = {p.pid for p in psutil.Process().children()}
    host.run("recovery", after=DAY, config=config)
    expected = state()
    assert expected[0]["health.db"] == (folder / "databases/health.db").read_bytes()
    number, survived = 0, False
    while not survived:
        number += 1
        reset()
        survived = killed_at(host, number, config)
        if not survived:
            again = host.run("recovery", after=DAY, config=config)
            assert again.exit_code == 1 or "nothing is damaged" in again.steps[0].message, (number, again.findings)
        assert state() == expected, number
    assert number > 25
    alive = {p.pid for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE}
    assert not alive - before, "nothing that a killed recovery started is left"


def flipped(data):
    generator = random.Random(0)
    return bytes(byte ^ 0x55 if generator.random() < 0.002 else byte for byte in data)


@pytest.mark.parametrize(
    ("damage", "journal"),
    [
        (lambda _: None, b""),
        (lambda data: data[: len(data) // 2 + 777], b""),
        (lambda data: data[:100], b""),
        (flipped, b""),
        (lambda data: data[:12288] + bytes(4096) + data[16384:], b"\xd9\xd5\x05\xf9 \xa1c\xd7" + b"\xff" * 5000),
    ],
    ids=["missing", "cut off", "header only", "flipped bytes", "a journal beside it"],
)
def test_a_sound_backup_is_taken_before_a_salvage_that_lacks_its_rows(host, rows, damage, journal):
    """Flipped bytes make rows that read well and are wrong: they are no news."""
    fill(host, 1500)
    host.backup()
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    data = damage(host.database.read_bytes())
    host.database.unlink()
    if data is not None:
        host.database.write_bytes(data)
    if journal:
        host.database.with_name("health.db-journal").write_bytes(journal)
    run = host.run("recovery", after=DAY)
    assert run.status == "ok", run.steps
    assert rows(host.database) == 2000
    assert content(host.database)
    assert not host.database.with_name("health.db-journal").exists()


def test_a_database_that_was_cut_off_is_salvaged_up_to_there(host, rows):
    fill(host, 1500)
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    data = host.database.read_bytes()
    host.database.write_bytes(data[: len(data) // 2])
    run = host.run("recovery", after=DAY)
    assert run.exit_code == 1
    assert "an unknown number lost (rowids from" in run.findings[0].message
    assert 500 < rows(host.database) < 2000
