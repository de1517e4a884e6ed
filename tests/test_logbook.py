"""What reports learn of procedures: the runs that the records have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import healthkit as hk
from healthkit.config import load_config
from healthkit.demo import demo_data
from healthkit.logbook import logbook
from healthkit.procedures import run
from healthkit.state import State
from healthkit.store import write_samples

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def _book(home, **more):
    return logbook(home, since=NOW - timedelta(days=1), until=NOW + timedelta(days=1), **more)


def test_a_run_is_found_with_its_steps_evidence_and_findings(tmp_path):
    done = run("security_review", tmp_path, now=NOW)
    found = _book(tmp_path).last("security_review")
    assert (found.status, found.started, found.host) == (done.status, NOW, done.host)
    assert [step["name"] for step in found.steps] == [step.name for step in done.steps]
    assert found.evidence("checks") == done.steps[0].evidence
    assert [f.as_dict() for f in found.findings] == [f.as_dict() for f in done.findings]


def test_a_killed_run_is_told_from_one_that_goes_on_and_from_none(tmp_path):
    with State(tmp_path) as state:
        for hours, status, ended in ((2, "failed", NOW), (1, "running", None)):
            started = NOW - timedelta(hours=hours)
            state.record_task_run(
                "backup", started=started, ended=ended, status=status, host="a", detail={"procedure": "backup"}
            )
    book = _book(tmp_path)
    assert [r.status for r in book.of("backup")] == ["running", "failed"]
    assert book.last("backup").reason.startswith("it never ended")
    assert book.last("restore_test") is None
    assert not _book(tmp_path, hosts=["b"])


def test_rows_of_the_schedule_are_no_runs_of_procedures(tmp_path):
    with State(tmp_path) as state:
        state.record_task_run("daily-backup", started=NOW, ended=NOW, status="ok", host="a", detail={"output": ""})
    assert list(_book(tmp_path)) == []


def test_records_that_cannot_be_read_are_unknown_and_not_empty(tmp_path):
    (tmp_path / "health.db").write_bytes(b"this is no database" * 100)
    assert "health.db" in _book(tmp_path).unknown


def test_a_review_sees_the_runs_of_its_period_and_of_the_days_after(tmp_path):
    host = load_config(tmp_path).host
    write_samples(tmp_path, demo_data(hosts=1, days=3, end=datetime(2026, 11, 20, tzinfo=UTC)).assign(host=host))
    for day in (15, 17, 24):
        run("security_review", tmp_path, now=datetime(2026, 11, day, 3, tzinfo=UTC))
    week = hk.review(tmp_path, "weekly", period="2026-W47", now=NOW + timedelta(hours=1))
    assert [r.started.day for r in week.runs] == [24, 17]
