"""Services over a real HTTP server: answering, slow, refusing, hanging, failing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from healthkit.config import Limits, Service
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang":
            self.server.release.wait(20)
            return
        self.send_response({"/500": 500, "/404": 404, "/301": 301, "/204": 204}.get(self.path, 200))
        if self.path == "/301":
            self.send_header("Location", "/health")
        if self.path == "/drip":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(100):
                try:
                    self.wfile.write(b".")
                except OSError:
                    return
                if self.server.release.wait(0.1):
                    return
            return
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.release = threading.Event()
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


def now(findings, name="web"):
    return next(finding for finding in findings if finding.subject == f"{name}: now")


def subjects(findings):
    return {finding.subject: finding.severity for finding in findings}


def test_no_service_is_not_applicable(ask):
    (finding,) = ask("services")
    assert finding.evidence["applicable"] is False


@pytest.mark.parametrize(
    ("path", "severity", "status"),
    [("/health", OK, 200), ("/204", OK, 204), ("/301", OK, 200), ("/404", CRITICAL, 404)],
)
def test_status(ask, server, path, severity, status):
    finding = now(ask("services", services=(Service(name="web", url=server.url + path),)))
    assert (finding.severity, finding.evidence["status"]) == (severity, status)
    assert 0 < finding.value < 5


def test_an_error_page_is_not_healthy(ask, server):
    """D39: `curl -s` was content with HTTP 500."""
    assert now(ask("services", services=(Service(name="web", url=server.url + "/500"),))).severity is CRITICAL


def test_the_expected_status_is_the_only_good_one(ask, server):
    service = Service(name="web", url=server.url + "/404", expect=404)
    assert now(ask("services", services=(service,))).severity is OK


def test_a_refused_connection_has_no_response_time(ask):
    """D39: curl took 0.000121 s to be refused: an excellent response time."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/health"
        finding = now(ask("services", services=(Service(name="web", url=url),)))
    assert finding.severity is CRITICAL
    assert finding.value is None
    assert "refused" in finding.message


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_hanging_or_dripping_endpoint_ends_at_the_time_out(ask, server, path):
    """D39: without `-m` the script hung for ever."""
    began = time.monotonic()
    finding = now(ask("services", services=(Service(name="web", url=server.url + path, timeout=0.5),)))
    assert time.monotonic() - began < 3
    assert (finding.severity, finding.value) == (CRITICAL, None)


def test_many_hanging_services_take_no_longer_than_one(ask, server):
    services = tuple(Service(name=f"web-{i}", url=server.url + "/hang", timeout=1) for i in range(6))
    began = time.monotonic()
    findings = ask("services", services=services)
    assert time.monotonic() - began < 4
    assert sum(finding.severity is CRITICAL for finding in findings) == 6


@pytest.mark.parametrize(("failed", "severity"), [(0, OK), (3, WARNING), (30, CRITICAL)])
def test_share_of_successes(ask, server, worlds, failed, severity):
    up = worlds.sampled("http_up", [0] * failed + [1] * (200 - failed), "web")
    found = subjects(ask("services", up, services=(Service(name="web", url=server.url),)))
    assert found["web: last 24 hours"] is severity


def test_without_probes_the_last_day_is_unknown(ask, server):
    found = subjects(ask("services", services=(Service(name="web", url=server.url),)))
    assert found == {"web: now": OK, "web: last 24 hours": UNKNOWN}


def test_a_percentile_is_never_more_than_the_worst_that_was_seen(ask, server, worlds):
    """D19: quantiles(n=20) on 7 points gave a p95 above the maximum."""
    samples = [
        worlds.sampled("http_up", [1] * 7, "web"),
        worlds.sampled("http_response_seconds", [1, 1, 1, 1, 1, 1, 8], "web"),
    ]
    findings = ask("services", *samples, services=(Service(name="web", url=server.url),))
    p95 = next(f for f in findings if f.subject == "web: response time")
    assert 1 < p95.value <= 8
    assert p95.severity is WARNING
    tight = ask(
        "services", *samples, services=(Service(name="web", url=server.url),), limits=Limits(response_seconds=1)
    )
    assert subjects(tight)["web: response time"] is CRITICAL


def test_failed_probes_leave_no_response_time(ask, server, worlds):
    samples = worlds.sampled("http_up", [0] * 100, "web")
    found = subjects(ask("services", samples, services=(Service(name="web", url=server.url),)))
    assert found["web: last 24 hours"] is CRITICAL
    assert found["web: response time"] is UNKNOWN


def process(findings, name="web"):
    return next(finding for finding in findings if finding.subject == f"{name}: process")


def test_a_running_process_is_found_by_its_name(ask, tmp_path):
    program = tmp_path / "steady-service"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "30"]) as running:
        finding = process(ask("services", services=(Service(name="web", process="steady-service"),)))
        running.kill()
    assert (finding.severity, finding.evidence["pids"]) == (OK, [running.pid])


def test_a_python_service_is_found_by_its_script(ask, tmp_path):
    script = tmp_path / "own-service.py"
    script.write_text("import time; time.sleep(30)\n")
    with subprocess.Popen([sys.executable, str(script)]) as running:
        finding = process(ask("services", services=(Service(name="web", process="own-service.py"),)))
        running.kill()
    assert finding.severity is OK


def test_the_script_that_looks_is_not_the_service(ask, tmp_path):
    """D37, D38: `pgrep -f project-health` counted cron's shell in /opt/project-health/scripts, and the script itself."""
    script = tmp_path / "project-health"
    script.write_text("#!/bin/sh\nsleep 30\n")
    script.chmod(0o755)
    with subprocess.Popen(["/bin/sh", str(script)], start_new_session=True) as shell:
        finding = process(ask("services", services=(Service(name="web", process="project-health"),)))
        os.killpg(shell.pid, 9)
    assert (finding.severity, finding.value) == (CRITICAL, 0)


def test_a_zombie_does_not_run(ask, tmp_path):
    program = tmp_path / "short-lived"
    program.symlink_to("/bin/true")
    with subprocess.Popen([str(program)]):
        time.sleep(0.2)
        assert process(ask("services", services=(Service(name="web", process="short-lived"),))).severity is CRITICAL


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("LoadState=loaded\nActiveState=active\nSubState=running", OK),
        ("LoadState=loaded\nActiveState=failed\nSubState=failed", CRITICAL),
        ("LoadState=loaded\nActiveState=inactive\nSubState=dead", CRITICAL),
        ("LoadState=loaded\nActiveState=activating\nSubState=auto-restart", WARNING),
        ("LoadState=not-found\nActiveState=inactive\nSubState=dead", UNKNOWN),
    ],
)
def test_what_systemd_says_of_a_unit(ask, tmp_path, monkeypatch, said, severity):
    """The answers of `systemctl show`, by a stand-in for the program: a unit that is not known is not a stopped one."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (finding,) = ask("services", services=(Service(name="web", unit="web"),))
    assert finding.severity is severity


def test_where_systemd_is_not_in_charge_the_process_tells(ask, tmp_path, monkeypatch):
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'System has not been booted with systemd' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (finding,) = ask("services", services=(Service(name="web", unit="web", process="no-such-process"),))
    assert (finding.subject, finding.severity) == ("web: process", CRITICAL)


def test_a_unit_that_systemd_cannot_tell_of_is_unknown(ask):
    (finding,) = ask("services", services=(Service(name="web", unit="no-such-unit-anywhere"),))
    assert finding.severity is UNKNOWN
    assert finding.hint


def test_a_service_with_nothing_to_ask_is_unknown(ask):
    (finding,) = ask("services", services=(Service(name="web"),))
    assert finding.severity is UNKNOWN
