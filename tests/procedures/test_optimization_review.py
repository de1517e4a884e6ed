"""The optimisation and configuration reviews: every recommendation comes from a number that it shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from planning_worlds import Tools, history

import healthkit as hk
from healthkit import sections
from healthkit.config import Alerting, Application, Collect, Config, Limits, Security, Service
from healthkit.findings import Severity
from healthkit.movements import beyond_chance
from healthkit.state import State

NOW = datetime(2026, 11, 1, 1, tzinfo=UTC)
QUIET = Config(host="web-1", alerting=Alerting(webhook="http://localhost/"), security=Security(ports=()))


def run(home, name="optimization_review", config=QUIET):
    return hk.run(name, home, config=config, now=NOW, run=Tools())


def step(done, name):
    return next(step for step in done.steps if step.name == name)


def advice(done):
    return step(done, "recommendations").evidence["recommendations"]


def noise(n, size):
    return np.random.default_rng(1).normal(0, size, n)


def test_a_rising_response_time_is_recommended_with_its_slope(tmp_path):
    history(tmp_path, {
        ("http_response_seconds", "shop"): 0.2 + 0.01 * np.arange(30) + noise(30, 0.005),
        ("cpu_busy_ratio", ""): 0.4 + noise(30, 0.02),
    }, end=NOW)  # fmt: skip
    (one,) = advice(run(tmp_path))
    assert "shop" in one["subject"]
    assert one["value"] == pytest.approx(0.01, rel=0.1)
    text = (tmp_path / "reports/monthly/optimization-report-2026-11.md").read_text()
    assert "## Recommendations (1)" in text
    assert "no trend beyond chance" in text, "of the processor"


def test_first_against_last_is_no_trend(tmp_path):
    """The runbook compared the first day with the last: noise alone was a trend half of the time."""
    values = np.full(30, 0.3) + noise(30, 0.03)
    values[0], values[-1] = 0.2, 0.4
    history(tmp_path, {("http_response_seconds", "shop"): values}, end=NOW)
    assert advice(run(tmp_path)) == []


def test_a_declining_score(tmp_path):
    with State(tmp_path) as state:
        for day in range(30):
            report = {"overall_score": 95 - day, "coverage": 1.0, "findings": []}
            state.record_health_report(report, host="web-1", now=NOW - timedelta(days=30 - day, hours=3))
    done = run(tmp_path)
    (one,) = advice(done)
    assert one["subject"] == "web-1 health score"
    assert one["value"] == pytest.approx(-1, rel=0.01)


def test_what_another_host_needs_is_in_that_host_s_report(tmp_path):
    """The machine that keeps the samples of many looks at all of them; a report of one shows that one's."""
    growing = 0.2 + 0.01 * np.arange(30) + noise(30, 0.005)
    for host, metric in (("web-1", "http_response_seconds"), ("db-1", "memory_used_ratio")):
        history(tmp_path, {(metric, ""): growing, ("cpu_busy_ratio", ""): 0.4 + noise(30, 0.02)}, end=NOW, host=host)
    done = run(tmp_path)
    assert {one["host"]: one["subject"] for one in advice(done)} == {
        "db-1": "db-1 Memory used", "web-1": "web-1 HTTP response"
    }  # fmt: skip
    assert {f.host for f in done.findings.of(Severity.INFO)} >= {"db-1", "web-1"}

    def told(hosts):
        later = NOW + timedelta(hours=1)
        return sections.optimization(hk.review(tmp_path, "monthly", period="2026-10", hosts=hosts, now=later)).text

    assert "db-1" not in told("web-1")
    assert "1 of 2 series" in told("web-1")
    assert "db-1 Memory used" in told("")
    assert "2 of 4 series" in told("")
    assert "no run of optimization_review" in told("db-1"), "it ran on web-1, whose report tells of it"


def test_nothing_measured_is_unknown_and_recommends_nothing(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 3
    assert advice(done) == []
    text = (tmp_path / "reports/monthly/optimization-report-2026-11.md").read_text()
    assert "nothing was measured" in text
    assert not re.search(r"acceptable|optimal|no issues|healthy", text), "D45: a constant claim"


def test_what_many_tests_find_by_chance_is_not_named():
    p = np.random.default_rng(0).uniform(size=400)
    assert beyond_chance(p, 0.05).sum() == 0
    assert beyond_chance(np.r_[p, 1e-9], 0.05).sum() == 1
    assert not beyond_chance(np.array([np.nan]), 0.05).any()


def test_the_runbook_s_suggestions_carry_their_numbers(tmp_path):
    etc = tmp_path / "etc"
    etc.mkdir()
    text = "test_execution: {parallel: true, timeout: 7200}\nhealth_monitoring: {check_interval: 60}\n"
    (etc / "production.yaml").write_text(text)
    config = Config(host="web-1", application=Application(config=str(etc)))
    found = step(run(tmp_path, "configuration_review", config), "application").evidence["suggestions"]
    numbers = {one["key"]: (one[one["key"]], one["threshold"]) for one in found}
    assert numbers == {"test_execution.timeout": (7200, 3600), "health_monitoring.check_interval": (60, 300)}
    (etc / "production.yaml").write_text(
        "test_execution: {parallel: false, timeout: 7200}\nhealth_monitoring: {check_interval: 300}\n"
    )
    assert step(run(tmp_path, "configuration_review", config), "application").evidence["suggestions"] == []


def test_a_broken_file_is_critical(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/production.yaml").write_text("a: [")
    config = Config(host="web-1", application=Application(config=str(tmp_path / "etc")))
    assert run(tmp_path, "configuration_review", config).findings.worst is Severity.CRITICAL


MEASURED = {
    ("http_response_seconds", "shop"): np.full(30, 4.5),
    ("cpu_busy_ratio", ""): np.r_[np.full(20, 0.9), np.full(10, 0.5)],
    ("collector_seconds", "http"): np.full(30, 3.0),
}


@pytest.mark.parametrize(
    ("key", "config", "value"),
    [
        ("services.shop.timeout", {"services": (Service(name="shop", url="http://localhost/", timeout=5),)}, 4.5),
        ("limits.cpu", {}, 2 / 3),
        ("collect.every", {}, 0.05),
        ("mail.recipients.operators", {"alerting": Alerting()}, 0),
        ("limits.response_seconds", {"services": (Service(name="shop", url="http://localhost/", timeout=60),), "limits": Limits(response_seconds=100)}, 4.5),
    ],
)  # fmt: skip
def test_each_suggestion_comes_from_what_was_measured(tmp_path, key, config, value):
    history(tmp_path, MEASURED, end=NOW)
    base = {"host": "web-1", "alerting": QUIET.alerting, "security": QUIET.security}
    told = step(run(tmp_path, "configuration_review", Config(**(base | config))), "healthkit").evidence["suggestions"]
    found = {one["key"]: one for one in told}
    assert found[key]["value"] == pytest.approx(value)
    if key == "limits.cpu":
        history(tmp_path, {("cpu_busy_ratio", ""): np.full(6, 0.9)}, end=NOW, host="new")
        young = step(run(tmp_path, "optimization_review", Config(**(base | {"host": "new"}))), "configuration")
        assert "limits.cpu" not in young.evidence["suggestions"]
        assert any("6 days are too few" in reason for reason in young.evidence["unknown"])
    calm = {k: v * 0 + 0.01 for k, v in MEASURED.items()}
    history(tmp_path, calm, end=NOW, host="web-2")
    other = Config(**(base | {"host": "web-2", "collect": Collect()}))
    assert step(run(tmp_path, "configuration_review", other), "healthkit").evidence["suggestions"] == []
