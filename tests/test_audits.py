"""Questions that only the audit asks: the firewall as nft and iptables tell it, users, and who brought a set-uid file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from planning_worlds import sound_root

from healthkit.audits import questions
from healthkit.checks import Context, ask
from healthkit.checks._context import NOT_INSTALLED, run_tool
from healthkit.config import Config
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


@pytest.fixture
def judge(tmp_path):
    def judge(name, run=run_tool):
        context = Context(tmp_path, Config(host="web-1"), root=str(tmp_path / "root"), run=run)
        return ask([questions()[name]], context, seconds=10)

    return judge


def saying(**programs):
    """Programs that print what is given, or fail with (code, message); others are not installed."""

    def run(args, *, timeout, stdin=""):
        if args[0] not in programs:
            raise FileNotFoundError(2, NOT_INSTALLED, args[0])
        said = programs[args[0]]
        code, out, err = (said[0], "", said[1]) if isinstance(said, tuple) else (0, said, "")
        return subprocess.CompletedProcess(args, code, out, err)

    return run


def chain(name, **more):
    return {"chain": {"family": "inet", "table": "t", "name": name, **more}}


def rule(name, *expr):
    return {"rule": {"family": "inet", "table": "t", "chain": name, "expr": list(expr)}}


def nft(*items):
    return json.dumps({"nftables": list(items)})


INPUT = chain("in", hook="input", policy="accept")
JUMP = {"jump": {"target": "guard"}}
DROP = {"drop": None}


@pytest.mark.parametrize(
    ("items", "severity"),
    [
        ((), WARNING),
        ((INPUT,), WARNING),
        ((chain("in", hook="input", policy="drop"),), OK),
        ((INPUT, rule("in", DROP)), OK),
        ((INPUT, chain("guard"), rule("in", JUMP), rule("guard", {"reject": None})), OK),
        ((INPUT, chain("guard"), rule("guard", DROP)), WARNING),  # nothing leads there
        ((chain("out", hook="output", policy="drop"), rule("out", DROP)), WARNING),
        ((INPUT, rule("in", {"counter": None}, {"accept": None})), WARNING),
    ],
)
def test_what_nft_says(judge, items, severity):
    (found,) = judge("firewall", saying(nft=nft(*items)))
    assert found.severity is severity, found.message


@pytest.mark.parametrize(
    ("four", "six", "severity"),
    [
        ("-P INPUT DROP\n", "-P INPUT DROP\n", OK),
        ("-P INPUT ACCEPT\n-A INPUT -p tcp -j REJECT\n", "-P INPUT DROP\n", OK),
        ("-P INPUT DROP\n", "-P INPUT ACCEPT\n", WARNING),  # what IPv4 refuses, IPv6 lets in
        ("-P INPUT ACCEPT\n-A FORWARD -j DROP\n", "-P INPUT DROP\n", WARNING),
    ],
)
def test_what_iptables_says(judge, four, six, severity):
    (found,) = judge("firewall", saying(iptables=four, ip6tables=six, ufw="Status: active\n"))
    assert found.severity is severity
    assert "ufw is active" in found.message


@pytest.mark.parametrize(
    "programs",
    [{}, {"nft": (1, "Operation not permitted (you must be root)")}, {"nft": "no JSON"}, {"ufw": "Status: inactive\n"}],
)
def test_rules_that_cannot_be_read_are_unknown(judge, programs):
    """The runbook: 'UFW not installed', and nothing follows from it."""
    (found,) = judge("firewall", saying(**programs))
    assert found.severity is UNKNOWN
    assert found.evidence["tried"]


@pytest.mark.skipif(not shutil.which("nft", path="/usr/sbin:/sbin"), reason="needs nftables")
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
@pytest.mark.parametrize(
    ("rules", "severity"),
    [
        ("", WARNING),
        ("table inet t { chain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }; }", OK),
        ("table ip t { chain g { drop; }; chain in { type filter hook input priority 0; tcp dport 23 jump g; }; }", OK),
        ("table ip t { chain in { type filter hook input priority 0; tcp dport 23 accept; }; }", WARNING),
    ],
)
def test_the_real_nft_in_a_namespace_of_its_own(judge, rules, severity):
    def run(args, *, timeout, stdin=""):
        if args[0] != "nft":
            raise FileNotFoundError(2, NOT_INSTALLED, args[0])
        script = 'PATH=$PATH:/usr/sbin; printf %s "$0" | nft -f - && exec "$@"'
        return run_tool(["unshare", "--net", "sh", "-c", script, rules, *args], timeout=timeout)

    (found,) = judge("firewall", run)
    assert found.severity is severity, found.message


@pytest.fixture
def root(tmp_path):
    sound_root(tmp_path / "root")
    return tmp_path / "root"


def by_subject(found):
    return {finding.subject: finding for finding in found}


def test_a_sound_host_s_users(judge, root):
    found = by_subject(judge("accounts"))
    assert {f.severity for f in found.values()} == {OK}
    assert found["users"].evidence["with_shell"] == ["anna", "root"]
    assert "anna" in found["sudo"].message, "who is in group sudo may become root"


@pytest.mark.parametrize(
    ("file", "text", "mode", "subject", "severity"),
    [
        ("etc/passwd", "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n", 0o644, "users", CRITICAL),
        ("etc/shadow", "anna::1::::::\n", 0o640, "passwords", CRITICAL),
        ("etc/shadow", "www::1::::::\n", 0o640, "passwords", OK),  # cannot log in anyway
        ("etc/sudoers", "root ALL=(ALL) ALL\n", 0o666, "sudo", CRITICAL),
        ("etc/sudoers", "anna ALL=(ALL) NOPASSWD: ALL\n", 0o440, "sudo", WARNING),
        ("etc/sudoers", "# anna ALL=(ALL) NOPASSWD: ALL\n", 0o440, "sudo", OK),
    ],
)
def test_users_passwords_and_sudo(judge, root, *, file, text, mode, subject, severity):
    (root / file).write_text(text)
    (root / file).chmod(mode)
    assert by_subject(judge("accounts"))[subject].severity is severity


def test_a_set_uid_program_of_a_package_is_expected(judge, root):
    """The package says /bin/su; today /bin is /usr/bin."""
    (found,) = judge("set_id")
    assert found.severity is OK
    assert found.value == 0
    assert found.evidence["inventory"] == [str(root / "usr/bin/su")]


def test_links_and_other_devices_are_not_followed(judge, root, tmp_path):
    (tmp_path / "else").mkdir(mode=0o777)
    (tmp_path / "else").chmod(0o777)
    (root / "etc/else").symlink_to(tmp_path / "else")
    (found,) = judge("writable")
    assert found.severity is OK


def test_a_sticky_folder_may_be_everybody_s(judge, root):
    (root / "var/tmp").mkdir()
    (root / "var/tmp").chmod(0o1777)
    assert judge("writable")[0].severity is OK
    (root / "var/tmp").chmod(0o777)
    assert judge("writable")[0].severity is CRITICAL
