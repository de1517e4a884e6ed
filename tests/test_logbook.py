"""What reports learn of procedures: the runs that the records have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import healthkit as hk
from healthkit.config import load_config
from healthkit.demo import demo_data
from healthkit.logbook import by_task, logbook, runs_of
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


def _row(state, task, hours, outcome, **detail):
    started = NOW - timedelta(hours=hours)
    state.record_task_run(task, started=started, ended=started, status=outcome, exit_code=2, host="a", detail=detail)


def test_a_run_of_a_task_is_found_by_its_procedure_with_the_procedure_s_verdict(tmp_path):
    """A review that found the worst is a failed review, of a task that did its work."""
    calls = {"command": ["healthkit", "run", "restore_test"]}
    with State(tmp_path) as state:
        _row(state, "weekly-backup-test", 3, "ok", **calls, procedure="restore_test", status="unknown", exit_code=3)
        _row(state, "weekly-backup-test", 2, "failed", **calls)  # it ended before the procedure began
        _row(state, "restore_test", 1, "ok")  # somebody else's row, by its name alone
        found = runs_of(state, "restore_test")
    assert [(row["task"], row["status"], row["exit_code"]) for row in found] == [
        ("restore_test", "ok", 2),
        ("weekly-backup-test", "unknown", 3),
    ]
    assert [run.status for run in _book(tmp_path).of("restore_test")] == ["unknown"]


def test_what_was_run_by_hand_counts_until_the_schedule_ran_it_again(tmp_path):
    """And a home that kept scheduled runs twice, once for the task and once for the procedure, is read as if once."""
    calls = {"command": ["healthkit", "run", "backup", "--apply"]}

    def tasks():
        with State(tmp_path) as state:
            return {task: len(rows) for task, rows in by_task(state.records("task_runs")).items()}

    with State(tmp_path) as state:
        _row(state, "daily-backup", 9, "failed", **calls)
        _row(state, "backup", 9, "failed", procedure="backup", status="failed", exit_code=2)
        _row(state, "daily-expiry", 9, "ok", command=["healthkit", "store", "expire"])
    assert tasks() == {"daily-backup": 1, "daily-expiry": 1}
    with State(tmp_path) as state:
        _row(state, "backup", 2, "failed", procedure="backup", status="failed", exit_code=2)
    assert tasks() == {"backup": 1, "daily-backup": 1, "daily-expiry": 1}
    with State(tmp_path) as state:
        _row(state, "daily-backup", 1, "ok", **calls, procedure="backup", status="ok", exit_code=0)
    assert tasks() == {"daily-backup": 2, "daily-expiry": 1}
