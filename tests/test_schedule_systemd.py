"""The schedule under a systemd that runs: it takes the timers, knows their times, and starts what was missed."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import pytest
from booted_systemd import SHARED, booted

from healthkit.schedule import tasks
from healthkit.state import State

HOME = f"{SHARED}/my home"


@pytest.fixture(scope="module")
def installed(booted_systemd):
    """A schedule on a host that was off while a task was due."""
    python = [sys.executable, "-P", "-m", "healthkit"]
    config = booted_systemd.folder / "my home" / "config"
    config.mkdir(parents=True)
    (config / "healthkit.yaml").write_text("collect: {every: 1s}\n")
    booted_systemd.run("touch", "-d", "3 days ago", "/var/lib/systemd/timers/stamp-healthkit-daily-expiry.timer")
    done = booted_systemd.run(*python, "schedule", "install", "--systemd", "--home", HOME)
    assert done.stderr.count("systemctl") == 0, done.stderr
    yield booted_systemd
    booted_systemd.run(*python, "schedule", "remove")
    assert "healthkit" not in booted_systemd.run("systemctl", "list-unit-files", "--no-pager").stdout


@pytest.mark.slow
@booted
def test_what_the_host_slept_through_runs_at_once_and_is_recorded(installed):
    home = installed.folder / "my home"

    def ended():
        with State(home) as state:
            run = state.last_task_run("daily-expiry")
        return run if run and run["ended"] else None

    run = wait_for(ended)
    assert (run["status"], run["exit_code"]) == ("ok", 0)
    service = installed.run("systemctl", "show", "healthkit-daily-expiry.service", "--property=Result,ExecMainStatus")
    assert set(service.stdout.split()) == {"Result=success", "ExecMainStatus=0"}


@pytest.mark.slow
@booted
def test_the_resident_collector_measures_under_its_own_unit(installed):
    from healthkit import store

    home = installed.folder / "my home"
    wait_for(lambda: store.hosts(home))
    assert installed.run("systemctl", "is-active", "healthkit-collect.service").stdout.strip() == "active"
    log = installed.run("journalctl", "--no-pager", "-o", "json", "-u", "healthkit-collect.service").stdout
    assert [json.loads(line)["MESSAGE"] for line in log.splitlines() if "Traceback" in line] == []
    assert "cpu_busy_ratio" in store.metrics(home)


@pytest.mark.slow
@booted
def test_systemd_knows_every_task_and_its_next_time(installed):
    """D42, D43: every task has a timer that waits, at a time that no change of the clocks skips, and makes up for downtime."""
    asked = datetime.now(UTC)
    timers = wait_for(lambda: timers_that_wait(installed), seconds=90)
    assert set(timers) == {task.name for task in tasks.ready()}
    for task in tasks.ready():
        facts = timers[task.name]
        assert facts["ActiveState"] == "active"
        assert facts["Persistent"] == ("no" if task.often else "yes")
        told = datetime.strptime(facts["NextElapseUSecRealtime"], "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
        assert told in {task.calendar.following(asked), task.calendar.following(datetime.now(UTC))}, task.name


def timers_that_wait(machine):
    """Properties of our timers by task; nothing while a task runs, as its next time is not known then."""
    wanted = "--property=Id,ActiveState,NextElapseUSecRealtime,Persistent"
    shown = machine.run("systemctl", "show", "healthkit-*.timer", wanted).stdout
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    if not all(facts["NextElapseUSecRealtime"] for facts in found):
        return None
    return {facts["Id"].removeprefix("healthkit-").removesuffix(".timer"): facts for facts in found}


def wait_for(ask, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.2)
    raise AssertionError("did not happen in time")
