"""The weekly sections on a host whose week is known: a backup that goes bad, a folder that opens, an hour too busy."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import healthkit as hk
from healthkit import sections
from healthkit.checks._context import NOT_INSTALLED
from healthkit.state import State
from healthkit.store import write_samples

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
HOURS = 24 * 7


def absent(args, *, timeout, stdin=""):
    raise FileNotFoundError(2, NOT_INSTALLED, args[0])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A week of web-1, and of web-2, on which no procedure runs here."""
    top = tmp_path_factory.mktemp("week")
    home, app = top / "home", top / "app"
    for folder in (home / "config", app, top / "etc"):
        folder.mkdir(parents=True)
    (top / "etc/production.yaml").write_text("test_execution: {parallel: true, timeout: 60}\n")
    with closing(sqlite3.connect(top / "app.db")) as db:
        db.execute("CREATE TABLE tokens (id INTEGER PRIMARY KEY, name TEXT)")
        db.executemany("INSERT INTO tokens (name) VALUES (?)", [(f"token {i}",) for i in range(50)])
        db.commit()
    (home / "config/healthkit.yaml").write_text(
        f"host: web-1\ndatabases: [{{name: app, path: {top}/app.db}}]\nbackups: {{directory: {top}/backups}}\n"
        f"application: {{directory: {app}, config: {top}/etc}}\n"
    )
    ts = pd.date_range(MONDAY, periods=HOURS, freq="h")
    write_samples(home, pd.concat([of_host("web-1", ts, busy=0.9), of_host("web-2", ts, busy=0.1)]))
    with State(home) as state:
        for day in range(7):
            report = {"overall_score": 70 + day, "coverage": 1.0}
            state.record_health_report(report, host="web-1", now=MONDAY + timedelta(days=day, hours=6))

    def run(name, when, **more):
        return hk.run(name, home, dry_run=False, now=when, root=str(top), **more)

    run("security_review", SUNDAY - timedelta(days=7), run=absent)
    (app / "secrets").mkdir()
    (app / "secrets").chmod(0o777)
    run("security_review", SUNDAY, run=absent)
    run("backup", SUNDAY)
    run("restore_test", SUNDAY + timedelta(minutes=30))
    (copy,) = (top / "backups").glob("2*/databases/app.db")
    with copy.open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 1]))
    run("backup_verification", SUNDAY + timedelta(hours=4))
    return home


def of_host(host, ts, *, busy):
    """Busy for all but one hour, in which it is twice as slow as the limit."""
    slow = np.where(np.arange(len(ts)) < len(ts) // 5, 7.5, 0.25)
    columns = {"cpu_busy_ratio": ("", np.full(len(ts), busy)), "http_response_seconds": ("api", slow)}
    frames = [
        pd.DataFrame({"ts": ts, "host": host, "metric": metric, "device": device, "value": values})
        for metric, (device, values) in columns.items()
    ]
    return pd.concat(frames)


@pytest.fixture(scope="module")
def week(home):
    return hk.review(home, "weekly", period="2026-W47", now=NOW)


def test_performance_is_that_of_the_week(week):
    rows = {row["host"]: row for row in sections.performance(week).data["rows"]}
    assert rows["web-1"]["cpu"]["average"] == pytest.approx(0.9)
    assert rows["web-1"]["memory"] is None  # not measured: unknown, not 0
    assert rows["web-1"]["response"]["average"] == pytest.approx((33 * 7.5 + 135 * 0.25) / 168)
    assert rows["web-1"]["response"]["device"] == "api"
    assert rows["web-1"]["score"] == {"average": 73.0, "least": 70.0, "most": 76.0, "n": 7}
    assert rows["web-2"]["score"] is None
    assert "memory unknown" in sections.performance(week).text


def test_a_percentile_is_never_above_the_largest_value(week):
    """D19: statistics.quantiles(n=20) of seven values extrapolates beyond the maximum."""
    response = next(row for row in sections.performance(week).data["rows"] if row["host"] == "web-1")["response"]
    assert response["p95"] <= response["max"] == 7.5


def test_security_says_what_is_new_since_the_week_before(week):
    shown = sections.security(week)
    (host,) = shown.data["hosts"]
    assert host["host"] == "web-1"
    assert any("secrets" in entry for entry in host["changes"]["new"]), host["changes"]
    assert host["counts"]["unknown"] > 0  # the tools are not there
    assert "since 2026-W46" in shown.text
    assert "no run of security_review on web-2 is on record" in shown.text


def test_backups_tell_age_verification_and_restore(week):
    """D56: a backup that fails its test is told as failed, with the evidence; it is no line in a log that says completed."""
    rows = {row["procedure"]: row for row in sections.backups(week).data["rows"]}
    assert rows["backup"]["worst"] in {"ok", "info"}
    assert rows["restore_test"]["worst"] in {"ok", "info"}
    assert rows["restore_test"]["restore_seconds"] >= 0
    assert rows["restore_test"]["backup_age_hours"] == pytest.approx(23.5)
    assert rows["backup_verification"]["worst"] == "critical"
    shown = sections.backups(week)
    assert "SHA-256" in shown.text or "sha" in shown.text.lower()
    assert "web-2" in shown.text  # of which nothing is on record here


def test_every_recommendation_names_the_number_it_follows_from(week):
    """D45: no sentence is a constant; each has its finding or its average, and its host."""
    shown = sections.recommendations(week)
    rows = shown.data["rows"]
    assert all(any(char.isdigit() for char in row["because"]) or row["source"] in SAYS_WITHOUT for row in rows), rows
    averages = {
        (row["source"], *row["hosts"]): row["because"] for row in rows if row["source"] in {"performance", "score"}
    }
    assert averages["score", "web-1"] == "the health score was 73 on average of 7 checks, the target is 85"
    cpu = [row["because"] for row in rows if row["source"] == "performance" and row["hosts"] == ["web-1"]]
    assert "CPU was 90\u00a0% on average, the limit is 80\u00a0%" in cpu
    assert "api: response time was 7.5\u00a0s at the 95th percentile, the limit is 5\u00a0s" in cpu
    assert not [
        row for row in rows if row["source"] == "performance" and "CPU" in row["because"] and "web-2" in row["hosts"]
    ]
    assert any("secrets" in row["because"] for row in rows)
    assert f"{len(rows)} recommendations from {len(week.findings)} answers" in shown.text


SAYS_WITHOUT = {"restore_test", "tasks", "configuration", "services"}
"""Checks whose findings may be about something that has no number: a file that is not there."""


def test_without_any_run_each_section_says_so_and_how_to_make_one(tmp_path):
    write_samples(tmp_path, of_host("web-1", pd.date_range(MONDAY, periods=HOURS, freq="h"), busy=0.1))
    week = hk.review(tmp_path, "weekly", period="2026-W47", now=NOW)
    for name, procedure in (("security", "security_review"), ("backups", "backup_verification")):
        shown = getattr(sections, name)(week)
        assert shown.data == {"known": False, "procedure": procedure}
        assert f"To run it: healthkit run {procedure}." in shown.text
    assert "Scores of daily checks are unknown" in sections.performance(week).text


def test_records_that_cannot_be_read_are_unknown(tmp_path):
    write_samples(tmp_path, of_host("web-1", pd.date_range(MONDAY, periods=HOURS, freq="h"), busy=0.1))
    (tmp_path / "health.db").write_bytes(os.urandom(4096))
    week = hk.review(tmp_path, "weekly", period="2026-W47", now=NOW)
    assert "the records of procedures cannot be read" in sections.security(week).text
    assert "Scores of daily checks are unknown: " in sections.performance(week).text


def test_recommendations_are_counted_as_people_count_and_a_host_s_name_stays_whole(tmp_path):
    fair = of_host("web-9", pd.date_range(MONDAY, periods=6 * HOURS, freq="10min"), busy=0.5)
    write_samples(tmp_path, fair[fair["metric"] == "cpu_busy_ratio"])
    shown = sections.recommendations(hk.review(tmp_path, "weekly", period="2026-W47", now=NOW))
    assert shown.text.splitlines()[-1].startswith("1 recommendation from ")
    assert '<td><span class="host">web-9</span></td>' in shown.html
