"""The schedule: times, files, and runs; judged by cron and systemd themselves where they are installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from healthkit import procedures
from healthkit.checks import check
from healthkit.cli.main import main
from healthkit.config import Config, config_path, parse_config
from healthkit.errors import ConfigError, ParameterError, StoreError
from healthkit.findings import Severity
from healthkit.logbook import KILLED, logbook
from healthkit.procedures._records import begin
from healthkit.schedule import installing, runs, tasks
from healthkit.schedule.calendars import Calendar
from healthkit.schedule.crontabs import crontab, crontab_path
from healthkit.schedule.crontabs import line as cron_line
from healthkit.schedule.places import MARKER, Place
from healthkit.schedule.tasks import TASKS, Task
from healthkit.schedule.units import units, units_folder
from healthkit.state import State

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_the_runbook_s_times_and_the_tasks_it_forgot():
    """D42: the weekly performance analysis is in no cron line; neither are the DR test and the architecture review."""
    times = {task.name: task.calendar.cron for task in TASKS}
    runbook = {
        "daily-health-check": "0 6 * * *",
        "daily-log-management": "15 6 * * *",
        "daily-performance-monitoring": "30 6 * * *",
        "daily-backup-verification": "45 6 * * *",
        "weekly-system-review": "0 2 * * 1",  # the runbook's Sunday still belongs to the ISO week it reports on
        "weekly-security-review": "30 2 * * 1",
        "weekly-backup-test": "0 3 * * 1",
        "monthly-optimization-review": "0 1 1 * *",
        "monthly-capacity-planning": "0 1 2 * *",
        "monthly-security-audit": "0 1 3 * *",
        "quarterly-dr-test": "0 0 1 1,4,7,10 *",
    }
    assert runbook.items() <= times.items()
    assert {"weekly-performance-analysis", "monthly-dr-test", "quarterly-architecture-review"} <= set(times)
    assert len(times) == len(TASKS)


def test_previous_and_following():
    monday = Calendar(2, 0, weekday=0)
    assert monday.previous(NOW) == at(2026, 11, 23, 2)
    assert monday.following(NOW) == at(2026, 11, 30, 2)
    assert monday.previous(at(2026, 11, 23, 2)) == at(2026, 11, 23, 2)
    assert monday.following(at(2026, 11, 23, 2)) == at(2026, 11, 30, 2)
    quarterly = Calendar(0, 0, day=1, months=(1, 4, 7, 10))
    assert quarterly.previous(NOW) == at(2026, 10, 1)
    assert quarterly.following(NOW) == at(2027, 1, 1)
    assert Calendar(every=5).previous(at(2026, 11, 25, 12, 3, 20)) == at(2026, 11, 25, 12)
    assert Calendar(every=5).following(at(2026, 11, 25, 12, 0)) == at(2026, 11, 25, 12, 5)
    assert Calendar(6, 0).following(at(2028, 2, 28, 7)) == at(2028, 2, 29, 6)  # leap day


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize(("hour", "minute"), [(2, 0), (2, 30), (1, 30), (0, 0)])
def test_a_change_of_the_clock_skips_no_day_and_doubles_none(zone, hour, minute):
    """D43: 02:00 and 02:30 lie in the hole. One due time a day all the same, in order, and both directions agree."""
    calendar, zone = Calendar(hour, minute), ZoneInfo(zone)
    when, seen = at(2026, 1, 1), []
    while when < at(2027, 1, 1):
        when = calendar.following(when, zone=zone)
        seen.append(when)
        assert calendar.previous(when + timedelta(minutes=1), zone=zone) == when
        assert calendar.previous(when - timedelta(minutes=1), zone=zone) == (
            seen[-2] if seen[1:] else calendar.previous(at(2026, 1, 1), zone=zone)
        )
    days = [when.astimezone(zone).date() for when in seen]
    assert len(days) == len(set(days)) == (days[-1] - days[0]).days + 1


def test_the_hole_and_the_hour_that_comes_twice():
    nightly = Calendar(2, 30)
    assert nightly.previous(at(2026, 3, 29, 12), zone=BERLIN) == at(2026, 3, 29, 1, 0)  # the change itself
    assert nightly.previous(at(2026, 10, 25, 12), zone=BERLIN) == at(2026, 10, 25, 0, 30)  # the first 02:30


@pytest.mark.skipif(not shutil.which("faketime"), reason="needs faketime")
@pytest.mark.parametrize(
    ("clock", "expected"),
    [("2026-03-29 12:00:00", "2026-03-29T01:00:00+00:00"), ("2026-10-25 12:00:00", "2026-10-25T00:30:00+00:00")],
)
def test_the_system_s_own_clock_over_both_changes(clock, expected):
    code = (
        "from datetime import *; from healthkit.schedule.calendars import Calendar;"
        "print(Calendar(2, 30).previous(datetime.now(UTC), zone=None).isoformat())"
    )
    environment = os.environ | {"TZ": "Europe/Berlin"}
    command = ["faketime", clock, sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr


PLACE = Place(Path("/srv/my health/100%"), "/opt/my env/bin/python")


def test_the_crontab_says_where_everything_is():
    """D41: cron's PATH has no `python`, its cwd is no project. D43: PATH, MAILTO, no shell surprises."""
    text = crontab(tasks.TASKS, PLACE, mailto="ops@example.org")
    assert MARKER in text.splitlines()[0]
    assert "MAILTO=ops@example.org" in text
    jobs = [line for line in text.splitlines() if line[:1] in "0123456789*" and line]
    assert len(jobs) == len(TASKS) + 2
    for line in jobs:
        assert line.split()[5] == "root"
        assert " '/opt/my env/bin/python' -P -m healthkit " in line
        assert r"'/srv/my health/100\%'" in line
    assert sum("--due --zone local" in line for line in jobs) == 1
    with pytest.raises(ParameterError):
        crontab(tasks.TASKS, Place(Path("/srv/a\n* * * * * root id")))
    with pytest.raises(ParameterError):
        crontab(tasks.TASKS, PLACE, mailto="a\nb")


def test_only_tasks_that_can_run_are_installed(tmp_path):
    text = installing.plan("cron", Place(tmp_path), Config(), root=tmp_path)[crontab_path(tmp_path)]
    for task in TASKS:
        assert (f"task {task.name} " in text) == (not task.lacks), task.name
    assert "daily-health-check" in text
    missing = Task("x", "", Calendar(), ("run", "no_such_procedure"))
    assert missing.lacks
    with pytest.raises(ConfigError, match="this version has no"):
        runs.run(missing, Place(tmp_path), Config())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's systemd")
def test_systemd_accepts_every_unit_and_understands_every_time(tmp_path):
    place = Place(tmp_path / "my 100% $HOME", sys.executable)
    for name, text in units(tasks.TASKS, place, delay=90).items():
        (tmp_path / name).write_text(text)
    names = [str(path) for path in sorted(tmp_path.glob("healthkit-*"))]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "healthkit" in line] == []
    for task in TASKS:
        command = ["systemd-analyze", "calendar", "--base-time=2026-11-25 12:00:00 UTC", task.calendar.systemd]
        said = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | {"TZ": "UTC"}
        ).stdout
        expected = task.calendar.following(NOW)
        assert f"{expected:%Y-%m-%d %H:%M}:00 UTC" in said, task.name


def test_the_collector_keeps_the_host_s_view_of_its_mounts():
    text = units((), PLACE)["healthkit-collect.service"]
    assert "Restart=on-failure" in text
    active = [line.partition("=")[0] for line in text.splitlines() if not line.startswith("#")]
    # each of these gives it a mount namespace, in which read-only mounts are not those of the host
    assert not {"ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ReadOnlyPaths"} & set(active)
    assert "NoNewPrivileges" in active
    assert (
        'ExecStart="/opt/my env/bin/python" -P -m healthkit collect --every 60s --home "/srv/my health/100%%"' in text
    )


@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_install_and_remove_touch_nothing_else(tmp_path, kind):
    place, root = Place(tmp_path / "home"), tmp_path / "root"
    others = [root / "etc/cron.d/healthkit-other", units_folder(root) / "healthkit-theirs.timer"]
    for path in others:
        path.parent.mkdir(parents=True)
        path.write_text("somebody else's\n")
    before = sorted(p for p in root.rglob("*") if not p.is_dir())
    first = installing.install(kind, place, Config(), root=root)
    assert first.written
    again = installing.install(kind, place, Config(), root=root)
    assert (again.written, again.removed) == (first.written, ())
    assert sorted(p for p in root.rglob("*") if not p.is_dir()) != before
    removed = installing.remove(root=root)
    assert set(first.written) <= set(removed.removed)
    assert sorted(p for p in root.rglob("*") if not p.is_dir()) == before


def test_one_kind_takes_the_place_of_the_other(tmp_path):
    place, root = Place(tmp_path / "home"), tmp_path / "root"
    installing.install("cron", place, Config(), root=root)
    change = installing.install("systemd", place, Config(), root=root)
    assert change.removed == (crontab_path(root),)
    timers = units_folder(root) / "timers.target.wants"
    assert (timers / "healthkit-daily-health-check.timer").resolve().is_file()
    installing.install("cron", place, Config(), root=root)
    assert not list(units_folder(root).rglob("healthkit*"))


def test_a_file_of_somebody_else_is_not_replaced(tmp_path):
    crontab_path(tmp_path).parent.mkdir(parents=True)
    crontab_path(tmp_path).write_text("0 0 * * * root mine\n")
    with pytest.raises(StoreError, match="not written by healthkit"):
        installing.install("cron", Place(tmp_path), Config(), root=tmp_path)
    assert installing.remove(root=tmp_path).removed == ()
    assert crontab_path(tmp_path).read_text() == "0 0 * * * root mine\n"


@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_the_check_of_tasks_reads_what_was_installed(tmp_path, kind):
    installing.install(kind, Place(tmp_path / "home"), Config(), root=tmp_path)
    found = check(tmp_path / "home", config=Config(), names=["tasks"], root=str(tmp_path))
    assert {finding.subject for finding in found} == {task.name for task in tasks.ready()}


def a_task(**more):
    return Task(
        **({"name": "daily-test", "what": "a test", "calendar": Calendar(6, 0), "command": ("config", "show")} | more)
    )


def newest(home, name="daily-test"):
    with State(home) as state:
        return state.last_task_run(name)


def test_a_run_is_recorded_with_code_and_output(tmp_path):
    result = runs.run(a_task(), Place(tmp_path), Config())
    assert (result.status, result.exit_code) == ("ok", 0)
    last = newest(tmp_path)
    assert (last["status"], last["exit_code"]) == ("ok", 0)
    assert last["ended"] >= last["started"]
    assert "timezone" in last["detail"]["output"]


def test_the_job_s_status_is_the_command_s(tmp_path):
    """D44: the last command's status is the job's, so MaintenanceTaskFailed can never see a failure."""
    config_path(tmp_path).parent.mkdir()
    config_path(tmp_path).write_text("hots: a\n")
    result = runs.run(a_task(command=("check",), good=tasks.RAN), Place(tmp_path), Config())
    assert (result.status, result.exit_code) == ("failed", 78)
    assert "unknown key `$.hots`" in newest(tmp_path)["detail"]["output"]


def test_a_crash_is_no_warning(tmp_path):
    """D26: a check that crashes exits 1 as one that found something does; only one of them did its work."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'Traceback (most recent call last):' >&2\nexit 1\n")
    fake.chmod(0o755)
    result = runs.run(a_task(good=tasks.RAN), Place(tmp_path / "home", str(fake)), Config())
    assert (result.status, result.exit_code) == ("failed", 1)


def test_a_task_that_hangs_is_ended_with_all_it_started(tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n(echo $$ >{tmp_path}/pid; sleep 60) & sleep 60\n")
    fake.chmod(0o755)
    start = time.monotonic()
    result = runs.run(a_task(timeout=timedelta(seconds=1)), Place(tmp_path / "home", str(fake)), Config())
    assert time.monotonic() - start < 10
    assert (result.status, result.exit_code) == ("failed", runs.TIMED_OUT)
    assert "stopped after 0:00:01" in result.output
    with pytest.raises(ProcessLookupError):
        os.killpg(int((tmp_path / "pid").read_text()), 0)


def test_the_second_is_skipped_and_a_signal_ends_the_first(tmp_path):
    """D43: no lock, so a slow job overlaps with its next run."""
    fake, home = tmp_path / "python", tmp_path / "home"
    fake.write_text("#!/bin/sh\nsleep 60\n")
    fake.chmod(0o755)
    code = (
        "import sys; from pathlib import Path; from healthkit.config import Config; from healthkit.schedule import runs, tasks;"
        "from healthkit.schedule.places import Place;"
        f"runs.run(tasks.task('daily-expiry'), Place(Path({str(home)!r}), {str(fake)!r}), Config())"
    )
    with subprocess.Popen([sys.executable, "-P", "-c", code]) as first:
        wait_for(lambda: (newest(home, "daily-expiry") or {}).get("status") == "running")
        with pytest.raises(runs.TaskBusy):
            runs.run(tasks.task("daily-expiry"), Place(home, str(fake)), Config())
        command = [sys.executable, "-P", "-m", "healthkit", "task", "daily-expiry", "--home", str(home)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 75
        time.sleep(0.2)
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 143
    with State(home) as state:
        statuses = sorted(row["status"] for row in state.records("task_runs"))
    assert statuses == ["failed", "skipped", "skipped"]


def test_a_run_that_was_killed_is_found_out_by_the_next(tmp_path):
    with State(tmp_path) as state:
        state.record_task_run("daily-test", started=datetime.now(UTC), ended=None, status="running")
    runs.run(a_task(), Place(tmp_path), Config())
    with State(tmp_path) as state:
        assert sorted(row["status"] for row in state.records("task_runs")) == ["failed", "ok"]


@pytest.mark.slow
def test_a_scheduled_procedure_is_one_run_one_row_one_finding(tmp_path):
    """Its evidence is in the row of the task, where the checks and the reports find it by the procedure's name."""
    home, backups, database = tmp_path / "home", tmp_path / "backups", tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE tokens (id INTEGER PRIMARY KEY)")
    config_path(home).parent.mkdir(parents=True)
    text = f"backups: {{directory: {backups}}}\ndatabases: [{{name: app, path: {database}}}]\n"
    config_path(home).write_text(text)
    task, config = tasks.task("weekly-backup-test"), parse_config(text)

    def seen():
        with State(home) as state:
            kept = state.records("task_runs")
        findings = check(home, config=config, names=["tasks", "restore_test"])
        bad = [(f.check, f.subject) for f in findings if f.severity not in {Severity.OK, Severity.INFO}]
        return [(row["task"], row["status"]) for row in kept], bad

    assert runs.run(task, Place(home), config).status == "failed"  # there is no backup
    failed = ("weekly-backup-test", "failed")
    assert seen() == ([failed], [("restore_test", "result"), ("tasks", "weekly-backup-test")])
    assert procedures.run("backup", home, config=config, dry_run=False).exit_code == 0
    assert runs.run(task, Place(home), config).status == "ok"
    assert seen() == ([("weekly-backup-test", "ok"), ("backup", "ok"), failed], [])
    now = datetime.now(UTC)
    last = logbook(home, since=now - timedelta(hours=1), until=now).last("restore_test")
    assert (last.status, last.steps[0]["status"]) == ("ok", "ok")
    with State(home) as state:
        detail = state.last_task_run("weekly-backup-test")["detail"]
    assert detail["command"] == ["healthkit", "run", "restore_test"]
    assert "restore_test" in detail["output"]


def test_a_killed_run_of_a_procedure_is_unfinished_until_the_next_run_tells(tmp_path):
    """Neither the task nor its procedure came to write an end."""
    task = a_task(name="weekly-test", command=("run", "security_review"))
    with State(tmp_path) as state:
        detail = {"command": ["healthkit", *task.command]}
        state.record_task_run(task.name, started=NOW, ended=None, status="running", host="a", detail=detail)
        (row,) = state.records("task_runs")
    begin(tmp_path, "security_review", started=NOW, host="a", task_run=row["id"])

    def kept():
        return logbook(tmp_path, since=NOW, until=NOW + timedelta(seconds=1))

    assert [run.status for run in kept()] == ["running"]
    begin(tmp_path, "security_review", started=NOW + timedelta(hours=1), host="a")
    assert [(run.status, run.reason) for run in kept()] == [("failed", KILLED)]
    with State(tmp_path) as state:
        assert [run["task"] for run in state.records("task_runs")] == ["security_review", "weekly-test"]


def test_what_was_missed_runs_once_and_nothing_from_before_the_installation(tmp_path):
    """D43: no catch-up after downtime."""
    daily, weekly = a_task(), a_task(name="weekly-test", calendar=Calendar(2, 0, weekday=0))
    both = [weekly, daily]
    assert runs.missed(both, tmp_path, now=at(2026, 11, 20, 12)) == []  # known from now on
    assert runs.missed(both, tmp_path, now=at(2026, 11, 21, 6, 5)) == []  # cron may be about to start it
    assert runs.missed(both, tmp_path, now=NOW) == [weekly, daily]  # five days down: each once
    with State(tmp_path) as state:
        for name in ("daily-test", "weekly-test"):
            state.record_task_run(name, started=NOW, ended=NOW, status="failed", exit_code=2)
    assert runs.missed(both, tmp_path, now=NOW + timedelta(minutes=5)) == []
    with State(tmp_path) as state:
        state.record_task_run("daily-test", started=at(2026, 11, 26, 6), ended=None, status="skipped")
    assert runs.missed(both, tmp_path, now=at(2026, 11, 26, 7)) == [daily]


def test_a_start_that_is_put_off_at_random_is_not_missed_and_does_not_come_twice(tmp_path):
    text = crontab(TASKS, Place(tmp_path), delay=1800)
    assert text.count(" --random-delay 1800s ") == sum(not task.often for task in TASKS)
    assert "--random-delay" not in crontab(TASKS, Place(tmp_path))
    daily = Task("daily-test", "a test", Calendar(6, 0), ("config", "check"))
    installing.since(tmp_path, now=at(2026, 11, 20, 12))
    soon, late = at(2026, 11, 21, 6, 35), at(2026, 11, 21, 6, 45)
    assert [runs.missed([daily], tmp_path, now=now, delay=1800) for now in (soon, late)] == [[], [daily]]
    assert runs.missed([daily], tmp_path, now=soon) == [daily]


@pytest.mark.slow
def test_a_failed_task_raises_the_alert_and_the_next_good_run_ends_it(tmp_path, capsys):
    """D44, by the command line: the rule sees the failure."""
    config_path(tmp_path).parent.mkdir()
    bad = "collect: {every: 60s}\n"
    config_path(tmp_path).write_text(bad)
    (tmp_path / "metrics").write_text("a file where a folder belongs")
    command = [sys.executable, "-P", "-m", "healthkit", "task", "daily-expiry", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "daily-expiry: failed" in done.stderr

    def status():
        assert main(["alert", "list", "-f", "json", "--home", str(tmp_path)]) == 0
        rows = json.loads(capsys.readouterr().out)["alerts"]
        return next((row["status"], row["message"]) for row in rows if row["name"] == "MaintenanceTaskFailed")

    assert status() == ("firing", "Maintenance task failed: daily-expiry")
    (tmp_path / "metrics").unlink()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert status()[0] == "resolved"


@pytest.mark.slow
def test_a_task_in_cron_s_shell_is_not_the_service(tmp_path):
    """D37: `pgrep -f project-health` counts cron's shell and the script in it, so a dead service looks alive."""
    from healthkit.collectors.program import Program, count

    home = tmp_path / "project-health"
    line = cron_line(Place(home).command("task", "daily-expiry", "--home", str(home)))
    seen = []
    with subprocess.Popen(
        ["/bin/sh", "-c", f"{line}; true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as job:
        while job.poll() is None:
            readings = count([Program("service", "project-health")], own=os.getpid())
            seen += [r.value for r in readings if r.metric == "program_running_count"]
            time.sleep(0.05)
    assert len(seen) > 3
    assert set(seen) == {0}


def test_tasks_that_run_all_the_time_record_changes_only(tmp_path):
    often = a_task(often=True, calendar=Calendar(every=5))
    for _ in range(3):
        runs.run(often, Place(tmp_path), Config())
    with State(tmp_path) as state:
        assert len(state.records("task_runs")) == 1


def test_reports_go_to_the_configured_recipients(tmp_path):
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    config = parse_config("mail: {recipients: {weekly: [a@example.org, b@example.org]}}\n")
    result = runs.run(tasks.task("weekly-system-review"), Place(tmp_path, str(fake)), config)
    assert result.output == "-P -m healthkit report weekly --recipients weekly"


def test_a_notebook_of_one_s_own_is_a_task_like_ours(tmp_path):
    config = parse_config(
        "schedule: {notebooks: {our-capacity: monthly}}\nmail: {recipients: {monthly: [a@example.org]}}\n"
    )
    own = tasks.task("monthly-report-our-capacity", config.schedule.notebooks)
    assert (own.calendar.cron, own.lacks) == ("30 2 4 * *", "")
    text = installing.plan("cron", Place(tmp_path), config, root=tmp_path)
    assert "task monthly-report-our-capacity" in "".join(text.values())
    assert "task monthly-report-our-capacity" not in crontab(tasks.ready(), Place(tmp_path))
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    result = runs.run(own, Place(tmp_path, str(fake)), config)
    assert result.output == "-P -m healthkit report our-capacity --recipients monthly"
    with pytest.raises(ConfigError, match="notebooks"):
        parse_config("schedule: {notebooks: {'../etc': weekly}}\n")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cron") or os.geteuid() != 0, reason="needs Debian's cron, and root to run it")
@pytest.mark.skipif(not shutil.which("faketime"), reason="needs faketime")
def test_debian_s_cron_runs_an_installed_schedule(tmp_path):
    """D41: with cron's own PATH, cwd and environment, from a file in cron.d, and a home with a blank and a percent sign.

    It is three seconds to the full minute on this cron's clock, so that the test need not wait for it.
    """
    home = tmp_path / "my 100% home"
    every_minute = Task("daily-expiry", "a test", Calendar(every=1), ("store", "expire"))
    installed = crontab([every_minute], Place(home), user="root", mailto="root")
    target = Path("/etc/cron.d") / f"healthkit-test-{os.getpid()}"
    lines = [line for line in installed.splitlines() if "--due" not in line and " collect " not in line]
    target.write_text("\n".join(lines) + "\n")
    running = subprocess.run(["pgrep", "-x", "cron"], capture_output=True, check=False).returncode == 0
    cron = ["sleep", "150"] if running else ["faketime", "-f", "@2026-11-25 11:59:57", "cron", "-f"]
    begun = datetime.now(UTC)
    with subprocess.Popen(
        cron, start_new_session=True
    ) as daemon:  # the system's own cron, where it runs, reads cron.d by itself
        try:
            wait_for(lambda: home.exists() and (newest(home, "daily-expiry") or {}).get("status") == "ok", seconds=150)
        finally:
            target.unlink()
            # faketime removes its shared memory when its command ends. Killed itself, it leaves it to the next of its PID,
            # which then refuses to start.
            os.kill(daemon.pid, signal.SIGTERM) if running else subprocess.run(
                ["pkill", "-P", str(daemon.pid)], check=True
            )
    last = newest(home, "daily-expiry")
    assert last["exit_code"] == 0
    assert running or last["started"] - begun > timedelta(seconds=2), "not before its minute"


def test_the_severity_of_a_failed_task_is_seen_by_the_check(tmp_path):
    with State(tmp_path) as state:
        state.record_task_run("daily-test", started=NOW, ended=NOW, status="failed", exit_code=2)
    found = check(tmp_path, config=Config(), names=["tasks"], root=str(tmp_path), now=NOW)
    assert found.worst is Severity.WARNING


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError("did not happen in time")


def allowed(group, groups):
    """System calls of a filter set of systemd, with the sets in it."""
    for name in groups[group]:
        yield from allowed(name, groups) if name.startswith("@") else [name]


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("strace") and shutil.which("systemd-analyze")), reason="needs strace and systemd")
def test_the_collector_s_unit_forbids_no_system_call_that_it_makes(tmp_path):
    """SystemCallFilter= must not break it: every call of a resident run, compaction included, is on the list."""
    import pandas as pd

    from healthkit.schema import Reading
    from healthkit.store.journal import Journal

    with Journal(tmp_path / "home", "web-1") as journal:  # a day that waits for its compaction
        journal.append(
            round((pd.Timestamp.now("UTC") - pd.Timedelta(days=1)).timestamp() * 1000), [Reading("load1", 1.0)]
        )
    listing = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    groups: dict[str, list[str]] = {}
    for line in (line.split("#")[0] for line in listing.splitlines()):
        if line.startswith("@"):
            groups[line.strip()] = last = []
        elif line.strip():
            last.append(line.strip())
    config_path(tmp_path / "home").parent.mkdir(parents=True)
    config_path(tmp_path / "home").write_text("host: web-1\n")
    command = ["strace", "-f", "-c", "-o", str(tmp_path / "calls"), sys.executable, "-P", "-m", "healthkit", "collect"]
    command += ["--every", "1s", "--for", "6s", "--home", str(tmp_path / "home")]
    subprocess.run(command, check=True, capture_output=True)
    made = {line.split()[-1] for line in (tmp_path / "calls").read_text().splitlines()[2:-2]}
    text = units((), PLACE)["healthkit-collect.service"]
    words = next(line for line in text.splitlines() if line.startswith("SystemCallFilter=")).partition("=")[2].split()
    permitted = {call for word in words for call in (allowed(word, groups) if word.startswith("@") else [word])}
    assert made & {"adjtimex", "clock_adjtime"}
    assert made - permitted == set()
