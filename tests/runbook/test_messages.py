"""Alerts and reports of the old scripts: on disk within seconds, whoever listens."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import sqlite3
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from smtp_server import Server

from healthkit.state import State

MAIL = "mail: {{host: 127.0.0.1, port: {port}, security: none, recipients: {{operators: [ops@example.org]}}}}\n"


def alerts(old):
    with State(old.home) as state:
        return state.records("alerts")


@pytest.fixture
def silent():
    """A server that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def take():
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        for connection in taken:
            connection.close()


def test_an_alert_without_any_transport_is_in_the_log_and_said_to_be_there_only(old):
    done = old("--send-alert", "--message", "Score 71 below\x1b[31m\nthreshold", "--severity", "warning")
    assert (done.code, done.out) == (0, "")
    assert "nobody was told" in done.err
    (row,) = alerts(old)
    assert (row["severity"], row["message"]) == ("warning", "Score 71 below [31m threshold")


def test_an_alert_of_an_incident_carries_its_number(old):
    old("--send-alert", "--message", "down", "--severity", "critical", "--incident-id", "INC-20261124-060000")
    (row,) = alerts(old)
    assert row["detail"]["labels"] == {"incident": "INC-20261124-060000"}


@pytest.mark.parametrize("severity", ["warning", "high", "critical"])
def test_an_alert_is_mailed(old, tmp_path, severity):
    server = Server(tmp_path / "smtp").start(tls="none", login=False)
    try:
        old.configure("host: web-1\n" + MAIL.format(port=server.port))
        done = old("--send-alert", "--message", "No backups found", "--severity", severity)
        assert (done.code, done.out) == (0, "")
        assert "mail: delivered" in done.err
        (told,) = server.messages()
        assert "No backups found" in told["content"]
    finally:
        server.stop()


def test_an_alert_is_back_within_five_seconds_from_a_server_that_hangs_and_a_database_that_is_locked(old, silent):
    old.configure(
        f"host: web-1\nalerting: {{webhook: 'http://127.0.0.1:{silent}/', timeout: 30}}\n" + MAIL.format(port=silent)
    )
    with State(old.home):
        pass
    with closing(sqlite3.connect(old.home / "health.db", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        done = old("--send-alert", "--message", "hello", "--severity", "critical")
        assert time.monotonic() - began < 5
    assert done.code == 0
    (file,) = (old.home / "notifications/webhook").glob("*.json")
    assert json.loads(file.read_text())["notification"]["message"] == "hello"
    assert [*(old.home / "notifications/mail").glob("*.json"), *(old.home / "outbox").glob("*.eml")]


def test_an_alert_that_nobody_can_be_told_of_says_so(old):
    old.configure("hosst: typo\n")
    done = old("--send-alert", "--message", "hello")
    assert done.code == 78
    assert "hosst" in done.err
    assert [row["message"] for row in alerts(old)] == ["hello"]


def test_an_alert_that_can_be_kept_nowhere_is_a_failure(old):
    (old.home / "config/healthkit.yaml").unlink()
    (old.home / "config").rmdir()
    old.home.rmdir()
    old.home.write_text("a file where the home should be")
    assert old("--send-alert", "--message", "hello").code != 0


def test_an_alert_that_cannot_be_kept_is_told_all_the_same(old):
    """On a full disk the message matters most."""
    taken = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        old.configure(f"host: web-1\nalerting: {{webhook: 'http://127.0.0.1:{server.server_port}/'}}\n")
        (old.home / "notifications").write_text("a file where the folder should be")
        done = old("--send-alert", "--message", "the disk is full", "--severity", "critical")
        server.shutdown()
    assert (done.code, done.err) == (0, "webhook: delivered\n")
    assert [body["message"] for body in taken] == ["the disk is full"]
    assert old("--send-alert", "--message", "nobody listens").code != 0


REPORT = "# Weekly System Review - 2026-W47\n\n## Health Metrics\n\n| a | b |\n| --- | --- |\n| 1 | <img src=x onerror=alert(1)> |\n"


def test_a_report_is_mailed_once_to_each_recipient_as_text_page_and_file(old, tmp_path):
    server = Server(tmp_path / "smtp").start(tls="none", login=False)
    file = tmp_path / "system-review-2026-W47.md"
    file.write_text(REPORT)
    try:
        old.configure("host: web-1\n" + MAIL.format(port=server.port))
        for _ in range(2):
            done = old("--send-report", file, "--recipients", "a@example.org, b@example.org,")
            assert (done.code, done.out) == (0, "")
        assert sorted(told["to"][0] for told in server.messages()) == ["a@example.org", "b@example.org"]
        message = email.message_from_string(server.messages()[0]["content"], policy=email.policy.default)
        assert message["Subject"] == "Weekly System Review - 2026-W47"
        assert message.get_body(("plain",)).get_content().splitlines() == REPORT.splitlines()
        page = message.get_body(("html",)).get_content()
        assert "<table>" in page
        assert "<img" not in page
        assert [part.get_filename() for part in message.iter_attachments()] == [file.name]
    finally:
        server.stop()


def test_a_report_waits_in_the_outbox_where_no_server_answers(old, tmp_path, silent):
    file = tmp_path / "review.md"
    file.write_text(REPORT)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for port_ in (port, silent):
        old.configure("host: web-1\n" + MAIL.format(port=port_))
        began = time.monotonic()
        done = old("--send-report", file, "--recipients", f"a{port_}@example.org")
        assert time.monotonic() - began < 5
        assert done.code == 0
        assert f"queued for a{port_}@example.org" in done.err
    assert len(list((old.home / "outbox").glob("*.eml"))) == 2


def test_a_report_does_not_wait_for_a_process_that_is_delivering(old, tmp_path):
    """Another one holds the outbox while it talks to a slow server: the message is safe all the same."""
    from healthkit.reports import files

    file = tmp_path / "review.md"
    file.write_text(REPORT)
    with files.locked(old.home / "outbox"):
        began = time.monotonic()
        assert old("--send-report", file, "--recipients", "a@example.org").code == 0
        assert time.monotonic() - began < 5
        assert len(list((old.home / "outbox").glob("*.eml"))) == 1


@pytest.mark.parametrize(
    ("recipients", "name"), [("nobody", "review.md"), ("", "review.md"), ("a@example.org", "missing.md")]
)
def test_a_report_that_cannot_be_sent_at_all_exits_64(old, tmp_path, recipients, name):
    (tmp_path / "review.md").write_text(REPORT)
    done = old("--send-report", tmp_path / name, "--recipients", recipients)
    assert done.code == 64
    assert not list(old.home.glob("outbox/*"))


def test_the_round_of_alerts_sends_what_waits_in_the_outbox(old, tmp_path):
    from healthkit.cli.main import main

    (tmp_path / "review.md").write_text(REPORT)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    old.configure("host: web-1\n" + MAIL.format(port=port))
    old("--send-report", tmp_path / "review.md", "--recipients", "a@example.org")
    for record in (old.home / "outbox").glob("*.json"):  # its next try is due
        record.write_text(json.dumps(json.loads(record.read_text()) | {"next": "2026-01-01T00:00:00+00:00"}))
    server = Server(tmp_path / "smtp").start(tls="none", login=False)
    try:
        old.configure("host: web-1\n" + MAIL.format(port=server.port))
        main(["alert", "check", "--home", str(old.home)])
        assert "a@example.org" in [told["to"][0] for told in server.messages()]
    finally:
        server.stop()
