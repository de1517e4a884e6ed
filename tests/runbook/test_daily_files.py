"""The runbook's own files: what they hold comes in under the name of what it is, and nothing else does."""

from __future__ import annotations

import json
import statistics
from datetime import UTC, datetime, timedelta

import pytest

import healthkit as hk
from healthkit.analyses import analysis
from healthkit.cli.main import main as healthkit
from healthkit.config import Config
from healthkit.errors import SourceError
from healthkit.imports.daily_json import read

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def body(at=NOW, **more):
    """What the old script writes on a good day."""
    system = {"cpu_usage": 12.5, "memory_usage": 41.25, "disk_usage": 63, "load_average": " 0.52, 0.58, 0.59"}
    application = {"health_score": 88, "active_processes": 3, "response_time": 0.042}
    for key, value in more.items():
        (system if key in system else application)[key] = value
    return {"timestamp": at.isoformat(), "system": system, "application": application}


@pytest.fixture
def days(old):
    """Thirty days of files, as the old script left them: the cores go up, one file is not JSON, one day is missing."""
    folder = old.home / "metrics"
    folder.mkdir()
    for day in range(30):
        at = NOW - timedelta(days=29 - day)
        (folder / f"daily-{at:%Y%m%d}.json").write_text(json.dumps(body(at, cpu_usage=10 + 0.2 * day)))
    (folder / f"daily-{NOW - timedelta(days=3):%Y%m%d}.json").unlink()
    return folder


def test_every_value_comes_under_the_name_of_what_it_is(tmp_path):
    """D04, D38, D40: user time is not the processors' use, and a count with the counting script is no count."""
    (tmp_path / "daily.json").write_text(json.dumps(body()))
    daily = read(tmp_path / "daily.json")
    assert daily.at == NOW
    assert daily.left_out == {}
    assert daily.measured == pytest.approx(
        {
            ("cpu_user_ratio", ""): 0.125,
            ("memory_used_ratio", ""): 0.4125,
            ("disk_used_ratio", "/"): 0.63,
            ("load1", ""): 0.52,
            ("load5", ""): 0.58,
            ("load15", ""): 0.59,
            ("runbook_health_score", ""): 88,
            ("runbook_matching_processes", "project-health"): 3,
            ("http_response_seconds", "project-health"): 0.042,
        }
    )


def test_a_refused_connection_is_no_answer(tmp_path):
    """D39: curl needs 0.000121 s to be refused, which the old analysis took for an excellent response time."""
    (tmp_path / "daily.json").write_text(json.dumps(body(response_time=0.000121)))
    daily = read(tmp_path / "daily.json")
    assert "http_response_seconds" not in {metric for metric, _ in daily.measured}
    assert "refused" in daily.left_out["application.response_time"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"timestamp": "2026-11-24T06:30:00+00:00", "system": {"cpu_usage": us,}}', "no JSON"),
        ("", "no JSON"),
        ("[1, 2]", "no JSON object"),
        ('{"timestamp": "2026-11-24T06:30:00+00:00", "system": {"cpu_usage": NaN}}', "NaN"),
        ('{"system": {"cpu_usage": 1}}', "timestamp"),
        ('{"timestamp": "2026-11-24T06:30:00", "system": {"cpu_usage": 1}}', "time zone"),
        ("[" * 100_000, "recursion"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_name(tmp_path, text, reason):
    """D03: `us,` for the processors' use, exactly when they were saturated."""
    path = tmp_path / "daily-20261124.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_values_that_cannot_be_are_left_out_and_named(old):
    path = old.home / "daily.json"
    more = {"cpu_usage": 700, "memory_usage": True, "disk_usage": None, "load_average": "high", "response_time": -1}
    path.write_text(json.dumps(body(health_score="n/a", active_processes="-", **more)))
    assert read(path).measured == {}
    done = old("--analyze-performance", path)
    assert done.code == 0
    assert "system.cpu_usage: 700 is above 100 %" in done.out
    assert done.out.endswith("0 values measured, 0 of them unusual or above a limit\n")


def test_import_takes_the_good_ones_names_the_bad_ones_and_does_it_once(old, days):
    bad = days / f"daily-{NOW - timedelta(days=5):%Y%m%d}.json"
    bad.write_text('{"system": {"cpu_usage": us,')
    (days / "daily-notes.txt").write_text("not mine")
    for _ in range(2):
        assert healthkit(["import", "runbook", "--home", str(old.home)]) == 1
        told = old.capfd.readouterr()
        assert str(bad) in told.err
        assert "no JSON" in told.err
    data = hk.load(old.home, metrics=["cpu_user_ratio"])
    assert len(data) == 28
    assert set(data["host"]) == {"web-1"}
    bad.unlink()
    assert healthkit(["import", "runbook", str(days), "--home", str(old.home), "--host", "other"]) == 0
    assert healthkit(["store", "verify", "--home", str(old.home)]) == 0  # strangers' files beside are no damage


def test_a_file_of_today_is_judged_by_limits_and_by_the_days_before(old, days):
    assert healthkit(["import", "runbook", "--home", str(old.home)]) == 0
    busy = old.home / "metrics/daily-20261125.json"
    at = NOW + timedelta(days=1)
    busy.write_text(json.dumps(body(at, cpu_usage=40, memory_usage=91, health_score=71, response_time=0.0001)))
    done = old("--analyze-performance", busy)
    assert done.code == 0
    lines = done.out.replace("\xa0", " ").splitlines()
    assert any(line.startswith("▲ warning: CPU user: 40 %, unusually much; usual is 1") for line in lines)
    assert "▲ warning: Memory used: 91 %, above the limit of 85 %, unusually much; usual is 41.2 %" in lines
    assert any(line.startswith("▲ warning: Runbook health score: 71, below the threshold of 80") for line in lines)
    assert any("refused connection" in line for line in lines)
    assert len(hk.load(old.home, metrics=["memory_used_ratio"], start=at, end=at + timedelta(seconds=1))) == 1


def test_a_file_that_is_no_metrics_file_is_a_failure(old):
    path = old.home / "bad.json"
    path.write_text('{"system": {"cpu_usage": us,')
    done = old("--analyze-performance", path)
    assert (done.code, done.out) == (1, "")
    assert str(path) in done.err


def test_the_week_of_imported_files_in_the_runbook_s_keys(old, days):
    """D19: the old percentile of seven values is above the largest of them."""
    seconds = [0.1, 0.11, 0.12, 0.13, 0.2, 0.3, 4.0]
    for day, value in enumerate(seconds):
        at = NOW - timedelta(days=6 - day)
        (days / f"daily-{at:%Y%m%d}.json").write_text(json.dumps(body(at, response_time=value)))
    assert healthkit(["import", "runbook", "--home", str(old.home)]) == 0
    end = NOW + timedelta(hours=1)
    week = analysis(old.home, config=Config(host="web-1"), start=end - timedelta(days=7), end=end).as_dict()
    assert week["response_time"]["average"] == pytest.approx(statistics.mean(seconds))
    assert statistics.quantiles(seconds, n=20)[18] > max(seconds) >= week["response_time"]["p95"] > 0.3
    assert week["health_score"]["average"] == week["health_score"]["min"] == 88
    assert week["health_score"]["trend"] == "steady"
    assert week["resource_usage"]["memory_average"] == pytest.approx(41.25)
    assert week["resource_usage"]["cpu_peak"] == pytest.approx(12.5)
    assert any("time in programs" in note for note in week["notes"])


@pytest.mark.parametrize(
    ("scores", "trend"),
    [
        ([90, 60, 60, 60, 60, 60, 90.1], None),
        ([88.0] * 20, "steady"),
        ([95 - day for day in range(24)], "declining"),
        ([71 + day for day in range(24)], "improving"),
    ],
    ids=["seven", "equal", "down", "up"],
)
def test_the_trend_is_no_comparison_of_two_values(old, scores, trend):
    """D20: the last of seven a tenth above the first was `improving`, and equal values `declining`."""
    from healthkit.full_checks import keep

    assert ("improving" if scores[-1] > scores[0] else "declining") == {None: "improving", "steady": "declining"}.get(
        trend, trend
    )
    for day, score in enumerate(scores):
        at = NOW - timedelta(days=len(scores) - 1 - day)
        keep(old.home, {"overall_score": score, "host": "web-1", "timestamp": at.isoformat()}, now=at)
    end = NOW + timedelta(hours=1)
    made = analysis(old.home, config=Config(host="web-1"), start=end - timedelta(days=7), end=end)
    assert made.trend == trend
    assert made.score.n == 7


def test_what_was_not_measured_is_null_and_the_file_has_the_iso_week(old):
    """D28: %Y-W%U splits the week of New Year in two."""
    old("--quick-score")
    done = old("--performance-analysis", "--week")
    assert done.code == 0
    year, week, _ = datetime.now(UTC).isocalendar()
    path = old.home / f"reports/weekly/performance-analysis-{year}-W{week:02d}.json"
    made = json.loads(path.read_text())
    assert made["response_time"] == {"average": None, "min": None, "max": None, "p95": None}
    assert set(made["resource_usage"].values()) == {None}
    assert made["health_score"]["average"] is not None
    assert {"CPU: not measured", "memory: not measured"} <= set(made["notes"])
