"""Incidents on a real supervisor: evidence before the restart, a budget, a clock, a record; and silence where nothing is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from booted_systemd import SHARED, booted

import healthkit as hk
from healthkit import incidents, postmortems
from healthkit.alerts import escalations, notifications
from healthkit.alerts.transports import names as transport_names
from healthkit.alerts.transports.mail import compose
from healthkit.checks import check
from healthkit.cli.main import main
from healthkit.config import Alerting, Duration, Incidents, Mail, OnCall, Recipients, Service
from healthkit.procedures._evidence import SOURCES
from healthkit.procedures._trials import spare_port
from healthkit.state import State

SERVED = Path(__file__).with_name("served.py")
WAYS = ("webhook",)


@pytest.fixture
def supervised(host, tmp_path):
    """A service under runit, Debian's small supervisor: `sv` starts and stops it, and a flag keeps it from living."""
    if not shutil.which("runsvdir"):
        pytest.skip("runit is missing")
    port, folder = spare_port(), tmp_path / "service/web"
    folder.mkdir(parents=True)
    crash, slow = tmp_path / "crash", tmp_path / "slow"
    served = f"{sys.executable} -I -S {SERVED} --port {port} --database {host.database}"
    run = folder / "run"
    run.write_text(f"#!/bin/sh\nexec 2>&1\n[ -e {crash} ] && {{ sleep 0.2; exit 1; }}\nexec {served}\n")
    run.chmod(0o755)
    with subprocess.Popen(
        ["runsvdir", str(tmp_path / "service")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as top:
        service = Service(
            name="web", url=f"http://127.0.0.1:{port}/health", timeout=2,
            restart=("sv", "-w", "2", "restart", str(folder)),
        )  # fmt: skip
        yield Supervised(host, service, folder, crash, slow)
        subprocess.run(["sv", "-w", "3", "force-stop", str(folder)], check=False, capture_output=True)
        subprocess.run(["sv", "exit", str(folder)], check=False, capture_output=True)
        top.send_signal(signal.SIGHUP)
        top.wait(10)


class Supervised:
    """The service, and a home that watches it."""

    def __init__(self, host, service, folder, crash, slow):
        self.host, self.service, self.folder, self.crash, self.slow = host, service, folder, crash, slow
        self.home = host.home
        self.wait(up=True)

    def config(self, **more):
        settings = {"confirm_after": Duration(0.2), "settle": Duration(3), "restarts_per_hour": 3}
        on_call = OnCall(name="Ada", contact="+1-555-0123")
        return self.host.config(
            services=(self.service,), alerting=Alerting(webhook="http://127.0.0.1:9/"),
            incidents=Incidents(**(settings | more), on_call=on_call),
        )  # fmt: skip

    def down(self):
        subprocess.run(["sv", "-w", "3", "down", str(self.folder)], check=True, capture_output=True)

    def wait(self, *, up):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.answers() is up:
                return
            time.sleep(0.05)
        raise AssertionError(f"the service did not get {'up' if up else 'down'}")

    def answers(self):
        import urllib.request

        try:
            with urllib.request.urlopen(self.service.url, timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def respond(self, *, apply=True, after=timedelta(0), options=None, **more):
        run = self.host.run("incident", apply=apply, after=after, config=self.config(**more), options=options)
        return run, {step.name: step.status for step in run.steps}

    def told(self):
        return [one.notification for one in notifications.waiting(self.home)]


def test_a_service_that_is_up_is_nothing_wrong_and_nobody_hears_of_it(supervised):
    """D58: `EMERGENCY: System failure detected` was sent when the service was fine."""
    run, steps = supervised.respond()
    assert (run.exit_code, steps) == (0, {"look": "ok"})
    assert "nothing wrong" in run.findings[0].message
    assert not supervised.told()
    assert not (supervised.home / "logs").exists()


@pytest.mark.slow
def test_evidence_comes_before_the_restart_and_the_end_is_told(supervised):
    """D58: the service was restarted first, and an hour of its journal collected after."""
    supervised.down()
    run, steps = supervised.respond()
    assert run.exit_code == 2
    assert steps == dict.fromkeys(("look", "evidence", "confirm", "open", "restart", "verify"), "ok"), run.steps
    assert supervised.answers()
    (incident,) = incidents.every(supervised.home)
    assert (incident.status, incident.services) == ("resolved", ("web",))
    (place,) = (p for p in (supervised.home / "logs/incidents" / incident.name).iterdir())
    index = json.loads((place / "index.json").read_text())
    restart = incident.when("restart")
    assert {piece["name"] for piece in index} == set(SOURCES)
    assert max(datetime.fromisoformat(piece["ended"]) for piece in index) < restart
    assert max(path.stat().st_mtime for path in place.iterdir()) < restart.timestamp()
    assert [line.kind for line in incident.timeline] == ["opened", "evidence", "restart", "resolved"]
    assert "runsv web" in (place / "processes.txt").read_text()
    assert place.stat().st_mode & 0o777 == 0o700
    assert [(n.name, n.status) for n in supervised.told()] == [("Incident", "firing"), ("Incident", "resolved")]
    with State(supervised.home) as state:
        (row,) = state.records("incidents")
        assert (row["incident"], row["detail"]["status"]) == (incident.name, "resolved")
        assert [event["kind"] for event in state.records("events")] == ["incident"]


def test_without_apply_nothing_is_changed(supervised):
    supervised.down()
    run, steps = supervised.respond(apply=False)
    assert (steps["open"], steps["restart"]) == ("planned", "planned")
    assert "0 of 3 restarts used" in str(run.steps[-2].message)
    assert not supervised.answers()
    assert not (supervised.home / "logs").exists()
    assert not supervised.told()


@pytest.mark.slow
def test_a_service_that_dies_again_and_again_is_left_to_people(supervised):
    """D58: there was no limit to restarts."""
    supervised.crash.touch()
    subprocess.run(["sv", "-w", "3", "restart", str(supervised.folder)], check=False, capture_output=True)
    supervised.wait(up=False)
    for number in range(4):
        run, steps = supervised.respond(after=timedelta(seconds=number), settle=Duration(0.3), restarts_per_hour=2)
    assert (run.exit_code, steps["restart"], steps["verify"]) == (2, "failed", "skipped")
    assert "the budget is exhausted: web was restarted 2 times in the last hour" in run.steps[4].message or any(
        "the budget is exhausted" in finding.message for finding in run.findings
    )
    (incident,) = incidents.every(supervised.home)
    kinds = [line.kind for line in incident.timeline]
    assert (kinds.count("restart"), kinds.count("exhausted"), kinds.count("escalated")) == (2, 1, 1)
    assert kinds.count("evidence") == 4
    assert incident.status == "open"
    escalated = [n for n in supervised.told() if n.name == "IncidentEscalated"]
    assert len(escalated) == 1
    assert "Ada, +1-555-0123" in escalated[0].message


@pytest.mark.slow
def test_one_slow_answer_is_not_down(supervised):
    config = supervised.config(confirm_after=Duration(1.5))
    os.kill(int((supervised.folder / "supervise/pid").read_text()), signal.SIGSTOP)
    awake = threading.Timer(2.5, subprocess.run, [["sv", "cont", str(supervised.folder)]])
    awake.start()
    run = supervised.host.run("incident", config=config)
    awake.join()
    assert [step.name for step in run.steps] == ["look", "evidence", "confirm"], run.steps
    assert "nothing wrong: web answered when asked again" in run.steps[2].message
    assert run.exit_code == 0
    assert not supervised.told()
    assert not incidents.every(supervised.home)


@pytest.mark.slow
def test_the_clock_escalates_calls_again_and_ends_when_it_is_over(supervised):
    """D58, the runbook's thirty minutes: they were a line in a log, which nobody kept."""
    supervised.down()
    supervised.respond(options={"restart": "no"})
    (incident,) = incidents.every(supervised.home)
    assert incident.status == "open"

    def kinds(minutes):
        escalations.watch(supervised.home, supervised.config(), WAYS, now=incident.opened + timedelta(minutes=minutes))
        return [line.kind for line in incidents.load(supervised.home, incident.name).timeline[2:]]

    assert kinds(29) == ["note"] * len(kinds(29))
    before = len(kinds(29))
    assert kinds(30.1)[before:] == ["escalated"]
    assert kinds(35)[before:] == ["escalated"], "not every five minutes"
    escalations.acknowledge(supervised.home, incident.name, "ada", now=incident.opened + timedelta(minutes=50))
    assert kinds(79)[before:] == ["escalated", "acknowledged"]
    assert kinds(81)[before:] == ["escalated", "acknowledged", "escalated"]
    subprocess.run(["sv", "up", str(supervised.folder)], check=True, capture_output=True)
    supervised.wait(up=True)
    assert kinds(85)[-1] == "resolved"
    assert kinds(200)[-1] == "resolved"
    assert [n.name for n in supervised.told() if n.status == "resolved"] == ["Incident", "IncidentEscalated"]


@pytest.mark.slow
def test_a_broken_database_hinders_neither_response_nor_clock(supervised):
    supervised.down()
    (supervised.home / "health.db").write_bytes(b"\xff" * 9000)
    run, steps = supervised.respond()
    assert steps["verify"] == "ok", run.steps
    assert incidents.every(supervised.home)[0].status == "resolved"


@pytest.mark.notebook
def test_closing_writes_a_post_mortem_that_runs(supervised, tmp_path, capsys):
    from healthkit import reports

    supervised.down()
    supervised.respond()
    (incident,) = incidents.every(supervised.home)
    config = supervised.home / "config/healthkit.yaml"
    config.write_text("host: web-1\n")
    name = ["incident", "close", incident.name, "--home", str(supervised.home)]
    assert main([*name, "--resolution", "restarted <b>it</b>", "--cause", "# who `knows`"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == supervised.home / f"notebooks/postmortem-{incident.name}.ipynb"
    nbformat.validate(nbformat.read(path, as_version=4))
    assert "restarted" not in path.read_text(), "what people say comes through the code, escaped"
    executed = reports.execute(path, tmp_path / "out.ipynb", {})
    shown = json.dumps(executed.cells)
    assert "restarted &lt;b&gt;it&lt;/b&gt;" in shown
    assert "There is no sample of web-1" in shown
    assert main([*name, "--resolution", "again"]) == 64
    with State(supervised.home) as state:
        assert state.records("incidents")[0]["closed"]


def test_the_course_of_an_incident_is_drawn_with_its_timeline(host):
    import pandas as pd

    from healthkit.store import write_samples

    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    rows = [(at + timedelta(minutes=i), "web-1", "cpu_busy_ratio", "", 0.5) for i in range(-150, 30)]
    write_samples(host.home, pd.DataFrame(rows, columns=["ts", "host", "metric", "device", "value"]))
    incident = incidents.Incident("INC-20261123-120000", "web-1", "critical", "down", at).add("opened", "down", at=at)
    incidents.save(host.home, incident)
    course = postmortems.course(host.home, incident.name)
    (chart,) = course.charts
    assert "150 samples" in str(course)
    assert chart.marks == ((at.timestamp(), "opened"),)


def test_the_commands_open_list_and_acknowledge(host, capsys):
    home = ["--home", str(host.home)]
    assert main(["incident", "open", *home]) == 3, "no service is configured: nobody knows"
    assert main(["incident", "open", *home, "--title", "customers call", "--severity", "warning"]) == 1
    assert main(["incident", "list", "--format", "json", *home]) == 0
    (incident,) = json.loads(capsys.readouterr().out.rpartition("\n[")[2].join(["[", ""]))
    assert (incident["title"], incident["status"], incident["severity"]) == ("customers call", "open", "warning")
    assert main(["incident", "ack", incident["name"], *home]) == 0
    assert incidents.load(host.home, incident["name"]).acknowledged
    assert main(["incident", "ack", "../../etc/passwd", *home]) == 64


def test_secrets_on_command_lines_are_not_kept(host):
    secret = "pa55w0rd-of-the-database"  # noqa: S105
    command = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(30)", f"--db-password={secret}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        host.run("incident", options={"title": "look at that"})
        process.kill()
    texts = [p.read_text() for p in (host.home / "logs/incidents").rglob("processes.txt")]
    assert "--db-password=***" in texts[0]
    assert secret not in texts[0]


def test_a_restart_is_counted_though_the_run_was_killed_before_it(host):
    now = datetime.now(UTC)
    incident = incidents.Incident("INC-20261123-120000", "web-1", "critical", "down", now)
    for minutes in (-61, -59, -1, 5):
        incident = incident.add("restart", "again", at=now + timedelta(minutes=minutes), service="web")
    incidents.save(host.home, incident)
    assert incidents.restarts(host.home, "web", now=now) == 3
    assert incidents.restarts(host.home, "other", now=now) == 0


def test_a_configuration_that_cannot_be_used_keeps_nobody_from_answering(host):
    """A backup's names the services; without one nothing was asked, which is said and is not fine."""
    own = host.home / "config/healthkit.yaml"
    url = f"http://127.0.0.1:{spare_port()}/health"
    own.write_text(
        f"host: web-1\nbackups: {{directory: {host.backups}}}\nincidents: {{confirm_after: 0.1s}}\n"
        f"services: [{{name: web, url: {url!r}, timeout: 1}}]\n"
    )
    host.backup()
    own.write_text("services: [{nmae: web}]\n")
    run, blind = (
        hk.run("incident", host.home, options={"backups": str(place)}) for place in (host.backups, host.top / "none")
    )
    assert [step.name for step in run.steps] == ["look", "evidence", "confirm", "open", "restart", "verify"]
    assert list(run.steps[2].evidence["down"]) == ["web"]
    assert [step.name for step in blind.steps] == ["look"]
    for done, origin in ((run, "goes by the one in backup"), (blind, "goes by the defaults")):
        (told,) = (finding for finding in done.findings if finding.subject == "configuration")
        assert "nmae" in told.message
        assert origin in told.message
    assert (run.exit_code, blind.exit_code) == (1, 2)
    assert blind.status != "ok"


def test_what_answers_an_event_is_never_late(host):
    """Three incidents at three nights make no schedule."""
    for day in range(3):
        run = host.run("incident", after=timedelta(days=day))
        assert run.exit_code == 3, "no service is configured"
    now = datetime(2026, 12, 20, tzinfo=UTC)
    (finding,) = check(host.home, config=host.config(), names=["tasks"], now=now)
    assert "no task is scheduled, and none ever ran" in finding.message


def test_an_escalation_goes_by_mail_to_whoever_is_on_call_and_nothing_else_does(host):
    on_call = Incidents(on_call=OnCall(mail=("ada@example.org",)))
    config = host.config(incidents=on_call, mail=Mail(recipients=Recipients(operators=("ops@example.org",))))
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    usual = notifications.Notification("Incident", "web-1", "firing", "critical", "down", now, now, now)
    called = notifications.Notification(notifications.ESCALATED, "web-1", "firing", "critical", "down", now, now, now)
    assert compose(usual, config)["To"] == "ops@example.org"
    assert compose(called, config)["To"] == "ops@example.org, ada@example.org"
    assert transport_names(host.config(incidents=on_call)) == ("mail",)


UNIT = """
[Service]
ExecStart={python} -I -S {served} --port {port} --database {database}
Restart=no
"""


@pytest.mark.slow
@booted
def test_a_unit_of_systemd_is_restarted_after_the_evidence_was_kept(booted_systemd, host):
    """The command line inside a machine that systemd runs, with its own journal."""
    home, port = booted_systemd.folder / "incident-home", spare_port()
    (home / "config").mkdir(parents=True)
    shutil.copy(host.database, booted_systemd.folder / "served.db")
    unit = UNIT.format(python=sys.executable, served=SERVED, port=port, database=f"{SHARED}/served.db")
    (booted_systemd.folder / "unit").write_text(unit)
    booted_systemd.run("cp", f"{SHARED}/unit", "/etc/systemd/system/hk-served.service")
    booted_systemd.run("systemctl", "daemon-reload")
    service = f'{{name: served, url: "http://127.0.0.1:{port}/health", unit: hk-served.service, timeout: 2}}'
    settings = "{confirm_after: 0.2s, settle: 8s, restarts_per_hour: 1}"
    (home / "config/healthkit.yaml").write_text(f"host: booted\nservices: [{service}]\nincidents: {settings}\n")
    healthkit = [sys.executable, "-P", "-m", "healthkit", "incident", "open", "--apply", "--format", "json"]

    def respond():
        done = booted_systemd.run(*healthkit, "--home", f"{SHARED}/incident-home", check=False, timeout=120)
        return done.returncode, {step["name"]: step for step in json.loads(done.stdout)["steps"]}

    code, steps = respond()  # it was never started
    assert (code, steps["verify"]["status"]) == (2, "ok"), steps
    (incident,) = incidents.every(home)
    (place,) = (path for path in (home / "logs/incidents" / incident.name).iterdir())
    assert "hk-served.service" in (place / "units.txt").read_text()
    since = booted_systemd.run(
        "systemctl", "show", "-P", "ActiveEnterTimestamp", "--timestamp=us+utc", "hk-served.service"
    )
    entered = datetime.strptime(since.stdout.strip(), "%a %Y-%m-%d %H:%M:%S.%f %Z").replace(tzinfo=UTC)
    assert max(path.stat().st_mtime for path in place.iterdir()) < entered.timestamp()
    assert incident.status == "resolved"
    assert respond()[1].keys() == {"look"}, "nothing wrong"
    booted_systemd.run("systemctl", "kill", "--signal=KILL", "hk-served.service")
    code, steps = respond()
    assert (code, steps["restart"]["status"]) == (2, "failed")
    assert [line.kind for line in incidents.every(home)[0].timeline][-3:] == ["exhausted", "escalated", "note"]
    assert booted_systemd.run("systemctl", "is-active", "hk-served.service", check=False).stdout.strip() == "failed"
