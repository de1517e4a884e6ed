"""How long are the certificates still valid: those the services present, and those on disk?"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from healthkit.checks._context import not_applicable, printable
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, digits

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"
WEIGHT = 3

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SUFFIXES = (".pem", ".crt", ".cer")
_LARGEST = 1 << 20


def check(context: Context) -> Iterator[Finding]:
    """Days left of each, against `limits.certificate_days`; a third of that is critical, and so is past it."""
    urls = [urlsplit(service.url) for service in context.config.services if service.url]
    served = dict.fromkeys((u.hostname, u.port or 443) for u in urls if u.scheme == "https" and u.hostname)
    files, wrong = _files(context)
    if not (served or files or wrong):
        hint = "Name them under `security: {certificates: [...]}` in healthkit.yaml."
        yield not_applicable("certificates", "certificates", "no https service and no certificate on disk", hint=hint)
        return
    for host, port in served:
        yield from _served(context, host, port)
    for name, reason in wrong.items():
        yield Finding("certificates", Severity.UNKNOWN, name, reason, hint="Correct the path, or run as its owner.")
    for path in files:
        yield from _on_disk(context, path)


def _files(context: Context) -> tuple[list[Path], dict[str, str]]:
    """Files that may hold certificates, and the configured names that cannot be looked at, with the reason."""
    named = [Path(name) for name in context.config.security.certificates]
    application = context.config.application
    folders = [folder for folder in named if folder.is_dir()]
    if application and Path(application.config).is_dir():
        folders.append(Path(application.config))
    inside = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES]
    wrong = {printable(path): "there is no such file or folder" for path in named if not path.exists()}
    found = [path for path in [*named, *inside] if path.is_file()]
    return list(dict.fromkeys(found)), wrong


def _on_disk(context: Context, path: Path) -> Iterator[Finding]:
    """Every certificate of a file: a chain is as good as its first to end."""
    try:
        with path.open("rb") as file:
            blocks = _BLOCK.findall(file.read(_LARGEST))
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        yield Finding("certificates", Severity.UNKNOWN, printable(path), message, hint="Run the check as root.")
        return
    ends = [_end(context, block.decode("ascii", "replace")) for block in blocks]
    known = [end for end in ends if end]
    if len(known) < len(ends):
        message = f"{len(ends) - len(known)} of {counted(len(ends), 'certificate')} cannot be parsed"
        hint = f"See openssl x509 -in {printable(path)} -noout -text."
        yield Finding("certificates", Severity.UNKNOWN, printable(path), message, hint=hint)
    if known:
        yield _judge(context, printable(path), min(known), str(path))


def _served(context: Context, host: str, port: int) -> Iterator[Finding]:
    """What a server presents, whether it is trusted or not; and whether it is."""
    subject = f"{host}:{port}"
    try:
        trusted, certificate = _handshake(context, host, port)
    except OSError as error:
        message = f"no TLS connection: {error}"
        yield Finding("certificates", Severity.UNKNOWN, subject, message, hint="See whether the service runs.")
        return
    end = _end(context, ssl.DER_cert_to_PEM_cert(certificate))
    if end is None:
        message = "its certificate cannot be parsed"
        yield Finding("certificates", Severity.UNKNOWN, subject, message, hint=f"openssl s_client -connect {subject}.")
        return
    yield _judge(context, subject, end, f"TLS {subject}")
    if trusted and end > context.now:
        hint = "Install the chain of its issuer on the server, or its root on this host."
        yield Finding("certificates", Severity.WARNING, f"{subject}: trust", f"not trusted: {trusted}", hint=hint)


def _handshake(context: Context, host: str, port: int) -> tuple[str, bytes]:
    """Why it is not trusted, empty if it is, and the certificate in DER."""
    timeout = max(0.5, min(5.0, context.remaining / 2))
    try:
        return "", _peer(host, port, ssl.create_default_context(), timeout)
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # only to read the date of what was just refused; nothing is sent
    return reason, _peer(host, port, blind, timeout)


def _peer(host: str, port: int, how: ssl.SSLContext, timeout: float) -> bytes:
    plain = socket.create_connection((host, port), timeout=timeout)
    with plain, how.wrap_socket(plain, server_hostname=host) as tls:
        return tls.getpeercert(binary_form=True) or b""


def _end(context: Context, pem: str) -> datetime | None:
    """When a certificate ends, UTC; None if it is none.

    Raises:
        FileNotFoundError: openssl is not installed.
    """
    result = context.tool("openssl", "x509", "-noout", "-enddate", stdin=pem)
    name, _, text = result.stdout.strip().partition("=")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if name == "notAfter" else None


def _judge(context: Context, subject: str, end: datetime, source: str) -> Finding:
    left = (end - context.now) / timedelta(days=1)
    warning = context.config.limits.certificate_days
    severity = Severity.CRITICAL if left < warning / 3 else Severity.WARNING if left < warning else Severity.OK
    ends = f"{end:%Y-%m-%d %H:%M} UTC"
    return Finding(
        "certificates",
        severity,
        subject,
        f"{digits(left)} days left, until {ends}" if left > 0 else f"ended {digits(-left)} days ago, {ends}",
        value=left,
        unit="days",
        evidence={"threshold": warning, "critical": warning / 3, "end": end.isoformat(), "source": source},
        hint="Renew it and have it loaded; see why the automatic renewal did not." if severity.exit_code else "",
    )
