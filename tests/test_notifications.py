"""Notifications against real servers: they arrive, once, in order, or wait on disk until they do."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from faults import needs_strace
from faults import run as run_with
from smtp_server import PASSWORD, USER, Server

from healthkit.alerts.notifications import NotDeliveredError, Notification, deliver, queue, waiting
from healthkit.alerts.transports import alertmanager, apprise, mail, webhook
from healthkit.cli.main import main
from healthkit.config import config_path, parse_config
from healthkit.state import State

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def notification(name="Load", status="firing", message="load is 5", **more):
    return Notification(
        name, "web-1", status, "high", message, **({"at": NOW, "starts": NOW, "ends": NOW + DAY} | more)
    )


class Hook(http.server.ThreadingHTTPServer):
    """Answers with `answers` in turn, then 200; keeps what it was sent."""

    def __init__(self, answers=(), pause=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.pause, self.got = list(answers), pause, []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook/s3cret"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        time.sleep(self.server.pause)
        code = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - as the standard library calls it

    def log_message(self, *_):
        pass


@contextmanager
def hook(**more):
    server = Hook(**more)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_that_fails_and_recovers_gets_it_once_and_in_order(tmp_path):
    with hook(answers=[500, 503, 500]) as server:
        ways = {"webhook": webhook.transport(server.url, token="t0ken", timeout=5)}  # noqa: S106 - of a test
        queue(tmp_path, notification(), ways)
        queue(tmp_path, notification(), ways)  # handed in twice, sent once
        queue(tmp_path, notification(status="resolved"), ways)
        first = deliver(tmp_path, ways, now=NOW)
        assert [(o.status, o.tries) for o in first] == [("waiting", 3), ("waiting", 0)]
        assert first[0].reason == "127.0.0.1 answered 500"
        second = deliver(tmp_path, ways, now=NOW)
        assert [(o.status, o.tries) for o in second] == [("delivered", 4), ("delivered", 1)]
        assert waiting(tmp_path) == []
        assert [body["status"] for _, _, body in server.got] == ["firing"] * 4 + ["resolved"]
        _, headers, body = server.got[-1]
        assert headers["Authorization"] == "Bearer t0ken"
        assert (body["name"], body["message"], body["starts"]) == ("Load", "load is 5", "2026-11-23T06:00:00+00:00")


def test_one_transport_that_is_down_holds_up_no_other(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent, hook() as server:  # accepts, and never answers
        dead = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        ways = {"alertmanager": alertmanager.transport(dead, timeout=30), "webhook": webhook.transport(server.url)}
        queue(tmp_path, notification(), ways)
        start = time.monotonic()
        outcomes = {o.transport: o.status for o in deliver(tmp_path, ways, now=NOW, seconds=1)}
        assert time.monotonic() - start < 5
        assert outcomes == {"alertmanager": "waiting", "webhook": "delivered"}


def test_what_is_refused_for_good_is_dropped_and_what_is_old_given_up(tmp_path):
    with hook(answers=[404, 302, 429]) as server:
        ways = {"webhook": webhook.transport(server.url)}
        queue(tmp_path, notification(), ways)
        assert [(o.status, o.reason) for o in deliver(tmp_path, ways, now=NOW, tries=1)] == [
            ("refused", "127.0.0.1 answered 404")
        ]
        queue(tmp_path, notification(), ways)
        assert [o.status for o in deliver(tmp_path, ways, now=NOW, tries=1)] == [
            "waiting"
        ]  # a redirect is not followed
        (outcome,) = deliver(tmp_path, ways, now=NOW + 6 * DAY, tries=1)
        assert (outcome.status, outcome.reason) == ("refused", "given up after 5 days: 127.0.0.1 answered 429")


def test_no_secret_of_an_address_is_shown_and_no_proxy_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    with hook(answers=[200, 500]) as server:
        send = webhook.transport(server.url)
        send(notification())
        with pytest.raises(NotDeliveredError) as caught:
            send(notification())
        assert "s3cret" not in str(caught.value)
    with pytest.raises(NotDeliveredError) as caught:
        webhook.transport("http://nobody.invalid/s3cret", timeout=2)(notification())
    assert "s3cret" not in str(caught.value)


def test_a_damaged_file_is_kept_and_holds_up_nothing(tmp_path):
    with hook() as server:
        ways = {"webhook": webhook.transport(server.url)}
        queue(tmp_path, notification(), ways)
        damaged = tmp_path / "notifications" / "webhook" / "0-x.json"
        damaged.write_text('{"notification": {"na')
        assert [o.status for o in deliver(tmp_path, ways, now=NOW)] == ["delivered"]
        assert damaged.exists()


def test_alertmanager_gets_labels_and_rfc3339_times():
    body = alertmanager.alert(notification(labels={"team": "storage", "severity": "x"}))
    assert body["labels"] == {"team": "storage", "alertname": "Load", "severity": "high", "instance": "web-1"}
    assert (body["startsAt"], body["endsAt"]) == ("2026-11-23T06:00:00.000Z", "2026-11-24T06:00:00.000Z")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own imports
def test_apprise_is_an_extra_that_says_so():
    try:
        import apprise as _  # noqa: F401
    except ImportError:
        with pytest.raises(NotDeliveredError, match=r"pip install 'project-healthkit\[apprise\]'"):
            apprise.transport(["json://127.0.0.1/"])(notification())
    else:
        with hook() as server:
            apprise.transport([server.url.replace("http://", "json://")])(notification())
            assert server.got[0][2]["message"] == "load is 5"


def test_the_mail_is_plain_has_one_id_and_no_control_characters():
    config = parse_config("host: web-1\nmail: {recipients: {operators: [ops@example.org]}}\n")
    message = mail.compose(notification(message="a\nBcc: x@example.org\x1b[31m"), config)
    assert message["Subject"] == "[high] web-1 Load: a Bcc: x@example.org [31m"
    assert message["Bcc"] is None
    assert (
        message["Message-ID"]
        == mail.compose(notification(message="a\nBcc: x@example.org\x1b[31m"), config)["Message-ID"]
    )


def healthkit(home, *arguments):
    command = [sys.executable, "-P", "-m", "healthkit", *arguments, "--home", str(home)]
    environment = os.environ | {"HEALTHKIT_SMTP_PASSWORD": PASSWORD}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def configure(home, text):
    config_path(home).parent.mkdir(parents=True, exist_ok=True)
    config_path(home).write_text(f"host: web-1\n{text}")


def test_test_says_which_transports_work_and_send_is_queued_within_five_seconds(tmp_path):
    home, server = tmp_path / "home", Server(tmp_path / "smtp").start(login=True)
    with hook() as web, socket.create_server(("127.0.0.1", 0)) as silent:
        text = (
            f"mail: {{host: localhost, port: {server.port}, user: {USER}, ca_file: {server.ca_file}, recipients: {{operators: "
            f"[ops@example.org]}}}}\nalerting: {{webhook: '{web.url}', timeout: 3, alertmanager: '"
        )
        configure(home, f"{text}http://127.0.0.1:{silent.getsockname()[1]}'}}\n")
        try:
            tested = healthkit(home, "alert", "test", "--format", "json")
            worked = {row["transport"]: row["ok"] for row in json.loads(tested.stdout)}
            assert worked == {"mail": True, "webhook": True, "alertmanager": False}
            assert tested.returncode == 1
            assert "Subject: [info] web-1 HealthkitTest" in server.messages()[0]["content"]
            assert server.messages()[0]["login"]
            server.stop()
            start = time.monotonic()
            sent = healthkit(home, "alert", "send", "--message", "disk on fire", "--severity", "critical")
            taken = time.monotonic() - start
            assert sent.returncode == 0, sent.stderr
            assert taken < 5 or os.getloadavg()[0] > 2 * os.cpu_count()
            assert "s3cret" not in sent.stdout + sent.stderr
            assert web.got[-1][2]["message"] == "disk on fire"
            assert [o.transport for o in waiting(home)] == ["alertmanager"]
            assert list((home / "outbox").glob("*.eml"))  # the mail is safe in the outbox of the reports
            with State(home) as state:
                told = {row["transport"]: row["status"] for row in state.records("notifications")}
                assert told == {"mail": "delivered", "webhook": "delivered", "alertmanager": "waiting"}
                assert state.records("alerts")[0]["message"] == "disk on fire"
            listed = json.loads(healthkit(home, "alert", "list", "-f", "json").stdout)
            assert [row["transport"] for row in listed["waiting"]] == ["alertmanager"]
        finally:
            server.stop()


def test_silence_on_the_command_line(tmp_path):
    configure(tmp_path, "")
    assert healthkit(tmp_path, "alert", "silence", "NoSuchRule", "--for", "2h").returncode == 64
    assert healthkit(tmp_path, "alert", "silence", "BackupFailed").returncode == 64
    assert healthkit(tmp_path, "alert", "silence", "BackupFailed", "--for", "2h", "--reason", "moving").returncode == 0
    listed = json.loads(healthkit(tmp_path, "alert", "list", "-f", "json").stdout)
    assert [(s["name"], s["reason"]) for s in listed["silences"]] == [("BackupFailed", "moving")]
    assert [a["name"] for a in listed["alerts"] if a["silenced"]] == ["BackupFailed"]


def test_what_was_never_judged_is_unknown_and_not_inactive(tmp_path):
    configure(tmp_path, "")
    for command in ("list", "check"):
        heads, *rows = healthkit(tmp_path, "alert", command).stdout.splitlines()
        (row,) = (row for row in rows if "HealthScoreDeclined" in row)
        assert row.startswith("unknown ")
        assert "Cannot tell because" in heads


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("prometheus-alertmanager"), reason="needs Debian's prometheus-alertmanager")
def test_debian_s_alertmanager_receives_one_firing_and_one_resolved(tmp_path):
    with hook() as receiver, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        (tmp_path / "alertmanager.yml").write_text(
            "route: {receiver: hook, group_wait: 0s, group_interval: 1s, group_by: [alertname]}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{receiver.url}', send_resolved: true}}]}}]\n"
        )
        url = f"http://127.0.0.1:{port}"
        command = [
            "prometheus-alertmanager",
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            "--cluster.listen-address=",
        ]
        command += [f"--storage.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                wait_for(lambda: urllib.request.urlopen(f"{url}/-/ready", timeout=1).close() is None)
                ways, now = {"alertmanager": alertmanager.transport(url)}, datetime.now(UTC)
                queue(tmp_path, notification(at=now, starts=now, ends=now + DAY), ways)
                assert [o.status for o in deliver(tmp_path, ways, now=now)] == ["delivered"]
                with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
                    (there,) = json.load(answer)
                assert there["status"]["state"] in {"active", "unprocessed"}
                assert there["endsAt"] > (now + timedelta(hours=23)).isoformat()
                wait_for(lambda: len(receiver.got) == 1)
                over = datetime.now(UTC)
                queue(tmp_path, notification(status="resolved", at=over, starts=now, ends=over), ways)
                assert [o.status for o in deliver(tmp_path, ways, now=over)] == ["delivered"]
                wait_for(lambda: len(receiver.got) == 2)
                assert [body["status"] for _, _, body in receiver.got] == ["firing", "resolved"]
                assert all(len(body["alerts"]) == 1 for _, _, body in receiver.got)
            finally:
                process.terminate()
                process.wait(10)


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("call", ["fsync", "/rename.*", "unlink"])
def test_a_kill_at_any_moment_leaves_a_notification_whole_or_not_there(tmp_path, call):
    with hook() as server:
        configure(tmp_path, f"alerting: {{webhook: '{server.url}'}}\n")
        kept, code, n = set(), 1, 0
        while code and n < 40:
            n += 1
            command = ["alert", "send", "--message", f"m{n}", "--home", str(tmp_path)]
            code = run_with(main, command, inject=f"{call}:signal=KILL:when={n}").code
            files = list((tmp_path / "notifications" / "webhook").glob("*.json"))
            assert len(waiting(tmp_path)) == len(files)  # each can be read
            kept |= {outcome.notification.message for outcome in waiting(tmp_path)}
        assert n > 1
        assert code == 0
        for path in (tmp_path / "notifications" / "webhook").glob(".*.tmp"):
            os.utime(path, (0, 0))  # an hour later
        assert healthkit(tmp_path, "alert", "check").returncode == 0
        assert waiting(tmp_path) == []
        assert kept | {f"m{n}"} <= {body["message"] for _, _, body in server.got}
        assert not list((tmp_path / "notifications").rglob("*.tmp"))


def wait_for(condition, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError("did not happen in time")
