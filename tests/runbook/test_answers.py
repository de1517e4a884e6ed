"""The score and the findings, by the flags of the old command line."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from healthkit.full_checks import keep, last
from healthkit.state import State

NUMBER = re.compile(r"(0|[1-9]\d*)(\.\d+)?\n\Z")
"""What may stand unquoted in a JSON document, and nothing else."""


def kept(home, score=91.5, *, age=timedelta(minutes=30), **more):
    at = datetime.now(UTC) - age
    report = {"overall_score": score, "coverage": 1.0, "host": "web-1", "timestamp": at.isoformat(), "findings": []}
    keep(home, report | more, now=at)


def test_a_full_check_prints_the_contract_and_is_kept_twice(old):
    done = old("--full-check", "--output-format", "json")
    assert done.code == 0
    assert 0 <= done.json["overall_score"] <= 100
    assert {"timestamp", "host", "coverage", "components", "findings"} <= done.json.keys()
    assert last(old.home, "web-1").report["overall_score"] == done.json["overall_score"]
    file = old.home / f"reports/daily/daily-{datetime.now(UTC):%Y%m%d}.json"
    assert json.loads(file.read_text())["overall_score"] == done.json["overall_score"]


def test_a_full_check_exits_0_whatever_it_finds_and_the_rules_are_judged(old):
    old.configure("host: web-1\ndatabases: [{name: health, path: /nowhere/health.db}]\n")
    old("--full-check", "--output-format", "json")
    done = old("--full-check", "--output-format", "json")
    assert done.code == 0
    assert done.json["overall_score"] <= 39
    assert "critical" in {finding["severity"] for finding in done.json["findings"]}
    with State(old.home) as state:
        alerts = {row["name"]: row["status"] for row in reversed(state.records("alerts", host="web-1"))}
    assert alerts["HealthScoreDeclined"] == "firing"  # on two runs in a row


def test_a_configuration_that_cannot_be_used_is_a_score_of_0_and_exit_78(old):
    """D26: the old script went on with an empty score; there is always a number, and the reason beside it."""
    old.configure("hosst: typo\n")
    done = old("--full-check", "--output-format", "json")
    assert done.code == 78
    assert done.json["overall_score"] == 0
    assert "hosst" in done.json["findings"][0]["message"]
    quick = old("--quick-score")
    assert (quick.code, quick.out) == (78, "0\n")
    assert "hosst" in quick.err


def test_quick_score_is_one_number_from_the_last_check(old):
    kept(old.home, 91.5)
    done = old("--quick-score")
    assert (done.code, done.out, done.err) == (0, "91.5\n", "")


def test_quick_score_answers_within_a_second_and_loads_nothing_large(old):
    kept(old.home, 88)
    code = "import sys; from healthkit.runbook.flags import main; main(); print(*sys.modules, file=sys.stderr)"
    began = time.monotonic()
    command = [sys.executable, "-I", "-c", code, "--quick-score", "--home", str(old.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - began
    assert done.stdout in {"88\n", "88.0\n"}
    assert not {"pandas", "numpy", "pyarrow", "click", "healthkit.checks"} & set(done.stderr.split())
    assert seconds < 1


@pytest.mark.parametrize("age", [None, timedelta(days=3)], ids=["none", "old"])
def test_quick_score_checks_anew_where_no_check_speaks_of_now(old, age):
    if age:
        kept(old.home, 91.5, age=age)
    done = old("--quick-score")
    assert done.code == 0
    assert NUMBER.match(done.out)
    assert last(old.home, "web-1").report["components"]


@pytest.mark.parametrize("damage", ["broken", "locked"])
def test_quick_score_has_the_daily_file_while_the_database_cannot_be_read(old, damage):
    kept(old.home, 91.5)
    path = old.home / "health.db"
    if damage == "broken":
        for part in old.home.glob("health.db*"):
            part.unlink()
        path.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
        assert old("--quick-score").out == "91.5\n"
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert old("--quick-score").out == "91.5\n"
        assert time.monotonic() - began < 1


def test_quick_score_of_somebody_else_s_database(old):
    """The table is there with other columns: they stay, ours are added."""
    with closing(sqlite3.connect(old.home / "health.db")) as db:
        db.execute("CREATE TABLE health_reports (id INTEGER PRIMARY KEY, created TEXT NOT NULL, score INTEGER)")
        db.execute("INSERT INTO health_reports (created, score) VALUES ('2026-11-01', 97)")
        db.commit()
    first = old("--quick-score")
    assert first.code == 0
    assert NUMBER.match(first.out)
    assert old("--quick-score").out == first.out
    with closing(sqlite3.connect(old.home / "health.db")) as db:
        assert db.execute("SELECT score FROM health_reports ORDER BY id").fetchone() == (97,)
        assert db.execute("SELECT count(*) FROM health_reports").fetchone() == (2,)


def test_a_quick_check_tells_and_is_recorded(old):
    old.configure("host: web-1\ndatabases: [{name: health, path: /nowhere/health.db}]\n")
    done = old("--quick-check")
    assert done.code == 0
    assert "/nowhere/health.db is missing" in done.out
    assert done.out.splitlines()[-1].endswith("worst: critical")
    with State(old.home) as state:
        assert state.last_task_run("quick-check")["detail"]["worst"] == "critical"


@pytest.mark.parametrize(
    "flags", [[], ["--nonsense"], ["--quick"], ["--quick-score", "--full-check"], ["--send-alert"]]
)
def test_a_wrong_call_exits_64_without_output(old, flags):
    done = old(*flags)
    assert (done.code, done.out) == (64, "")
    assert done.err
