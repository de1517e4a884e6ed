"""The program's own records: every state that the file may be in, and what happens to records meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from healthkit.errors import StoreError
from healthkit.state import TABLES, State

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REPORT = {"overall_score": 91.5, "coverage": 0.9, "findings": [{"check": "disk"}]}


def test_absent_database_is_made(tmp_path):
    with State(tmp_path / "deep" / "home") as state:
        assert (state.problem, state.notes) == ("", ())
        state.record_health_report(REPORT, host="web-1", now=NOW)
        state.record_health_report({**REPORT, "overall_score": 70.0}, host="web-1", now=NOW - timedelta(days=1))
        last = state.last_health_report("web-1")
        assert (last["ts"], last["overall_score"], last["report"]) == (NOW, 91.5, REPORT)
        assert len(state.health_reports("web-1", since=NOW)) == 1
        assert state.last_health_report("web-2") is None
    with sqlite3.connect(tmp_path / "deep" / "home" / "health.db") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_every_table_takes_and_gives_records(tmp_path):
    with State(tmp_path) as state:
        state.record_task_run("weekly", started=NOW, ended=NOW + timedelta(seconds=3), status="ok", exit_code=0)
        assert state.last_task_run("weekly")["ended"] - NOW == timedelta(seconds=3)
        for table, columns in TABLES.items():
            record = {name: 1 if name.endswith("_ms") else "x" for name in columns if columns[name] != "REAL"}
            assert state.record(table, record)
            assert state.records(table, limit=1)


def test_a_periods_report_is_kept_apart_from_checks(tmp_path):
    class Score:
        def as_dict(self):
            return {**REPORT, "host": "web-1", "overall_score": 80.0}

    with State(tmp_path) as state:
        state.record_health_report(Score(), now=NOW)
        state.record_health_report(REPORT, host="db-1, web-1", cadence="weekly", period="2026-W47", now=NOW)
        assert state.last_health_report("web-1")["overall_score"] == 80.0
        assert state.last_health_report("db-1, web-1") is None
        assert state.report_score("weekly", "2026-W47", ("db-1", "web-1")) == 91.5
        assert state.report_score("weekly", "2026-W46", ("db-1", "web-1")) is None


def test_update_closes_what_was_opened(tmp_path):
    with State(tmp_path) as state:
        state.record("incidents", {"opened": NOW, "incident": "2026-1", "title": "disk full", "host": "web-1"})
        (incident,) = state.records("incidents", closed=None)
        state.update("incidents", incident["id"], closed=NOW + timedelta(hours=1))
        assert state.records("incidents", closed=None) == []
        assert state.records("incidents")[0]["closed"] == NOW + timedelta(hours=1)


def test_unknown_names_and_naive_times_are_refused(tmp_path):
    with State(tmp_path) as state:
        with pytest.raises(StoreError, match="no table 'nothing'"):
            state.record("nothing", {})
        with pytest.raises(StoreError, match="no column 'colour'"):
            state.record("alerts", {"colour": "red"})
        with pytest.raises(StoreError, match="no time zone"):
            state.record("alerts", {"ts": NOW.replace(tzinfo=None)})


def test_zero_bytes_is_started_anew_and_said(tmp_path):
    (tmp_path / "health.db").touch()
    with State(tmp_path) as state:
        assert state.problem == ""
        assert "0 bytes" in state.notes[0]


@pytest.mark.parametrize("damage", ["text", "header", "truncated"])
def test_corrupt_database_spools_and_the_next_good_one_drains(tmp_path, damage):
    path = tmp_path / "health.db"
    with State(tmp_path) as state:
        state.record_all("alerts", [{"ts": NOW, "name": f"a{i}", "message": "m" * 500} for i in range(200)])
    good = tmp_path / "good.db"
    shutil.copy(path, good)
    body = path.read_bytes()
    broken = {
        "text": b"not a database\n" * 400,
        "header": b"\0" * 100 + body[100:],
        "truncated": body[: len(body) // 3],
    }
    path.write_bytes(broken[damage])
    with State(tmp_path) as state:
        state.record_health_report(REPORT, host="web-1", now=NOW)
        assert state.problem
        with pytest.raises(StoreError):
            state.records("alerts")
    assert path.read_bytes() == broken[damage], "the evidence is not touched"
    assert len(list((tmp_path / "spool").glob("*.jsonl"))) == 1
    shutil.copy(good, path)
    with State(tmp_path) as state:
        assert state.problem == ""
        assert state.notes == ("1 spooled records moved into the database",)
        assert state.last_health_report("web-1")["report"] == REPORT
    assert not list((tmp_path / "spool").iterdir())


def test_a_record_spooled_and_stored_is_stored_once(tmp_path):
    path = tmp_path / "health.db"
    path.write_bytes(b"no database" * 100)
    with State(tmp_path) as state:
        state.record_health_report(REPORT, host="web-1", now=NOW)
    path.unlink()
    (spooled,) = (tmp_path / "spool").glob("*.jsonl")
    kept = spooled.read_bytes()
    for _ in range(2):  # as after a crash between commit and removal
        spooled.write_bytes(kept)
        with State(tmp_path) as state:
            assert len(state.health_reports("web-1")) == 1


def test_damaged_spool_file_is_kept_aside(tmp_path):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "1.jsonl").write_text('{"table": "alerts", "rec')
    with State(tmp_path) as state:
        assert "damaged" in state.notes[0]
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["1.damaged"]


FOREIGN = """
CREATE TABLE health_reports (
    report_id TEXT PRIMARY KEY, Timestamp TEXT NOT NULL, score REAL NOT NULL, Host TEXT NOT NULL, details TEXT NOT NULL,
    "odd ""name" TEXT NOT NULL
);
INSERT INTO health_reports VALUES ('r1', '2026-11-01T02:00:00', 77.0, 'old', 'kept', 'x');
CREATE TABLE tokens (id INTEGER PRIMARY KEY, token TEXT);
INSERT INTO tokens VALUES (1, 'secret');
PRAGMA user_version = 7;
"""


def test_the_runbooks_own_database_gets_columns_and_loses_nothing(tmp_path):
    path = tmp_path / "health.db"
    with sqlite3.connect(path) as db:
        db.executescript(FOREIGN)
    db.close()
    with State(tmp_path) as state:
        assert state.problem == ""
        assert state.records("health_reports") == []
        assert state.record("health_reports", {"ts": NOW, "host": "web-1", "overall_score": 91.5, "report": REPORT})
        assert state.last_health_report("web-1")["report"] == REPORT
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT Timestamp, score, Host, details FROM health_reports ORDER BY rowid").fetchall()
        assert rows[0] == ("2026-11-01T02:00:00", 77.0, "old", "kept")
        assert rows[1][:3] == (NOW.isoformat(), 91.5, "web-1")
        assert db.execute("SELECT token FROM tokens").fetchall() == [("secret",)]
        assert db.execute("PRAGMA user_version").fetchone() == (7,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",), "their backups copy the file alone"
    db.close()


def test_a_foreign_rule_that_refuses_our_record_spools_it(tmp_path):
    with sqlite3.connect(tmp_path / "health.db") as db:
        db.execute("CREATE TABLE health_reports (id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind = 'weekly'))")
    db.close()
    with State(tmp_path) as state:
        assert not state.record("health_reports", {"ts": NOW, "report": REPORT})
        assert "CHECK" in state.problem
    assert len(list((tmp_path / "spool").glob("*.jsonl"))) == 1


def test_a_newer_healthkits_database_is_not_written(tmp_path):
    with State(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "health.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with State(tmp_path) as state:
        assert "newer healthkit" in state.problem
        assert not state.record("alerts", {"ts": NOW})
        assert state.records("alerts") == []  # reading still works


HOLD = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE" if sys.argv[2] == "writer" else "BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_locked_by_another_process_waits_then_spools(tmp_path):
    with State(tmp_path) as state:
        state.record("alerts", {"ts": NOW, "name": "before"})
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "health.db"), "writer"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with State(tmp_path, timeout=0.2) as state:
            assert state.records("alerts")[0]["name"] == "before"  # readers do not wait for writers
            assert not state.record("alerts", {"ts": NOW, "name": "meanwhile"})
            assert "locked" in state.problem
        holder.stdin.close()
    with State(tmp_path) as state:
        assert {alert["name"] for alert in state.records("alerts")} == {"before", "meanwhile"}


READ_ONLY = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from healthkit.errors import StoreError
from healthkit.state import State

with State(Path(sys.argv[1])) as state:
    print("read", len(state.records("alerts")))
    try:
        state.record("alerts", {"ts": datetime(2026, 1, 1, tzinfo=UTC)})
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs another user")
def test_read_only_directory_still_reads_and_says_what_is_lost(tmp_path):
    with State(tmp_path) as state:
        state.record("alerts", {"ts": NOW})
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    run = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", textwrap.dedent(READ_ONLY), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "read 1" in run.stdout, run.stderr
    assert "lost" in run.stdout


def test_home_that_is_a_file_is_said(tmp_path):
    (tmp_path / "home").write_text("")
    with State(tmp_path / "home") as state:
        assert state.problem
        with pytest.raises(StoreError, match="lost"):
            state.record("alerts", {"ts": NOW})


KILL = """
import os, sys
from pathlib import Path
from datetime import datetime, UTC
from healthkit.state import State

with State(Path(sys.argv[1])) as state:
    for number in range(10**6):
        state.record("alerts", {"ts": datetime.now(UTC), "name": str(number)})
        print(number, flush=True)
"""


def test_killed_writer_leaves_what_it_reported(tmp_path):
    with subprocess.Popen([sys.executable, "-c", KILL, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        for _ in range(20):
            last = int(writer.stdout.readline())
        writer.kill()
    with State(tmp_path) as state:
        names = {int(alert["name"]) for alert in state.records("alerts")}
        assert set(range(last + 1)) <= names


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values), st.text())
@settings(max_examples=40, deadline=None)
def test_any_report_comes_back(tmp_path_factory, report, host):
    host = host.encode("utf-8", "replace").decode()
    home = tmp_path_factory.mktemp("home")
    with State(home) as state:
        state.record("health_reports", {"ts": NOW, "host": host, "report": report})
        assert state.last_health_report(host)["report"] == json.loads(json.dumps(report))
