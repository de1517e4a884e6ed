"""What was done, as the reports tell it: procedures that ran, and incidents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import healthkit as hk
from healthkit import incidents, sections
from healthkit.demo import demo_data
from healthkit.procedures import run
from healthkit.state import State
from healthkit.store import write_samples

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "healthkit.yaml").write_text("host: web-1\n")
    write_samples(tmp_path, demo_data(hosts=1, days=1, end=datetime(2026, 11, 20, tzinfo=UTC)).assign(host="web-1"))
    return tmp_path


def shown(home):
    return sections.maintenance(hk.review(home, "weekly", period="2026-W47", now=NOW))


def test_runs_are_counted_and_the_one_that_failed_is_told(home):
    for day in (17, 18):
        run("security_review", home, now=datetime(2026, 11, day, tzinfo=UTC))
    with State(home) as state:
        started = datetime(2026, 11, 19, tzinfo=UTC)
        detail = {"procedure": "backup"}
        state.record_task_run("backup", started=started, ended=NOW, status="failed", host="web-1", detail=detail)
    found = shown(home)
    assert [(row["procedure"], row["runs"], row["failed"]) for row in found.data["procedures"]] == [
        ("backup", 1, 1),
        ("security_review", 2, 0),
    ]
    assert "it never ended" in found.html
    assert "2 runs, 2 to the end" in found.text


def test_incidents_of_the_period_and_those_that_were_still_open_are_told(home):
    def keep(name, opened, resolved=None):
        title = f"shop does not answer, {name}"
        incidents.save(home, incidents.Incident(name, "web-1", "critical", title, opened, resolved=resolved))

    week = datetime(2026, 11, 18, tzinfo=UTC)
    keep("INC-20261101-000000", week - timedelta(days=17), week - timedelta(days=16))
    keep("INC-20261110-000000", week - timedelta(days=8))
    keep("INC-20261118-000000", week, week + timedelta(minutes=7))
    found = shown(home)
    assert [i["name"] for i in found.data["incidents"]] == ["INC-20261118-000000", "INC-20261110-000000"]
    assert "down for 7\u00a0min" in found.text
    assert "open, critical" in found.text


def test_that_nothing_ran_and_that_nobody_knows_are_different_sentences(home):
    assert "No procedure is on record" in shown(home).text
    (home / "health.db").write_bytes(b"no database at all" * 99)
    found = shown(home)
    assert found.data["known"] is False
    assert "Unknown: the records of procedures cannot be read" in found.text
    assert "No procedure" not in found.text
