"""Alerts from measurement to state: what fires, when it is told, and what stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from healthkit.alerts import logs, notifications, rounds
from healthkit.alerts.names import Known, Names, names
from healthkit.alerts.rules import DEFAULTS, alerts_path, parse_rules
from healthkit.alerts.states import advance, is_due
from healthkit.config import parse_config
from healthkit.manifests import Manifest, encode_manifest
from healthkit.state import State

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SCORE = next(rule for rule in DEFAULTS if rule.name == "HealthScoreDeclined")


def rule(text):
    return parse_rules("alerts:\n- name: A\n" + "\n".join(f"  {line}" for line in text.splitlines()))[0]


def story(a_rule, *events):
    """Statuses after each (minutes, values) in turn; a value that is None is missing."""
    alert, found = None, []
    for minutes, values in events:
        at = NOW + minutes * MINUTE
        known = {name: Known(value, at) for name, value in values.items() if value is not None}
        alert = advance(a_rule, alert, Names(known, {}), host="web-1", now=at)
        found.append(alert.status)
    return found, alert


def scores(*events):
    return [(minutes, {"health_score": float(score), "score_capped": 0.0}) for minutes, score in events]


def test_the_score_is_raised_below_80_and_cleared_at_85_on_two_runs_in_a_row():
    found, _ = story(
        SCORE, *scores((0, 90), (5, 79), (10, 90), (15, 79), (20, 79), (25, 84), (30, 84), (35, 86), (40, 84))
    )
    assert found == ["inactive", "pending", "inactive", "pending", "firing", "firing", "firing", "firing", "firing"]
    found, alert = story(SCORE, *scores((0, 70), (5, 70), (10, 85), (15, 85), (20, 81)))
    assert found == ["pending", "firing", "firing", "resolved", "resolved"]
    assert alert.message == "Health score declined to 70"


def test_the_score_is_raised_at_once_by_a_cap_and_where_runs_are_far_apart():
    capped = {"health_score": 59.0, "score_capped": 1.0}
    assert story(SCORE, (0, capped))[0] == ["firing"]
    assert story(SCORE, *scores((0, 90), (61, 79), (122, 86)))[0] == ["inactive", "firing", "resolved"]
    assert story(SCORE, *scores((0, 90), (59, 79)))[0] == ["inactive", "pending"]


def test_the_same_measurement_read_twice_is_one():
    alert = None
    statuses = []
    for minutes in (0, 5, 59, 61):
        seen = Names({"health_score": Known(70.0, NOW)}, {})
        alert = advance(SCORE, alert, seen, host="web-1", now=NOW + minutes * MINUTE)
        statuses.append(alert.status)
    # ... until an hour has passed without another run: then there is none to wait for
    assert statuses == ["pending", "pending", "pending", "firing"]


def test_for_waits_and_a_break_starts_it_anew():
    steady = rule("condition: load1 > 4\nfor: 10m")
    high, low = {"load1": 5.0}, {"load1": 1.0}
    assert story(steady, (0, high), (5, high), (10, high), (11, low))[0] == ["pending", "pending", "firing", "resolved"]
    assert story(steady, (0, high), (5, low), (9, high), (12, high))[0] == ["pending", "inactive", "pending", "pending"]


def test_unknown_neither_fires_nor_resolves_and_says_so():
    """D26, D27: a measurement that is missing is no bad one, and no good one."""
    simple = rule("condition: load1 > 4")
    none = {"load1": None}
    found, alert = story(simple, (0, none), (5, {"load1": 5.0}), (10, none), (15, none), (20, {"load1": 1.0}))
    assert found == ["inactive", "firing", "firing", "firing", "resolved"]
    assert alert.unknown == ""
    _, alert = story(simple, (0, {"load1": 5.0}), (5, none))
    assert alert.unknown.startswith("load1: not measured lately")
    waiting = rule("condition: load1 > 4\nfor: 10m")
    assert story(waiting, (0, {"load1": 5.0}), (5, none), (11, {"load1": 5.0}))[0] == ["pending", "pending", "pending"]


def test_it_is_told_again_after_the_repeat_interval():
    simple = rule("condition: load1 > 4\nrepeat: 2h")
    _, alert = story(simple, (0, {"load1": 5.0}))
    assert is_due(simple, alert, NOW)
    from dataclasses import replace

    told = replace(alert, told=NOW)
    assert not is_due(simple, told, NOW + 2 * HOUR - MINUTE)
    assert is_due(simple, told, NOW + 2 * HOUR)


@pytest.fixture
def home(tmp_path):
    """A home with rules about one metric and a task, and the time of its newest sample."""
    alerts_path(tmp_path).parent.mkdir()
    alerts_path(tmp_path).write_text("alerts: [{name: Load, condition: load1 > 4, message: 'load is {{ value }}'}]")
    return tmp_path


CONFIG = parse_config("host: web-1\n")


def measure(home, when, **metrics):
    """Write samples as the collector's journal does."""
    from healthkit.schema import Reading
    from healthkit.store.journal import Journal

    with Journal(home, "web-1") as journal:
        ts = round(when.timestamp() * 1000)
        journal.append(
            ts, [Reading(name, value, device) for name, devices in metrics.items() for device, value in devices.items()]
        )


def test_names_are_of_the_worst_device_of_this_host_and_fresh(home):
    measure(home, NOW - HOUR, load1={"": 9.0})
    measure(home, NOW - 2 * MINUTE, disk_used_ratio={"/": 0.2, "/var": 0.9}, http_up={"a": 1.0, "b": 0.0})
    measure(home, NOW - MINUTE, disk_used_ratio={"/": 0.3, "/var": 0.8}, network_receive_bytes_total={"eth0": 10.0})
    measure(home, NOW, network_receive_bytes_total={"eth0": 610.0})
    with State(home) as state:
        seen = names(home, CONFIG, state, now=NOW)
    assert seen.values["disk_used_ratio"] == seen.values["disk_used_ratio_max"] == 0.8
    assert seen.known["disk_used_ratio"].device == "/var"
    assert seen.values["disk_used_ratio_min"] == 0.3
    assert seen.values["http_up"] == 0
    assert seen.values["network_receive_bytes_total"] == pytest.approx(10)  # a rate per second
    assert "load1" not in seen.values  # an hour old is not the latest
    assert "no full check" in seen.why("health_score")
    assert "no backups are configured" in seen.why("backup_age_hours")


def test_names_of_the_last_check_of_tasks_and_of_backups(home):
    report = {
        "overall_score": 72.5,
        "coverage": 0.9,
        "components": [{"name": "caps", "deductions": [{}]}],
        "findings": [
            {"check": "vulnerabilities", "subject": "/opt", "severity": "critical", "value": 3.0},
            {"check": "vulnerabilities", "subject": "/opt: skipped", "severity": "unknown", "value": 9.0},
            {"check": "headroom", "subject": "/", "severity": "ok", "value": None},
            {"check": "headroom", "subject": "/var", "severity": "warning", "value": 12.0},
        ],
    }
    backups = home / "backups"
    folder = backups / "20261122T060000Z"
    folder.mkdir(parents=True)
    config = parse_config(f"host: web-1\nbackups: {{directory: {backups}}}\n")
    with State(home) as state:
        assert names(home, config, state, now=NOW).values["backup_age_hours"] == float("inf")  # D13: none is no pass
        manifest = Manifest(created=NOW - 26 * HOUR, host="web-1")
        (folder / "manifest.json").write_bytes(encode_manifest(manifest))
        state.record_health_report(report, host="web-1", now=NOW - HOUR)
        for name, code, minutes in (("daily-backup", 2, 30), ("daily-backup", 0, 40), ("weekly-backup-test", 3, 20)):
            at = NOW - minutes * MINUTE
            status = "failed" if code else "ok"
            state.record_task_run(name, started=at, ended=at, status=status, exit_code=code, host="web-1")
        state.record_task_run("daily-backup", started=NOW, ended=NOW, status="skipped", exit_code=75)
        seen = names(home, config, state, now=NOW).values
        assert seen["backup_age_hours"] == pytest.approx(26)
        assert (seen["health_score"], seen["coverage"], seen["score_capped"]) == (72.5, 0.9, 1.0)
        assert (seen["security_vulnerabilities"], seen["days_until_full"]) == (3.0, 12.0)
        assert (seen["maintenance_task_exit_code"], seen["task_name"]) == (3.0, "weekly-backup-test, daily-backup")
        late = names(home, config, state, now=NOW + 27 * HOUR)
        assert "health_score" not in late.values  # a check of yesterday morning says nothing of now
        assert "2026-11-23 05:00" in late.why("health_score")


def test_the_score_of_the_last_audit(home):
    """D02: the runbook's alarm about a low security score could never ring."""
    low = next(one for one in DEFAULTS if one.name == "SecurityScoreLow")
    with State(home) as state:
        assert "healthkit run security_audit" in names(home, CONFIG, state, now=NOW).why("security_score")
        for days, score in ((3, 72.5), (33, 90.0)):
            steps = [{"name": "assessment", "evidence": {"overall_score": score}}]
            detail = {"procedure": "security_audit", "steps": steps}
            at = NOW - timedelta(days=days)
            state.record_task_run("security_audit", started=at, ended=at, status="ok", host="web-1", detail=detail)
        state.record_task_run("security_audit", started=NOW, ended=None, status="running", host="web-1")
        seen = names(home, CONFIG, state, now=NOW)
        assert seen.values["security_score"] == 72.5
        assert advance(low, None, seen, host="web-1", now=NOW).status == "firing"
        later = names(home, CONFIG, state, now=NOW + timedelta(days=38))
        assert "security_score" not in later.values


def test_vulnerabilities_that_nobody_could_count_are_not_zero(home):
    """D01: a tool that looked at nothing has found nothing."""
    report = {
        "findings": [{"check": "vulnerabilities", "subject": "/opt", "severity": "unknown", "message": "offline"}]
    }
    with State(home) as state:
        state.record_health_report(report, host="web-1", now=NOW)
        seen = names(home, CONFIG, state, now=NOW)
    assert "security_vulnerabilities" not in seen.values
    assert seen.why("security_vulnerabilities") == "offline"


def test_a_round_fires_once_repeats_after_a_day_and_resolves(home):
    def look(when, load):
        measure(home, when, load1={"": load})
        return rounds.look(home, CONFIG, ["webhook"], now=when)

    found = look(NOW, 5.0)
    assert [(n.status, n.message) for n in found.notifications] == [("firing", "load is 5")]
    assert look(NOW + 5 * MINUTE, 6.0).notifications == ()
    again = look(NOW + 24 * HOUR, 7.0).notifications
    assert [(n.status, n.message, n.starts) for n in again] == [("firing", "load is 7", NOW)]
    assert again[0].ends > NOW + 48 * HOUR  # beyond the next time that it would be told
    (over,) = look(NOW + 25 * HOUR, 1.0).notifications
    assert (over.status, over.starts, over.ends) == ("resolved", NOW, NOW + 25 * HOUR)
    assert look(NOW + 26 * HOUR, 1.0).notifications == ()
    assert len(notifications.waiting(home)) == 3
    with State(home) as state:
        assert [row["status"] for row in state.records("alerts", name="Load")] == ["resolved", "firing"]


def test_a_clock_that_is_set_back_three_days_neither_floods_nor_stalls(home):
    def look(when, load):
        measure(home, when, load1={"": load})
        return [n.status for n in rounds.look(home, CONFIG, ["webhook"], now=when).notifications]

    early = NOW - timedelta(days=3)
    assert look(NOW, 5.0) == ["firing"]
    assert look(early, 5.0) == ["firing"]  # told once more, as the interval cannot be counted
    assert look(early + 5 * MINUTE, 5.0) == []
    assert look(early + 10 * MINUTE, 1.0) == ["resolved"]
    assert look(early + 15 * MINUTE, 1.0) == []
    found = story(SCORE, *scores((0, 90), (-3000, 70), (-2990, 70)))[0]
    assert found[-1] == "firing"


def test_alertmanager_is_reminded_on_every_round_and_nothing_piles_up(home):
    """It keeps no alerts over a restart; a webhook or a mailbox does."""
    for minutes in (0, 5, 10):
        measure(home, NOW + minutes * MINUTE, load1={"": 5.0 + minutes})
        rounds.look(home, CONFIG, ["alertmanager", "webhook"], now=NOW + minutes * MINUTE)
    assert [o.transport for o in notifications.waiting(home)] == ["alertmanager", "webhook"]
    took = []
    outcomes = notifications.deliver(home, {"alertmanager": took.append}, now=NOW + 10 * MINUTE)
    measure(home, NOW + 15 * MINUTE, load1={"": 9.0})
    assert rounds.look(home, CONFIG, ["alertmanager", "webhook"], now=NOW + 15 * MINUTE).notifications == ()
    outcomes += notifications.deliver(home, {"alertmanager": took.append}, now=NOW + 15 * MINUTE)
    assert [(n.message, n.starts, n.reminder) for n in took] == [("load is 5", NOW, False), ("load is 9", NOW, True)]
    rounds.record(home, outcomes, now=NOW)
    with State(home) as state:
        assert [row["status"] for row in state.records("notifications", transport="alertmanager")] == ["delivered"]


def test_a_silence_holds_back_and_what_still_fires_is_told_afterwards(home):
    with State(home) as state:
        logs.add_silence(state, logs.Silence("Lo*", NOW, NOW + HOUR, "moving racks", "ada"))
    measure(home, NOW, load1={"": 5.0})
    found = rounds.look(home, CONFIG, ["webhook"], now=NOW)
    assert [a.status for a in found.alerts] == ["firing"]
    assert found.notifications == ()
    assert "moving racks" in str(found.silences[0])
    measure(home, NOW + HOUR, load1={"": 5.0})
    assert len(rounds.look(home, CONFIG, ["webhook"], now=NOW + HOUR).notifications) == 1
    with State(home) as state:
        logs.add_silence(state, logs.Silence("*", NOW + HOUR, NOW + 9 * HOUR))
        assert logs.lift_silences(state, "*", now=NOW + 2 * HOUR) == 1
        assert not logs.read_silences(state, now=NOW + 2 * HOUR)


def test_what_nobody_was_told_of_is_not_reported_over(home):
    with State(home) as state:
        logs.add_silence(state, logs.Silence("*", NOW, NOW + HOUR))
    for minutes, load in ((0, 5.0), (10, 1.0)):
        measure(home, NOW + minutes * MINUTE, load1={"": load})
        found = rounds.look(home, CONFIG, ["webhook"], now=NOW + minutes * MINUTE)
        assert found.notifications == ()
    assert found.alerts[0].status == "resolved"


def test_without_its_database_it_tells_at_once_and_once_a_day(home):
    (home / "health.db").write_bytes(b"this is no database" * 100)
    alerts_path(home).write_text("alerts: [{name: Load, condition: load1 > 4, for: 1h}]")
    for minutes in (0, 5, 10):
        measure(home, NOW + minutes * MINUTE, load1={"": 5.0})
        found = rounds.look(home, CONFIG, ["webhook"], now=NOW + minutes * MINUTE)
        assert found.problem
    assert len(notifications.waiting(home)) == 1


def test_a_rule_that_is_gone_fires_no_more(home):
    measure(home, NOW, load1={"": 5.0})
    rounds.look(home, CONFIG, [], now=NOW)
    alerts_path(home).write_text("alerts: [{name: Other, condition: load1 > 4}]")
    rounds.look(home, CONFIG, [], now=NOW + MINUTE)
    with State(home) as state:
        assert logs.read_alerts(state, "web-1", now=NOW + MINUTE)["Load"][1].status == "inactive"


def test_health_reports_of_others_do_not_break_it(home):
    with State(home) as state:
        state.record("health_reports", {"ts": NOW, "host": "web-1", "report": "free text"})
        assert "health_score" not in names(home, CONFIG, state, now=NOW).values
