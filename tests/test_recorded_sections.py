"""Sections that read recorded runs: what a run says is shown, escaped, and never more than it said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import healthkit as hk
from healthkit import sections
from healthkit.demo import demo_data
from healthkit.findings import Finding, Severity
from healthkit.state import State
from healthkit.store import write_samples

NOW = datetime(2026, 11, 4, 2, tzinfo=UTC)
EVIL = "<img src=x onerror=alert(1)>\x1b[2J"
LINE = {"check": EVIL, "subject": EVIL, "reason": EVIL, "points": 12.5}
BOUGHT = {
    "host": EVIL, "metric": "disk_used_ratio", "device": EVIL, "share": 1.5, "size": None, "more": None, "unit": "bytes",
    "by": "2027-01-01", "until": "2027-05-01", "limit": 0.8, "sentence": EVIL,
}  # fmt: skip
ADVICE = {"host": "web-1", "subject": EVIL, "text": EVIL, "value": 1.0, "unit": "ratio", "do": EVIL}
TIMED = {
    "name": "hash",
    "what": EVIL,
    "unit": "bytes/s",
    "median": 2e9,
    "low": 1e9,
    "high": 3e9,
    "rounds": [1e9, 2e9, 3e9],
}
RUNS = {
    "capacity_plan": {"history": {}, "purchases": {"purchases": [BOUGHT]}, "record": {"path": EVIL}},
    "security_audit": {
        "assessment": {
            "overall_score": 79.0,
            "coverage": 0.5,
            "state": "unknown",
            "components": [{"deductions": [LINE]}],
        },
        "changes": {"new": [EVIL]},
    },
    "optimization_review": {"trends": {}, "recommendations": {"recommendations": [ADVICE]}},
    "configuration_review": {"healthkit": {}},
    "database_maintenance": {"look": {}},
    "dr_drill": {"start": {}, "report": {}},
    "host_benchmark": {"load": {}, "processor": {"timings": [TIMED]}, "compare": {}},
    "architecture_review": {"components": {}, "dependencies": {}},
}
SHOWN = {"plan": "capacity_plan", "audit": "security_audit", "optimization": "optimization_review", "drills": "dr_drill",
         "benchmark": "host_benchmark"}  # fmt: skip


def record(home, procedure, evidence, *, when=NOW - timedelta(days=1), status="ok", host="web-1"):
    steps = [{"name": n, "status": "ok", "message": EVIL, "seconds": 1.0, "evidence": e} for n, e in evidence.items()]
    found = [Finding(procedure, Severity.UNKNOWN, EVIL, EVIL, hint=EVIL, host=host).as_dict()]
    detail = {"procedure": procedure, "steps": steps, "findings": found}
    with State(home) as state:
        state.record_task_run(
            procedure, started=when, ended=when + timedelta(seconds=5), status=status, host=host, detail=detail
        )


@pytest.fixture
def review(tmp_path):
    for procedure, evidence in RUNS.items():
        record(tmp_path, procedure, evidence)
    return hk.review(tmp_path, "quarterly", period="2026-Q4", now=NOW)


@pytest.mark.parametrize("name", [*SHOWN, "architecture", "checklists"])
def test_what_a_run_says_is_shown_and_not_obeyed(review, name):
    shown = getattr(sections, name)(review)
    assert "<img" not in shown.html
    assert "\x1b" not in shown.html
    if name != "checklists":
        assert "&lt;img src=x" in shown.html
    assert shown._repr_mimebundle_()["text/plain"].strip()


@pytest.mark.parametrize(("name", "procedure"), SHOWN.items())
def test_the_newest_run_of_the_period_counts(review, name, procedure, tmp_path):
    record(
        tmp_path, procedure, {"history": {}, "start": {}}, when=NOW - timedelta(hours=1), host="web-2", status="failed"
    )
    late = hk.review(tmp_path, "quarterly", period="2026-Q4", now=NOW)
    assert "web-2" in getattr(sections, name)(late).text
    before = hk.review(tmp_path, "quarterly", period="2026-Q3", now=NOW)
    assert "Unknown: no run of" in getattr(sections, name)(before).text, "runs of November say nothing of summer"


def test_a_killed_run_is_no_result(tmp_path):
    with State(tmp_path) as state:
        at = NOW - timedelta(days=1)
        detail = {"procedure": "security_audit", "reason": "it never ended: killed, or the power failed"}
        state.record_task_run("security_audit", started=at, ended=NOW, status="failed", host="web-1", detail=detail)
    shown = sections.audit(hk.review(tmp_path, "quarterly", period="2026-Q4", now=NOW))
    assert shown.data["known"] is False
    assert "it never ended" in shown.text


def test_a_plan_of_many_hosts_says_so_in_the_report_of_one_and_names_those_that_do_not_exist(tmp_path):
    write_samples(tmp_path, demo_data(hosts=2, days=1, end=datetime(2026, 10, 20, tzinfo=UTC), every="1h"))
    bought = [BOUGHT | {"host": host, "sentence": f"{host} needs more"} for host in ("db-1", "web-1")]
    record(
        tmp_path, "capacity_plan", {"history": {"simulated": ["db-1"]}, "purchases": {"purchases": bought}}, host="db-1"
    )
    shown = sections.plan(hk.review(tmp_path, "monthly", period="2026-10", hosts="db-1", now=NOW))
    assert [one["host"] for one in shown.data["purchases"]] == ["db-1"]
    assert "web-1 needs more" not in shown.text
    assert "The plan is of every host with samples here" in shown.text
    assert "which do not exist, are in the plan: db-1" in shown.text
    assert (
        "The plan is of every host" not in sections.plan(hk.review(tmp_path, "monthly", period="2026-10", now=NOW)).text
    )
