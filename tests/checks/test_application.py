"""Configuration files, logs and maintenance tasks of an application."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from pathlib import Path

import pytest

from healthkit.config import Application, Logs, Size
from healthkit.findings import Severity
from healthkit.state import State

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


@pytest.fixture
def configured(ask, tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()

    def configured(**files):
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        application = Application(directory=str(tmp_path), config=str(folder))
        return ask("configuration", application=application)

    return configured


def test_a_valid_file(configured):
    (finding,) = configured(production="test_execution: {parallel: true, timeout: 60}\nown: [1, 2]\n")
    assert finding.severity is OK


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("just a line of te", "holds a str"),
        ("- 1\n- 2\n", "holds a list"),
        ("a: [1,\n", "not YAML"),
        ("test_execution: {parallel: maybe}\n", "parallel"),
        ("health_monitoring: 300\n", "health_monitoring"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("a: " + "[" * 5000, "nested"),
    ],
)
def test_what_a_parser_lets_pass_is_still_judged(configured, text, said):
    """D34: an empty or text-only file is valid YAML: a truncated configuration was `valid`."""
    (finding,) = configured(production=text)
    assert finding.severity is CRITICAL
    assert said in finding.message


def test_suggestions_of_the_runbook(configured):
    text = "test_execution: {parallel: true, timeout: 7200}\nhealth_monitoring: {check_interval: 60}\n"
    found = configured(production=text)
    assert [finding.severity for finding in found] == [INFO, INFO, OK]


def test_an_absent_interval_is_no_short_one(configured):
    (finding,) = configured(production="health_monitoring: {}\n")
    assert finding.severity is OK


def test_a_file_name_is_never_code(configured, tmp_path):
    """D32, D33: the name was pasted into `python -c '...'`, and ran as root."""
    name = f"x'); __import__('os').mkdir('{tmp_path.name}'); ('"
    (finding,) = configured(**{name: "a: 1\n"})
    assert finding.severity is OK
    assert not Path(tmp_path.name).exists()


def test_no_folder_is_unknown(ask):
    (finding,) = ask("configuration", application=Application(directory="/nowhere", config="/nowhere/etc"))
    assert finding.severity is UNKNOWN


@pytest.fixture
def logs(ask, tmp_path, worlds):
    folder = tmp_path / "log"
    folder.mkdir()

    def logs(**config):
        found = ask("logs", logs=Logs(directories=(str(folder),), **config))
        return {finding.subject.rpartition(": ")[2]: finding for finding in found}

    logs.folder = folder
    return logs


def write(path, content, worlds, *, hours=1.0):
    path.write_bytes(content)
    when = (worlds.NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (when, when))


def test_tidy_logs(logs, worlds):
    write(logs.folder / "app.log", b"all is well\n", worlds)
    write(logs.folder / "app.log-20261122.gz", gzip.compress(b"x"), worlds, hours=30)
    assert {finding.severity for finding in logs().values()} == {OK}


def test_too_much(logs, worlds):
    write(logs.folder / "app.log", os.urandom(300_000), worlds)
    assert logs(max_total=Size(200_000))["size"].severity is WARNING
    assert logs(max_total=Size(100_000))["size"].severity is CRITICAL


def test_errors_are_counted(logs, worlds):
    write(logs.folder / "app.log", b"ERROR: no\nno terror here\n" * 150, worlds)
    finding = logs()["errors"]
    assert (finding.severity, finding.value) == (WARNING, 150)


def test_an_old_plain_log_was_not_rotated(logs, worlds):
    write(logs.folder / "app.log.1", b"x\n", worlds, hours=49)
    assert logs()["rotation"].severity is WARNING


def test_archives_beyond_their_time(logs, worlds):
    write(logs.folder / "app.log-20261001.gz", b"x", worlds, hours=24 * 40)
    assert logs()["retention"].severity is WARNING


def test_a_fifo_and_a_link_are_told_and_not_opened(logs, worlds, tmp_path):
    os.mkfifo(logs.folder / "app.log")
    (logs.folder / "linked.log").symlink_to(tmp_path)
    finding = logs()["odd files"]
    assert finding.severity is UNKNOWN
    assert set(finding.evidence["paths"].values()) == {"a link", "a FIFO, socket or device"}


def test_a_sparse_giant_is_small(logs, worlds):
    with (logs.folder / "app.log").open("wb") as file:
        file.truncate(20 * 2**30)
    os.utime(logs.folder / "app.log", (worlds.NOW.timestamp(), worlds.NOW.timestamp()))
    finding = logs()["size"]
    assert finding.severity is OK
    assert finding.evidence["sparse"]


def test_no_folder_of_logs_is_unknown(ask):
    (finding,) = ask("logs", logs=Logs(directories=("/nowhere/log",)))
    assert finding.severity is UNKNOWN


@pytest.fixture
def ran(tmp_path, worlds):
    def ran(task, *days, status="ok", code=0):
        with State(tmp_path / "home") as state:
            for age in days:
                started = worlds.NOW - timedelta(days=age)
                ended = None if status == "running" else started + timedelta(minutes=1)
                state.record_task_run(task, started=started, ended=ended, status=status, exit_code=code)

    return ran


def tasks(ask):
    return {finding.subject: finding.severity for finding in ask("tasks")}


def test_no_schedule_is_not_applicable(ask):
    (finding,) = ask("tasks")
    assert finding.evidence["applicable"] is False


def test_tasks_on_time(ask, ran):
    ran("daily", 0.3, 1.3, 2.3, 3.3)
    ran("weekly", 6, 13, 20)
    assert tasks(ask) == {"daily": OK, "weekly": OK}


def test_a_task_that_failed(ask, ran):
    """D44, D56: no script has `set -e`: the status of the last command was the job's."""
    ran("backup", 0.3, status="failed", code=2)
    ran("backup", 1.3, 2.3)
    assert tasks(ask) == {"backup": WARNING}


def test_a_task_that_stopped_running(ask, ran):
    """D42, D43: what no line of cron calls never runs, and nobody sees it."""
    ran("daily", 2.1, 3.1, 4.1)
    assert tasks(ask) == {"daily": WARNING}


def test_a_task_that_never_ended(ask, ran):
    ran("report", 2, status="running", code=None)
    assert tasks(ask) == {"report": WARNING}


def test_a_scheduled_task_that_never_ran(ask, tmp_path, worlds):
    """D41: cron's PATH has no `python`: every job failed before it began."""
    cron = tmp_path / "root/etc/cron.d/healthkit"
    cron.parent.mkdir(parents=True)
    cron.write_text("0 6 * * * root /usr/bin/healthkit task daily\n# 0 2 * * 1 root /usr/bin/healthkit task weekly\n")
    since = (worlds.NOW - timedelta(days=5)).timestamp()
    os.utime(cron, (since, since))
    assert tasks(ask) == {"daily": WARNING}


def test_a_broken_database_of_records_is_unknown(ask, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "health.db").write_bytes(b"garbage" * 1000)
    assert set(tasks(ask).values()) == {UNKNOWN}
