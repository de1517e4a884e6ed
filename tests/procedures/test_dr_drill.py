"""Drills with real services: the faults of a recovery, each at the step that is to blame, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

import healthkit as hk
from healthkit.checks import check
from healthkit.config import Drill, Duration
from healthkit.findings import Severity
from healthkit.manifests import digest, encode_manifest, read_manifest
from healthkit.state import State

SERVED = Path(__file__).with_name("served.py")
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
NOTE = f"drilled-by-{os.getpid()}"
"""On the command line of every service that is started here."""


def drill(*more, **keys):
    command = [
        sys.executable,
        "-I",
        "-S",
        str(SERVED),
        "--note",
        NOTE,
        "--port",
        "{port}",
        "--database",
        "{databases}/health.db",
        *more,
    ]
    defaults = {"health": "/health", "start_timeout": Duration(8), "timeout": 2}
    return Drill(command=tuple(command), **(defaults | keys))


@pytest.fixture
def practise(host):
    """Run the drill; afterwards nothing of it is there."""

    def practise(plan=None, *, after=timedelta(hours=1), **more):
        run = host.run("dr_drill", after=after, config=host.config(drill=plan or drill()), **more)
        assert not [p for p in psutil.process_iter(["cmdline"]) if NOTE in " ".join(p.info["cmdline"] or ())]
        assert not list((host.home / "work").iterdir())
        return run, {step.name: step.status for step in run.steps}

    return practise


def tamper(folder, change):
    """Change the database of a backup, and make the backup's hashes agree."""
    path = folder / "databases/health.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(change)
    manifest = read_manifest(folder)
    files = [
        file if file.path != "databases/health.db" else type(file)(file.path, path.stat().st_size, digest(path))
        for file in manifest.files
    ]
    (folder / "manifest.json").write_bytes(encode_manifest(type(manifest)(
        manifest.created, manifest.host, tuple(files), manifest.databases, manifest.links
    )))  # fmt: skip


def test_a_service_that_works_is_green_and_timed(host, practise):
    """D51, D52: a unit file was written and never started, `Simulated successfully`; no time was measured."""
    host.backup()
    run, steps = practise()
    assert (run.exit_code, run.status) == (0, "ok"), run.findings
    assert set(steps.values()) == {"ok"}
    times = {finding.subject: finding for finding in run.findings if finding.subject in ("RTO", "RPO")}
    assert 0 < times["RTO"].value < 30
    assert times["RPO"].value == 3600
    with State(host.home) as state:
        assert state.last_task_run("dr_drill")["status"] == "ok"


def test_the_report_is_kept_under_the_runbooks_name_and_tells_of_this_run_alone(host, practise):
    """D29, D30, D54: the duration was that of the first test ever, old runs counted, and the only report was deleted."""
    host.backup()
    practise(drill("--exit", "3"))
    run, _ = practise(after=timedelta(hours=2))
    folder = host.home / "reports/quarterly"
    assert len(list(folder.glob("dr-test-*Z.json"))) == 2
    text = (folder / "dr-test-report.md").read_text()
    assert "The drill passed" in text
    assert "- configuration: ok" in text
    assert "failed" not in text
    record = json.loads((folder / "dr-test-20261123T080000Z.json").read_text())
    assert record["seconds"] <= run.seconds
    assert record["next_drill"] == "2027-02-23"


def test_the_next_drill_survives_the_end_of_a_month(host):
    """D31: three months after 30 November was 2 March."""
    host.backup()
    late = datetime(2026, 11, 30, 6, tzinfo=UTC)
    hk.run("dr_drill", host.home, config=host.config(drill=drill(), backups={}), dry_run=False, now=late)
    assert "Due by 2027-02-28." in (host.home / "reports/quarterly/dr-test-report.md").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="does not apply: only root can make a network namespace")
def test_a_service_in_its_own_network_may_have_a_port_that_is_taken_here(host, practise):
    host.backup()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run, _ = practise(drill(port=port))
        assert run.exit_code == 0, run.findings
        run, steps = practise(drill(port=port, isolate=False), after=timedelta(hours=2))
    assert steps["start"] == "failed"
    assert "in use" in str(run.findings[0].message)


def test_a_user_that_is_not_there_is_red_at_start(host, practise):
    host.backup()
    run, steps = practise(drill(user="no-such-user"))
    assert steps["start"] == "failed"
    assert "no-such-user" in run.findings[0].message


def test_a_daemon_that_hides_is_ended_with_the_drill(host, practise, tmp_path):
    host.backup()
    run, _ = practise(drill("--daemon", "--pid-file", str(tmp_path / "pid"), isolate=False))
    assert run.exit_code == 0, run.findings
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.slow
def test_nothing_survives_a_drill_that_was_killed(host, tmp_path):
    """The service is ended by its keeper, the folder by the next run."""
    host.backup()
    child = os.fork()
    if not child:
        try:
            plan = drill("--status", "500", "--daemon", "--pid-file", str(tmp_path / "pid"), start_timeout=Duration(60))
            host.run("dr_drill", config=host.config(drill=plan))
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pid = int((tmp_path / "pid").read_text())
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
    host.run("dr_drill", after=DAY, config=host.config(drill=drill()))
    assert not list((host.home / "work").iterdir())


def test_a_corrupt_newest_backup_is_said_and_the_previous_one_is_used(host, practise):
    host.backup()
    newest = host.backup(after=DAY)
    path = newest / "databases/health.db"
    path.write_bytes(path.read_bytes()[:5000] + b"\xff" + path.read_bytes()[5001:])
    run, steps = practise(after=DAY + timedelta(hours=1))
    assert (run.exit_code, run.status) == (1, "failed")
    assert (steps["files"], steps["older"], steps["health"]) == ("failed", "ok", "ok")
    rpo = next(finding for finding in run.findings if finding.subject == "RPO")
    assert (rpo.value, rpo.severity) == (25 * 3600, Severity.WARNING)
    text = (host.home / "reports/quarterly/dr-test-report.md").read_text()
    assert "did not pass: files. The service did run from backup 20261123T060000Z" in text


def test_a_newest_backup_without_a_readable_manifest_is_said(host, practise):
    host.backup()
    (host.backup(after=DAY) / "manifest.json").write_text('{"crea')
    run, steps = practise(after=DAY)
    assert run.exit_code == 1
    assert run.findings[0].subject == "backup 20261124T060000Z"
    assert (steps["newest"], steps["health"]) == ("failed", "ok")


@pytest.mark.parametrize(
    ("change", "said"),
    [("DROP TABLE tokens", "table tokens is missing"), ("DELETE FROM tokens WHERE id > 490", "has 490 rows")],
    ids=["missing table", "wrong row count"],
)
def test_a_database_that_lacks_something_is_red_at_that_step(host, practise, change, said):
    """D53: a count that failed was 0, and 0 rows were successful."""
    tamper(host.backup(), change)
    run, steps = practise()
    assert run.exit_code == 2
    assert (steps["databases"], steps["older"], steps["start"]) == ("failed", "failed", "skipped")
    assert any(said in str(finding.evidence.get("faults")) for finding in run.findings)
    assert next(finding for finding in run.findings if finding.subject == "RTO").severity is Severity.UNKNOWN


@pytest.mark.parametrize(
    ("more", "step", "said"),
    [
        (["--exit", "3"], "start", "it ended with exit code 1"),
        (["--status", "500"], "health", "status 500"),
        (["--database", "/nonexistent.db"], "health", "status 500"),
    ],
    ids=["exits", "answers 500", "other data"],
)
def test_a_service_that_does_not_work_is_red_at_that_step(host, practise, more, step, said):
    host.backup()
    run, steps = practise(drill(*more, start_timeout=Duration(1)))
    assert run.exit_code == 2
    assert (steps[step], steps["databases"]) == ("failed", "ok")
    (finding,) = (f for f in run.findings if f.severity is Severity.CRITICAL)
    assert said in finding.message
    if step == "start":
        assert "not to my liking" in finding.evidence["output"]
        assert steps["health"] == "skipped"


def test_a_program_that_is_not_there_is_red_at_start(host, practise):
    host.backup()
    run, steps = practise(Drill(command=("/nonexistent/serve",), start_timeout=Duration(5)))
    assert steps["start"] == "failed"
    assert "No such file" in run.findings[0].message


def test_dependencies_are_asked_and_not_a_search_engine(host, practise):
    """D51: two search engines were pinged."""
    host.backup()
    with socket.create_server(("127.0.0.1", 0)) as up:
        there = f"127.0.0.1:{up.getsockname()[1]}"
        run, steps = practise(drill(dependencies=(there, ("true",))))
        assert (run.exit_code, steps["dependencies"]) == (0, "ok")
    run, steps = practise(drill(dependencies=(there, f"http://{there}/", ("true",), ("false",))), after=DAY / 2)
    assert (run.exit_code, steps["dependencies"], steps["health"]) == (2, "failed", "ok")
    assert {finding.subject for finding in run.findings.of(Severity.CRITICAL)} == {there, f"http://{there}/", "false"}


def test_a_drill_without_a_service_does_not_claim_that_one_ran(host):
    host.backup()
    run = host.run("dr_drill", after=DAY / 24)
    assert run.exit_code == 3
    assert "nobody knows whether it would run" in str(run.findings.of(Severity.UNKNOWN)[0].message)
    assert "did not pass: start" in (host.home / "reports/quarterly/dr-test-report.md").read_text()


def test_the_check_tells_the_age_and_the_result_of_the_last_drill(host, practise):
    def judged(after, plan=None):
        found = check(host.home, config=host.config(drill=plan or drill()), names=["drill"], now=NOW + after)
        return found[0].severity, found[0].message

    assert judged(DAY) == (Severity.WARNING, "none was ever run")
    host.backup()
    practise()
    assert judged(91 * DAY)[0] is Severity.OK
    assert judged(104 * DAY) == (
        Severity.WARNING, "the last one, 104 days ago, passed; the next is due by 2027-02-23",
    )  # fmt: skip
    practise(drill("--exit", "3"), after=DAY)
    assert "ended as failed" in judged(2 * DAY)[1]


def test_an_objective_that_is_missed_is_red(host, practise):
    host.backup()
    run, steps = practise(drill(rto=Duration(0.001)))
    assert (run.exit_code, steps["objectives"], steps["health"]) == (1, "failed", "ok")


NGINX = """
daemon {daemon}; pid nginx.pid; error_log stderr; events {{}}
http {{
  access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {{ listen 127.0.0.1:8080; location /health {{ root site; try_files /index.html =500; }} }}
}}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="does not apply: its port is its own only in a network namespace")
@pytest.mark.skipif(not shutil.which("nginx") and not Path("/usr/sbin/nginx").exists(), reason="nginx is missing")
@pytest.mark.parametrize(("daemon", "user"), [("on", None), ("off", "nobody")])
def test_nginx_serves_what_was_restored(host, practise, daemon, user):
    """Its workers are not root, and the home is closed to them."""
    host.home.chmod(0o700)
    (host.etc / "site").mkdir()
    (host.etc / "site/index.html").write_text("from the backup\n")
    (host.etc / "nginx.conf").write_text(NGINX.format(daemon=daemon))
    host.backup()
    shutil.rmtree(host.etc / "site")
    plan = Drill(
        command=("nginx", "-e", "stderr", "-p", "{config}", "-c", "{config}/nginx.conf", "-g", f"env {NOTE};"),
        health="/health", port=8080, user=user, start_timeout=Duration(8), timeout=2,
    )  # fmt: skip
    run, _ = practise(plan)
    assert run.exit_code == 0, run.findings
