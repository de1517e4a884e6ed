"""The whole path on this machine: collect, compact, report, mail, with real parts only."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import psutil
import pytest
from smtp_server import PASSWORD, USER, Server

import healthkit as hk
from healthkit.cli.main import main
from healthkit.config import config_path

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("spine")]


def healthkit(home, *arguments, **environment):
    env = os.environ | {"HEALTHKIT_HOME": str(home)} | environment
    command = [sys.executable, "-P", "-m", "healthkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A home with some seconds of this machine, reported and mailed over STARTTLS with a login."""
    home = tmp_path_factory.mktemp("home")
    server = Server(tmp_path_factory.mktemp("smtp")).start(tls="starttls", login=True)
    assert healthkit(home, "init").returncode == 0
    mail = {
        "host": "localhost",
        "port": server.port,
        "user": USER,
        "ca_file": server.ca_file,
        "sender": "hk@example.org",
    }
    with config_path(home).open("a") as file:
        file.write(f"\nmail: {json.dumps(mail)}\n")
    collected = healthkit(home, "collect", "--every", "0.5s", "--for", "6s")
    assert collected.returncode == 0, collected.stderr
    secret = {"HEALTHKIT_SMTP_PASSWORD": PASSWORD}
    report = healthkit(home, "report", "weekly", "--to", "ops@example.org", "--format", "json", **secret)
    server.stop()
    return home, report, server.messages()


def test_the_report_is_made_and_sent(live):
    _, report, messages = live
    assert report.returncode == 0, report.stderr
    made = json.loads(report.stdout)
    assert set(made) >= {
        "name",
        "period",
        "host",
        "html",
        "notebook",
        "text",
        "score",
        "worst",
        "findings",
        "seconds",
        "sent_to",
    }
    assert made["sent_to"] == ["ops@example.org"]
    assert len(messages) == 1
    assert messages[0]["tls"]
    assert messages[0]["login"]


def test_the_mail_is_a_good_citizen(live):
    _, _, messages = live
    message = email.message_from_string(messages[0]["content"], policy=email.policy.default)
    for header in ("Message-ID", "Date", "Subject"):
        assert message[header]
    assert message["Auto-Submitted"] == "auto-generated"
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds.index("text/plain") < kinds.index("text/html")
    html = message.get_body(("html",)).get_content()
    assert not re.search(r"<svg|src=['\"]?(?!cid:)|url\(", html)
    assert len(html) < 60_000


def test_it_says_that_seconds_are_not_a_week_and_forecasts_nothing(live):
    _, report, _ = live
    text = Path(json.loads(report.stdout)["text"]).read_text(encoding="utf-8")
    assert "so far" in text
    assert "too little to call anything healthy" in text
    assert "Could not be told (" in text
    assert "reaches" not in text


def test_the_numbers_are_those_of_this_host(live):
    home, _, _ = live
    data = hk.load(home)
    last = data.groupby(["metric", "device"], observed=True)["value"].last()
    memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
    assert last["memory_total_bytes", ""] == memory.total
    assert last["memory_available_bytes", ""] == pytest.approx(memory.available, rel=0.2)
    assert last["disk_total_bytes", "/"] == disk.total
    assert last["disk_used_ratio", "/"] == pytest.approx(disk.percent / 100, abs=0.02)
    assert last["cpu_count", ""] == psutil.cpu_count()
    assert data.groupby("metric", observed=True).ngroups >= 60


def test_the_password_is_nowhere(live):
    home, report, messages = live
    assert PASSWORD not in report.stdout + report.stderr + messages[0]["content"]
    for path in home.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_an_unknown_parameter_exits_64_before_any_cell_runs(live):
    home, _, _ = live
    before = sorted((home / "reports").rglob("*"))
    done = healthkit(home, "report", "weekly", "-p", "dayz", "7")
    assert done.returncode == 64
    assert "dayz" in done.stderr
    assert "period" in done.stderr
    assert sorted((home / "reports").rglob("*")) == before


@pytest.mark.notebook
def test_plain_papermill_with_the_stock_engine(live, tmp_path):
    home, _, _ = live
    period = hk.review(home, "weekly").period.label
    notebook = files("healthkit.notebooks").joinpath("weekly.ipynb")
    command = [sys.executable, "-P", "-m", "papermill", "--no-progress-bar", str(notebook), str(tmp_path / "out.ipynb")]
    subprocess.run([*command, "-p", "home", str(home), "-p", "period", period], check=True, capture_output=True)
    assert period in (tmp_path / "out.ipynb").read_text()


def test_the_store_is_sound(live):
    home, _, _ = live
    assert main(["store", "verify", "--home", str(home)]) == 0
