"""Permissions, ports, logins: real files, real sockets, lines as sshd writes them."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from healthkit.checks._context import Context, run_tool
from healthkit.checks.logins import _journal
from healthkit.config import Application, Security
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


@pytest.fixture
def application(tmp_path):
    folder = tmp_path / "opt"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts/run.sh").write_text("#!/bin/sh\n")
    config = tmp_path / "etc"
    config.mkdir()
    (config / "production.yaml").write_text("a: 1\n")
    for path in (folder, config, *folder.rglob("*"), *config.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder, config


@pytest.fixture
def permissions(ask, application):
    def permissions():
        folder, config = application
        found = ask("permissions", application=Application(directory=str(folder), config=str(config)))
        return {
            finding.subject.rpartition(": ")[2]: finding for finding in found if finding.subject.startswith(str(folder))
        }

    return permissions


def test_no_application_is_not_applicable(ask):
    (finding,) = ask("permissions")
    assert finding.evidence["applicable"] is False


def test_tidy(permissions):
    assert {finding.severity for finding in permissions().values()} == {OK}


def test_a_folder_that_anyone_may_write(permissions, application):
    """D49: `-type f` does not see folders: score 100."""
    (application[0] / "scripts").chmod(0o777)
    finding = permissions()["anyone may write"]
    assert (finding.severity, finding.value) == (CRITICAL, 1)
    assert finding.evidence["paths"] == [str(application[0] / "scripts")]


def test_the_top_folder_itself_counts(permissions, application):
    """D49."""
    application[0].chmod(0o777)
    assert permissions()["anyone may write"].severity is CRITICAL


def test_a_sticky_folder_is_like_tmp(permissions, application):
    (application[0] / "scripts").chmod(0o1777)
    assert permissions()["anyone may write"].severity is OK


def test_a_file_that_anyone_may_write(permissions, application):
    (application[0] / "scripts/run.sh").chmod(0o666)
    assert permissions()["anyone may write"].severity is CRITICAL


@pytest.mark.parametrize("name", ["tls.key", "tls.pem", "my_secret.txt", ".env", "id_rsa"])
def test_every_kind_of_secret_is_seen(permissions, application, name):
    """D23: `find -name a -o -name b -ls` listed only the last kind; *.key and *.pem never."""
    path = application[0] / name
    path.write_text("-----BEGIN PRIVATE KEY-----\nx\n")
    path.chmod(0o644)
    assert permissions()["secrets anyone may read"].evidence["paths"] == [str(path)]
    path.chmod(0o600)
    assert permissions()["secrets anyone may read"].severity is OK


def test_a_certificate_is_public(permissions, application):
    (application[0] / "tls.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    assert permissions()["secrets anyone may read"].severity is OK


def test_setuid(permissions, application):
    (application[0] / "scripts/run.sh").chmod(0o4755)
    assert permissions()["run as their owner or group"].severity is WARNING


def test_a_missing_folder_is_not_100(ask):
    """D50: find failed, so nothing was found, so the score was 100."""
    found = ask("permissions", application=Application(directory="/nowhere/opt", config="/nowhere/etc"))
    assert [finding.severity for finding in found] == [UNKNOWN, UNKNOWN]


def test_links_are_not_followed(permissions, application, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    (application[0] / "link").symlink_to(outside)
    (application[0] / "loop").symlink_to(application[0])
    assert permissions()["anyone may write"].severity is OK


def test_hostile_names(permissions, application):
    """D32: names are data."""
    name = b"$(touch owned)\n\x1b[31m\xff'\".key"
    path = os.fsencode(application[0]) + b"/" + name
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.fchmod(file, 0o666)
    os.close(file)
    (named,) = permissions()["anyone may write"].evidence["paths"]
    named.encode("utf-8")
    assert "\\xff" in named


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        yield server.getsockname()[1]


def ports(ask, *allowed):
    return {f.subject: f for f in ask("ports", security=Security(ports=allowed))}


def others(listener):
    """Everything that is open on this machine already."""
    import psutil

    connections = psutil.net_connections(kind="inet")
    tcp = {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN} - {listener}
    udp = {f"{c.laddr.port}/udp" for c in connections if c.type == socket.SOCK_DGRAM}
    return (*tcp, *udp)


def test_without_a_list_nothing_is_judged_but_shown(ask, listener):
    (finding,) = ask("ports")
    assert finding.evidence["applicable"] is False
    assert f"{listener}/tcp" in finding.message


def test_an_open_port_with_its_process(ask, listener):
    """D48: netstat is not installed on Debian 12."""
    finding = ports(ask, *others(listener))[f"{listener}/tcp"]
    assert finding.severity is WARNING
    assert finding.evidence["sockets"][0]["pid"] == os.getpid()
    assert finding.evidence["sockets"][0]["owner"]


def test_an_allowed_port(ask, listener):
    assert f"{listener}/tcp" not in ports(ask, listener, *others(listener))


def test_a_number_that_contains_another_is_another(ask, listener):
    """D48: grep 8080 matched 18080, pids and peers."""
    inside = [int(str(listener)[:-1]), int(str(listener)[1:]) or 1]
    assert f"{listener}/tcp" in ports(ask, *inside, *others(listener))


def test_udp_is_not_tcp(ask, listener):
    assert f"{listener}/tcp" in ports(ask, f"{listener}/udp", *others(listener))


def test_loopback_is_not_outside(ask):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert f"{port}/tcp" not in ports(ask)


def test_a_client_does_not_listen(ask, listener):
    with socket.create_connection(("127.0.0.1", listener)) as client:
        mine = client.getsockname()[1]
        assert f"{mine}/tcp" not in ports(ask)


STAMP = "2026-11-23T05:{minute:02}:00.123456+00:00 web-1 sshd[{pid}]: "


@pytest.fixture
def logins(ask, tmp_path):
    log = tmp_path / "root/var/log/auth.log"
    log.parent.mkdir(parents=True)

    def logins(*lines, **config):
        text = [
            line if line[0].isdigit() or line[3] == " " else STAMP.format(minute=i % 60, pid=i) + line
            for i, line in enumerate(lines)
        ]
        log.write_text("\n".join([*text, ""]))
        return {f.subject: f for f in ask("logins", **config)}

    return logins


def test_failed_logins_are_counted(logins):
    found = logins(
        "Failed password for root from 203.0.113.7 port 4711 ssh2",
        "Failed password for invalid user admin from 203.0.113.7 port 4712 ssh2",
        "Accepted publickey for deploy from 192.0.2.1 port 5000 ssh2: ED25519 SHA256:abc",
        "Connection closed by 192.0.2.9 port 22 [preauth]",
    )["failed logins"]
    assert (found.value, found.severity) == (2, OK)
    assert found.evidence["addresses"] == {"203.0.113.7": 2}


def test_many_are_a_warning(logins):
    lines = ["Failed password for root from 203.0.113.7 port 4711 ssh2"] * 12
    assert logins(*lines, security=Security(failed_logins=10))["failed logins"].severity is WARNING


def test_a_repeated_message_counts_as_often(logins):
    line = "message repeated 5 times: [ Failed password for root from 203.0.113.7 port 4711 ssh2]"
    assert logins(line)["failed logins"].value == 5


def test_yesterday_is_not_today(logins):
    line = "2026-11-21T05:00:00+00:00 web-1 sshd[1]: Failed password for root from 203.0.113.7 port 1 ssh2"
    assert logins(line)["failed logins"].value == 0


def test_the_classic_stamp_has_no_year(logins, worlds):
    local = (worlds.NOW - timedelta(hours=1)).astimezone()
    recent = f"{local:%b %e %H:%M:%S} web-1 sshd[1]: Failed password for root from 203.0.113.7 port 1 ssh2"
    december = "Dec 24 05:00:00 web-1 sshd[2]: Failed password for root from 203.0.113.7 port 1 ssh2"
    assert logins(recent, december)["failed logins"].value == 1


def test_a_name_that_looks_like_an_address(logins):
    line = "Failed password for invalid user x from 10.0.0.1 port 22 ssh2 from 203.0.113.7 port 4711 ssh2"
    assert logins(line)["failed logins"].evidence["addresses"] == {"203.0.113.7": 1}


def test_a_guessed_password_is_critical(logins):
    lines = ["Failed password for deploy from 203.0.113.7 port 4711 ssh2"] * 12
    found = logins(*lines, "Accepted password for deploy from 203.0.113.7 port 4711 ssh2")
    assert found["203.0.113.7"].severity is CRITICAL


def test_an_invalid_user_with_keys_only_counts_once(logins):
    stamp = STAMP.format(minute=1, pid=99)
    found = logins(
        stamp + "Invalid user oracle from 203.0.113.7 port 4711",
        stamp + "Failed password for invalid user oracle from 203.0.113.7 port 4711 ssh2",
        STAMP.format(minute=2, pid=100) + "Invalid user pi from 203.0.113.8 port 4711",
    )["failed logins"]
    assert found.value == 2


def test_no_log_is_unknown(ask):
    (finding,) = ask("logins")
    assert finding.severity is UNKNOWN


def test_a_fifo_named_like_the_log_does_not_hang(ask, tmp_path):
    log = tmp_path / "root/var/log/auth.log"
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    (finding,) = ask("logins", deadline=3)
    assert finding.severity is UNKNOWN


@pytest.mark.skipif(not Path("/usr/bin/journalctl").exists(), reason="needs journalctl")
def test_an_empty_journal_is_not_a_quiet_night(tmp_path):
    def without_journals(args, **options):
        return run_tool([*args, f"--directory={tmp_path}"], **options)

    lines, reason = _journal(Context(tmp_path, run=without_journals))
    assert lines is None
    assert reason == "No journal files were found."
