"""The old way beside ours: each test shows first how a line like the runbook's is fooled, then that we are not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

from healthkit.alerts.conditions import Truth, parse_condition
from healthkit.checks import check
from healthkit.checks.configuration import judge_file
from healthkit.config import Application, Backups, Config, Database, Service
from healthkit.findings import Severity
from healthkit.manifests import BackedDatabase, BackedFile, Backup, Manifest, digest, encode_manifest, newest_backup
from healthkit.periods import Period, months_later
from healthkit.procedures._databases import copy_database, faults_of
from healthkit.procedures._restores import restore

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def bash(line, **variables):
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    done = subprocess.run(["bash", "-c", line], env=environment, text=True, capture_output=True, check=False)
    return done.stdout.strip()


def tokens(path, rows=300, journal="DELETE"):
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("CREATE TABLE tokens (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("CREATE INDEX ix_tokens ON tokens (name)")
        db.executemany("INSERT INTO tokens (name) VALUES (?)", [(f"token {n}",) for n in range(rows)])
        db.commit()


def integrity(path):
    """What the old scripts ask of a database."""
    with closing(sqlite3.connect(path)) as db:
        return "\n".join(str(row[0]) for row in db.execute("PRAGMA integrity_check"))


def backup(directory, created, *files, age=None):
    """A whole backup of ours; its files were changed so many seconds ago."""
    folder = directory / created.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text(name)
    backed = tuple(BackedFile(n, (folder / n).stat().st_size, digest(folder / n)) for n in files)
    (folder / "manifest.json").write_bytes(encode_manifest(Manifest(created, "web-1", backed)))
    for path in [*folder.iterdir(), folder] if age else []:
        os.utime(path, (time.time() - age, time.time() - age))
    return folder


@pytest.fixture
def ask(tmp_path):
    """The findings of one check of this machine."""
    return lambda name, **config: check(tmp_path / "home", config=Config(host="web-1", **config), names=[name], now=NOW)


def age_of(ask, directory):
    found = ask("backups", backups=Backups(directory=str(directory)))
    return next(finding.severity for finding in found if finding.subject == "age")


def test_a_count_of_nothing_in_the_report_of_pip_audit(ask, tmp_path, monkeypatch):
    """D01: what is counted is not in the report, and nothing is zero."""
    vulnerability = {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": [], "description": ""}
    report = {"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": [vulnerability]}]}
    (tmp_path / "audit.json").write_text(json.dumps(report))
    assert bash("jq '.vulnerabilities | length' $FILE", FILE=tmp_path / "audit.json") == "0"
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\ncat {tmp_path}/audit.json\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = ask("vulnerabilities")
    assert (found[0].severity, found[0].value) == (Severity.CRITICAL, 1)


def test_a_score_cut_out_of_a_sentence():
    """D02: `65/100` are two numbers; the comparison with 80 is then an error, and no alert is ever sent."""
    cut = bash("echo 'Security Score: 65/100' | grep -o '[0-9]\\+'")
    assert cut == "65\n100"
    assert bash('[ "$SCORE" -lt 80 ] && echo alert', SCORE=cut) == ""
    assert parse_condition("health_score < 80").evaluate({"health_score": 65.0}) is Truth.TRUE


def test_a_backup_of_47_hours(ask, tmp_path):
    """D05: `-mtime +1` begins at 48 hours."""
    folder = backup(tmp_path / "backups", NOW - timedelta(hours=47), "health.db", age=47 * 3600)
    assert bash("find $DIR -mtime +1 | wc -l", DIR=folder) == "0"
    assert age_of(ask, tmp_path / "backups") is Severity.CRITICAL


def test_what_ls_calls_the_newest(tmp_path):
    """D09, D10, D60: it is what was touched last, whatever it is."""
    directory = tmp_path / "backups"
    good = backup(directory, NOW - timedelta(hours=2), "health.db", age=7200)
    old = backup(directory, NOW - timedelta(days=40), "health.db", age=10)
    (directory / "latest").symlink_to(good.name)
    (directory / "README").write_text("not a backup")
    assert bash("ls -t $DIR | grep -v latest | head -n1", DIR=directory) == "README"
    assert bash("ls -td $DIR/2* | head -n1", DIR=directory) == str(old)
    assert newest_backup(directory).folder == good


def test_an_unchanged_file_in_a_new_backup(ask, tmp_path):
    """D11: one old file inside, as `cp -p` leaves it, made every backup too old."""
    folder = backup(tmp_path / "backups", NOW - timedelta(hours=1), "health.db", "production.yaml")
    os.utime(folder / "production.yaml", (0, 0))
    assert bash("find $DIR -mtime +1 | wc -l", DIR=folder) == "1"
    assert age_of(ask, tmp_path / "backups") is Severity.OK


def test_a_link_to_an_old_backup(ask, tmp_path):
    """D12: `find` does not follow the link that it is given."""
    directory = tmp_path / "backups"
    folder = backup(directory, NOW - timedelta(days=9), "health.db", age=9 * 86400)
    (directory / "latest").symlink_to(folder.name)
    assert bash("find $DIR -mtime +1 | wc -l", DIR=directory / "latest") == "0"
    assert age_of(ask, directory) is Severity.CRITICAL


def test_a_broken_index_of_a_lucky_name(ask, tmp_path):
    """D14: `grep -q ok` finds the one in `ix_tokens`."""
    path = tmp_path / "health.db"
    tokens(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX ix_tokens ON tokens (id)' WHERE name = 'ix_tokens'")
    assert integrity(path) != "ok"
    assert bash('echo "$SAID" | grep -q ok && echo passed', SAID=integrity(path)) == "passed"
    assert "integrity_check" in next(faults_of(path, BackedDatabase("health", path.name, {}, "")))
    assert ask("databases", databases=(Database(name="health", path=str(path)),)).worst is Severity.CRITICAL


@pytest.mark.parametrize("kind", ["empty", "missing"])
def test_a_database_that_is_none(ask, tmp_path, kind):
    """D15, D16: a file of 0 bytes passes, and one that is not there is made by the question."""
    path = tmp_path / "health.db"
    if kind == "empty":
        path.touch()
    assert integrity(path) == "ok"
    if kind == "missing":
        path.unlink(missing_ok=True)
    found = ask("databases", databases=(Database(name="health", path=str(path)),))
    assert found.worst is Severity.CRITICAL
    assert kind in found[0].message
    assert path.exists() == (kind == "empty")


def test_commits_that_are_in_the_wal_alone(tmp_path):
    """D17: the copied file passes the test, without the thousand rows."""
    live, copied, ours = (tmp_path / name for name in ("live.db", "copied.db", "ours.db"))
    tokens(live, 10, journal="WAL")
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.executemany("INSERT INTO tokens (name) VALUES (?)", [("late",)] * 1000)
        writer.commit()
        shutil.copy(live, copied)
        copy_database("health", live, ours, inside="health.db")
    counts = []
    for path in (copied, ours):
        assert integrity(path) == "ok"
        with closing(sqlite3.connect(path)) as db:
            counts.append(db.execute("SELECT count(*) FROM tokens").fetchone()[0])
    assert counts == [10, 1010]


def test_find_and_its_ors(ask, tmp_path):
    """D23: -ls belongs to the last name alone, so a key that all may read is not listed."""
    (tmp_path / "server.key").write_text("secret")
    (tmp_path / "server.key").chmod(0o644)
    assert bash("find $DIR -name '*.key' -o -name '*.pem' -o -name '*secret*' -ls", DIR=tmp_path) == ""
    found = ask("permissions", application=Application(directory=str(tmp_path), config=str(tmp_path)))
    assert any("server.key" in str(f.as_dict()) and f.severity is not Severity.OK for f in found)


def test_a_score_that_is_missing():
    """D27: to awk, as to bc, `null` is a variable of value 0: what was not measured was reported as bad."""
    assert bash("awk 'BEGIN { print (null < 80) }'") == "1"
    assert parse_condition("health_score < 80").evaluate({}) is Truth.UNKNOWN


def test_the_week_of_new_year():
    """D28: one week under two names."""
    days = [datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
    assert {bash(f"date -d {day:%Y-%m-%d} +%Y-W%U") for day in days} == {"2026-W52", "2027-W00"}
    assert {Period.of("weekly", day).label for day in days} == {"2026-W53"}


def test_three_months_after_the_end_of_november():
    """D31: February has no 30th, and the date runs over into March."""
    assert bash("date -d '2026-11-30 +3 months' +%Y-%m-%d") == "2027-03-02"
    assert months_later(date(2026, 11, 30), 3) == date(2027, 2, 28)


def test_a_name_that_is_a_program(tmp_path):
    """D32, D33: the name of a file, pasted into a program that runs as root."""
    name = "x'); open('owned', 'w'); str('.yaml"
    for file in ("x", name):
        (tmp_path / file).write_text("a: 1\n")
    assert bash("cd $DIR; python3 -c \"open('$NAME')\"; ls owned", DIR=tmp_path, NAME=name) == "owned"
    (tmp_path / "owned").unlink()
    assert list(judge_file(tmp_path / name))
    assert list(tmp_path.rglob("owned")) == []


@pytest.mark.parametrize("text", ["", "cut off at the fir"])
def test_a_configuration_that_was_cut_off(tmp_path, text):
    """D34: it parses, as nothing or as a line of text."""
    path = tmp_path / "production.yaml"
    path.write_text(text)
    assert yaml.safe_load(path.read_text()) in (None, text)
    assert Severity.CRITICAL in {finding.severity for finding in judge_file(path)}


def test_a_service_that_refuses(ask):
    """D39: the time until a connection is refused is the best response time of all."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert time.monotonic() - began < 0.1
    found = ask("services", services=(Service(name="web", url=f"http://127.0.0.1:{port}/health"),))
    assert found.worst is Severity.CRITICAL


def test_a_folder_that_anybody_may_write_to(ask, tmp_path):
    """D49: only files were looked for."""
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop").chmod(0o777)
    assert bash("find $DIR -type f -perm /o+w", DIR=tmp_path) == ""
    found = ask("permissions", application=Application(directory=str(tmp_path), config=str(tmp_path)))
    assert any("drop" in str(finding.as_dict()) and finding.severity.exit_code for finding in found)


def test_what_a_star_does_not_copy(tmp_path):
    """D55: the name of a backed-up file may begin with a dot."""
    folder = backup(tmp_path / "backups", NOW, ".env", "health.db")
    (tmp_path / "target").mkdir()
    bash("cp -r $DIR/* $TARGET", DIR=folder, TARGET=tmp_path / "target")
    assert not (tmp_path / "target/.env").exists()
    restored = restore(Backup(folder, newest_backup(tmp_path / "backups").manifest), tmp_path / "ours")
    assert restored.faults == ()
    assert (tmp_path / "ours/.env").exists()
