"""The week as the runbook's JSON: numbers of the samples, null where there are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from healthkit.findings import Severity
from healthkit.full_checks import keep
from healthkit.store import write_samples

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
"""A Monday: the last ended week is 2026-W47."""


def samples(metric, values, device=""):
    ts = pd.date_range(NOW - timedelta(days=6), periods=len(values), freq="h")
    return pd.DataFrame({"ts": ts, "host": "web-1", "metric": metric, "device": device, "value": values})


def test_a_busy_week(host):
    busy = [0.9] * 90 + [0.99] * 10
    slow = [6.0] * 100
    write_samples(
        host.home, pd.concat([samples("cpu_busy_ratio", busy), samples("http_response_seconds", slow, "web")])
    )
    for day in range(6):
        at = NOW - timedelta(days=1 + day)
        keep(host.home, {"overall_score": 70 + day, "host": "web-1", "timestamp": at.isoformat()}, now=at)
    run = host.run("performance_analysis")
    made = json.loads((host.home / "reports/weekly/performance-analysis-2026-W47.json").read_text())
    assert made["resource_usage"] == {
        "cpu_average": pytest.approx(90.9), "memory_average": None, "cpu_peak": pytest.approx(99), "memory_peak": None,
    }  # fmt: skip
    assert made["response_time"] == {"average": 6, "min": 6, "max": 6, "p95": 6}
    assert made["health_score"] == {"average": 72.5, "min": 70, "max": 75, "trend": None}
    assert len(made["recommendations"]) == 3
    assert [f.message for f in run.findings.of(Severity.UNKNOWN)] == ["memory: not measured"]
    assert len(run.findings.of(Severity.WARNING)) == 3
    assert run.status == "ok"


def test_a_week_of_which_nothing_is_known(host):
    run = host.run("performance_analysis", options={"week": "2026-W40"})
    made = json.loads((host.home / "reports/weekly/performance-analysis-2026-W40.json").read_text())
    numbers = [*made["response_time"].values(), *made["resource_usage"].values(), *made["health_score"].values()]
    assert set(numbers) == {None}
    assert made["recommendations"] == []
    assert not run.findings.of(Severity.OK)


def test_a_week_that_is_none(host):
    assert host.run("performance_analysis", options={"week": "2026-11"}).status != "ok"


def test_p95_of_seven_values_is_none_beyond_them(host):
    """D19: statistics.quantiles(n=20)[18] of these is 8.1, and nobody ever waited that long."""
    write_samples(host.home, samples("http_response_seconds", [0.1] * 6 + [5.1], "web"))
    host.run("performance_analysis")
    made = json.loads((host.home / "reports/weekly/performance-analysis-2026-W47.json").read_text())
    assert made["response_time"]["p95"] <= made["response_time"]["max"] == 5.1


@pytest.mark.parametrize(("n", "advice"), [(19, 0), (20, 2)])
def test_few_values_recommend_nothing(host, n, advice):
    write_samples(
        host.home, pd.concat([samples("cpu_busy_ratio", [0.9] * n), samples("http_response_seconds", [6.0] * n, "web")])
    )
    host.run("performance_analysis")
    made = json.loads((host.home / "reports/weekly/performance-analysis-2026-W47.json").read_text())
    assert len(made["recommendations"]) == advice


def test_first_and_last_do_not_make_a_trend(host):
    """D20: 90, 60, 60, ... 60, 90.1 is 'improving' by the runbook, and equal values are 'declining'."""
    last = datetime(2026, 11, 22, 6, tzinfo=UTC)
    for scores, allowed in (([90, *[60] * 19, 90.1], {"steady", None}), ([70] * 21, {"steady"})):
        for day, score in enumerate(reversed(scores)):
            at = last - timedelta(days=day)
            keep(host.home, {"overall_score": score, "host": "web-1", "timestamp": at.isoformat()}, now=at)
        host.run("performance_analysis")
        made = json.loads((host.home / "reports/weekly/performance-analysis-2026-W47.json").read_text())
        assert made["health_score"]["trend"] in allowed
        (host.home / "health.db").unlink()
