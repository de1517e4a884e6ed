"""Certificates: served over real TLS, and on disk, made by trustme and openssl."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from healthkit.config import Application, Security, Service
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
NOW = datetime.now(UTC)


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate with so many days left, made by openssl."""

    def certificate(days, name="server.pem"):
        path, key = tmp_path / name, tmp_path / f"{name}.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subject = ["-subj", "/CN=localhost", "-days", str(days), "-keyout", str(key), "-out", str(path)]
        subprocess.run([*command, *subject], check=True, capture_output=True)
        return path, key

    return certificate


@contextmanager
def serving(certificate, key=None):
    """A server that makes the TLS handshake, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if key:
        context.load_cert_chain(certificate, key)
    else:
        certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def shake():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        thread = threading.Thread(target=shake, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def on_disk(ask, *paths, **others):
    security = Security(certificates=tuple(map(str, paths)))
    return {f.subject: f for f in ask("certificates", security=security, now=NOW, root="/", **others)}


def test_nothing_to_look_at_is_not_applicable(ask):
    (finding,) = ask("certificates")
    assert finding.evidence["applicable"] is False


@pytest.mark.parametrize(("days", "severity"), [(5, CRITICAL), (15, WARNING), (90, OK)])
def test_days_left_are_compared_with_today(ask, certificate, days, severity):
    """D24: an end date was printed, without the file's name, and compared with nothing."""
    path, _ = certificate(days)
    finding = on_disk(ask, path)[str(path)]
    assert finding.severity is severity
    assert finding.value == pytest.approx(days, abs=0.01)


def test_an_ended_one_is_critical(ask, certificate):
    path, _ = certificate(5)
    later = ask("certificates", security=Security(certificates=(str(path),)), now=NOW + timedelta(days=9), root="/")
    assert later[0].severity is CRITICAL
    assert "ended 4" in later[0].message


def test_every_certificate_is_looked_at(ask, certificate, tmp_path):
    """D24: the first 5 of 144 roots."""
    folder = tmp_path / "tls"
    folder.mkdir()
    for index in range(7):
        path, _ = certificate(90 if index < 6 else 3, f"{index}.crt")
        shutil.move(path, folder)
    found = on_disk(ask, folder)
    assert len(found) == 7
    assert found[str(folder / "6.crt")].severity is CRITICAL


def test_a_chain_is_as_good_as_its_first_to_end(ask, certificate, tmp_path):
    long, _ = certificate(90, "long.pem")
    short, _ = certificate(5, "short.pem")
    chain = tmp_path / "chain.pem"
    chain.write_text(long.read_text() + short.read_text())
    assert on_disk(ask, chain)[str(chain)].severity is CRITICAL


def test_those_of_the_application_are_found(ask, certificate, tmp_path):
    path, _ = certificate(5)
    config = tmp_path / "etc"
    config.mkdir()
    shutil.move(path, config)
    found = on_disk(ask, application=Application(directory=str(tmp_path), config=str(config)))
    assert found[str(config / "server.pem")].severity is CRITICAL


def test_a_missing_or_damaged_one_is_unknown(ask, tmp_path):
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    found = on_disk(ask, damaged, tmp_path / "missing.pem")
    assert {finding.severity for finding in found.values()} == {UNKNOWN}
    assert len(found) == 2


def served(ask, port):
    service = Service(name="web", url=f"https://localhost:{port}/health")
    return {f.subject: f for f in ask("certificates", services=(service,), now=NOW, root="/")}


def test_a_served_one_with_five_days_left(ask, certificate):
    """D24: the served certificate was never asked for."""
    with serving(*certificate(5)) as port:
        found = served(ask, port)
    finding = found[f"localhost:{port}"]
    assert finding.severity is CRITICAL
    assert finding.value == pytest.approx(5, abs=0.01)


def test_one_that_this_host_does_not_trust(ask):
    with serving(trustme.CA().issue_cert("localhost")) as port:
        found = served(ask, port)
    assert found[f"localhost:{port}"].severity is OK
    assert found[f"localhost:{port}: trust"].severity is WARNING


def test_no_connection_is_unknown(ask):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        found = served(ask, port)
    assert found[f"localhost:{port}"].severity is UNKNOWN
