"""The monthly audit on a host without a fault, with each fault planted, and with each probe blinded."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from planning_worlds import SECURITY, Tools, certificate, sound_root, stanza

import healthkit as hk
from healthkit.audits import LIMIT, SHARES, questions
from healthkit.config import Application, Config
from healthkit.config import Security as Allowed
from healthkit.findings import Severity
from healthkit.scores import Scale, weigh

pytestmark = [
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl"),
    pytest.mark.skipif(os.geteuid() != 0, reason="looks as root"),
]
BAD = (Severity.WARNING, Severity.CRITICAL)
EVERY = tuple(f"{port}/{kind}" for port in range(1, 65536) for kind in ("tcp", "udp"))


class Host:
    """What is audited."""

    def __init__(self, top):
        self.root, self.home = top / "root", top / "home"
        self.app, self.etc = top / "opt", top / "etc"
        self.tools = Tools()
        self.closing = ExitStack()
        self.ports = EVERY
        sound_root(self.root)
        (self.app / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
        self.etc.mkdir()
        (self.etc / "production.yaml").write_text("a: 1\n")
        certificate(self.etc / "server.pem", 90)

    def audit(self, *, after=timedelta(0)):
        application = Application(directory=str(self.app), config=str(self.etc))
        config = Config(host="web-1", application=application, security=Allowed(ports=self.ports))
        now = datetime.now(UTC) + after
        return hk.run("security_audit", self.home, config=config, now=now, root=str(self.root), run=self.tools)

    def write(self, path, mode, text="x"):
        path.write_text(text)
        path.chmod(mode)


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    with host.closing:
        yield host


def score(run):
    return run.steps[7].evidence


def lost(run):
    """Deductions of the questions, and those of the caps."""
    parts = {c["name"]: c["deductions"] for c in score(run)["components"]}
    caps = parts.pop("caps")
    return [line for lines in parts.values() for line in lines], caps


def test_a_host_without_a_fault_has_every_point(host):
    run = host.audit()
    assert [step.name for step in run.steps[:7]] == list(SHARES)
    assert score(run)["overall_score"] == 100
    assert score(run)["coverage"] == 1
    assert {f.check for f in run.findings} >= set(questions())
    assert run.exit_code == 0


def writable_folder(host):
    """D49: `find -type f` does not find a directory."""
    (host.app / "open").mkdir()
    (host.app / "open").chmod(0o777)


def readable_key(host):
    """D23: `-ls` bound to the last name only, so that *.key was never listed."""
    host.write(host.etc / "server.key", 0o644)


def set_uid_file(host):
    host.write(host.app / "helper", 0o4755)


def unknown_set_uid_program(host):
    host.write(host.root / "usr/bin/mine", 0o4755)


def open_port(host):
    """D48: grep for 8080 also finds 18080."""
    port = host.closing.enter_context(socket.create_server(("0.0.0.0", 0))).getsockname()[1]
    host.ports = tuple(one for one in EVERY if one != f"{port}/tcp")


def ending_certificate(host):
    """D24: dates without a file's name, of the first five roots, compared with nothing."""
    certificate(host.etc / "server.pem", 5)


def pending_updates(host):
    packages = host.root / f"var/lib/apt/lists/{SECURITY}_main_binary-amd64_Packages"
    packages.write_text("\n".join(stanza(name, "1.1") for name in ("openssl", "bash", "zlib")))


def second_root(host):
    host.write(host.root / "etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n")


def root_without_password(host):
    (host.root / "etc/sudoers.d").mkdir()
    host.write(host.root / "etc/sudoers.d/mine", 0o440, "anna ALL=(ALL) NOPASSWD: ALL\n")


def no_filter(host):
    host.tools.answers["nft"] = {"nftables": []}


def shared_configuration(host):
    host.write(host.etc / "production.yaml", 0o664)
    os.chown(host.etc / "production.yaml", 0, 33)


def vulnerable_package(host):
    bad = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"]}]}
    host.tools.answers["pip_audit"] = {"dependencies": [bad]}


def many_failed_logins(host):
    now = datetime.now(UTC)
    line = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S+00:00} h sshd[7]: Failed password for root from 192.0.2.1 port 22 ssh2\n"
    (host.root / "var/log/auth.log").write_text(line * 101)


FAULTS = [
    (writable_folder, "writable"), (readable_key, "secrets"), (set_uid_file, "set_id"), (open_port, "ports"),
    (ending_certificate, "certificates"), (pending_updates, "updates"), (second_root, "accounts"),
    (root_without_password, "accounts"), (no_filter, "firewall"), (shared_configuration, "settings"),
    (vulnerable_package, "vulnerabilities"), (many_failed_logins, "logins"), (unknown_set_uid_program, "set_id"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "question"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_is_found_and_deducted_exactly_once(host, plant, question):
    plant(host)
    run = host.audit()
    bad = [f for f in run.findings.of(*BAD) if f.check != "security_audit"]
    assert [f.check for f in bad] == [question]
    lines, caps = lost(run)
    assert [line["check"] for line in lines] == [question]
    assert 100 - sum(line["points"] for line in (*lines, *caps)) == score(run)["overall_score"]
    assert score(run)["coverage"] == 1, "a fault is an answer"
    if bad[0].severity is Severity.CRITICAL:
        assert score(run)["overall_score"] < 80, "where an alarm is raised"


def test_all_faults_together_are_all_deducted(host):
    """D50: two of eight sections were scored, and the floor was 50."""
    for plant, _ in FAULTS:
        if plant is not root_without_password:
            plant(host)
    run = host.audit()
    assert {line["check"] for line in lost(run)[0]} == set(questions())
    assert score(run)["overall_score"] < 50
    assert run.exit_code == 2


def removed(*names):
    def remove(host, _):
        for name in names:
            path = host.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def gone(name):
    return lambda host, _: host.tools.without.add(name)


BLINDED = {
    "updates": removed("var/lib/apt/lists"),
    "accounts": removed("etc/passwd"),
    "set_id": removed("var/lib/dpkg/info"),
    "writable": lambda host, _: shutil.rmtree(host.app),
    "ports": lambda host, patch: patch.setattr(psutil, "PROCFS_PATH", str(host.root / "proc")),
    "firewall": gone("nft"),
    "logins": removed("var/log/auth.log"),
    "certificates": gone("openssl"),
    "secrets": removed("etc/shadow", "etc/ssh"),
    "settings": lambda host, _: shutil.rmtree(host.etc),
    "vulnerabilities": gone("pip_audit"),
}


@pytest.mark.parametrize("question", sorted(questions()))
def test_a_blinded_probe_is_unknown_lowers_the_coverage_and_caps(host, question, monkeypatch):
    """D50: a `find` that failed found nothing, which was a score of 100."""
    BLINDED[question](host, monkeypatch)
    run = host.audit()
    assert question in {f.check for f in run.findings.of(Severity.UNKNOWN)}
    assert score(run)["coverage"] < 1
    assert score(run)["overall_score"] < 80, "where an alarm is raised"
    assert any(line["check"] == question for line in lost(run)[0])


def test_a_question_that_is_not_asked_costs_as_much(host):
    run = host.audit()
    scale = Scale(questions(), SHARES, dict.fromkeys(SHARES, LIMIT))
    for question in questions():
        left = weigh([f for f in run.findings if f.check in questions() and f.check != question], scale)
        assert left.coverage < 1
        assert left.value <= LIMIT


def test_what_changed_since_last_month(host):
    host.audit()
    set_uid_file(host)
    home = host.root / "etc/passwd"
    home.write_text(home.read_text() + "bob:x:1001:1001::/home/bob:/bin/sh\n")
    run = host.audit(after=timedelta(days=31))
    found = next(step for step in run.steps if step.name == "changes").evidence
    assert [line.partition(":")[0] for line in found["new"]] == ["set_id"]
    assert "accounts: users: bob" in found["appeared"]
    assert any(line.endswith("helper") for line in found["appeared"])
    (host.app / "helper").unlink()
    found = next(s for s in host.audit(after=timedelta(days=62)).steps if s.name == "changes").evidence
    assert [line.partition(":")[0] for line in found["gone"]] == ["set_id"]
    assert found["vanished"]


def test_the_text_has_eight_sections_one_score_and_every_deduction(host):
    """D02: the runbook's grep for the score found two numbers, so that its alarm could never ring."""
    writable_folder(host)
    run = host.audit()
    path = host.home / f"security-audits/security-audit-{datetime.now(UTC):%Y-%m}.txt"
    text = path.read_text()
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == list("12345678")
    assert [float(n) for n in re.findall(r"^Security Score: ([\d.]+)/100$", text, re.MULTILINE)] == [
        score(run)["overall_score"]
    ]
    assert str(host.app / "open") in text
    for line in (*lost(run)[0], *lost(run)[1]):
        assert f"-{line['points']:g}  {line['check']}" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    body = json.loads(path.with_suffix(".json").read_text())
    assert body["score"]["overall_score"] == score(run)["overall_score"]
    low = next(f for f in run.findings if f.subject == "security score")
    assert low.severity is Severity.WARNING, "below 80 an alarm is raised"


def test_a_planted_link_is_replaced_and_not_followed(host, tmp_path):
    """D25: results went to a name in /tmp that anyone could make a link to /etc/passwd of."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = host.home / "security-audits"
    folder.mkdir(parents=True)
    (folder / f"security-audit-{datetime.now(UTC):%Y-%m}.txt").symlink_to(victim)
    host.audit()
    assert victim.read_text() == "mine"


def test_a_hostile_name_is_shown_and_not_obeyed(host):
    host.write(host.app / "a\n8. SECURITY\x1b[2J.key", 0o644)
    host.audit()
    text = next((host.home / "security-audits").glob("*.txt")).read_text()
    assert "\x1b" not in text
    assert len(re.findall(r"^8\. ", text, re.MULTILINE)) == 1


def test_worse_never_raises_the_score(host):
    findings = [f for f in host.audit().findings if f.check in questions()]
    scale = Scale(questions(), SHARES, dict.fromkeys(SHARES, LIMIT))
    best = weigh(findings, scale).value
    for i, finding in enumerate(findings):
        worse = [replace(finding, severity=s) for s in (Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN)]
        values = [weigh([*findings[:i], one, *findings[i + 1 :]], scale).value for one in worse]
        assert best >= values[0] >= values[1] >= values[2], finding
