"""Who listens on this host, where others can reach it, and is that meant?"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from healthkit.checks._context import not_applicable
from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"
WEIGHT = 2


class _Socket(NamedTuple):
    port: int
    protocol: str
    """tcp or udp."""
    address: str
    pid: int | None
    owner: str | None
    """Name of the process; None where this user may not know."""

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def check(context: Context) -> Iterator[Finding]:
    """Sockets open to the outside against `security.ports`; what listens on loopback only is nobody else's business."""
    found = sorted(set(_listening()), key=lambda s: (s.port, s.protocol, s.address))
    outside = [s for s in found if not ip_address(s.address.partition("%")[0]).is_loopback]
    allowed = context.config.security.ports
    if allowed is None:
        seen = ", ".join(dict.fromkeys(f"{s.port}/{s.protocol}" for s in outside)) or "none"
        hint = "Name those that are meant under `security: {ports: [...]}` in healthkit.yaml."
        finding = not_applicable("ports", "ports", f"no list of allowed ports; open to the outside: {seen}", hint=hint)
        yield finding
        return
    meant = {_parsed(entry) for entry in allowed}
    strange = [s for s in outside if (s.port, s.protocol) not in meant]
    for port, protocol in dict.fromkeys((s.port, s.protocol) for s in strange):
        sockets = [s for s in strange if (s.port, s.protocol) == (port, protocol)]
        owners = ", ".join(sorted({f"{s.owner} ({s.pid})" if s.owner else "an unknown process" for s in sockets}))
        yield Finding(
            "ports",
            Severity.WARNING,
            f"{port}/{protocol}",
            f"open to the outside and not allowed: {owners} on {', '.join(s.address for s in sockets)}",
            value=float(port),
            evidence={"sockets": [s.as_dict() for s in sockets], "source": "/proc/net"},
            hint="Stop it, bind it to 127.0.0.1, or allow it under `security: {ports: ...}`."
            if all(s.owner for s in sockets)
            else "Run the check as root to see which process it is.",
        )
    if not strange:
        message = f"{len(outside)} sockets open to the outside, all allowed"
        open_ = [s.as_dict() for s in outside]
        yield Finding("ports", Severity.OK, "ports", message, value=0.0, evidence={"sockets": open_, "threshold": 0})


def _parsed(entry: int | str) -> tuple[int, str]:
    number, _, protocol = str(entry).partition("/")
    return int(number), protocol or "tcp"


def _listening() -> Iterator[_Socket]:
    """Listening TCP sockets, and UDP sockets that take datagrams from anyone."""
    for connection in psutil.net_connections(kind="inet"):
        tcp = connection.type == socket.SOCK_STREAM
        if (tcp and connection.status != psutil.CONN_LISTEN) or (not tcp and connection.raddr):
            continue
        here, protocol = connection.laddr, "tcp" if tcp else "udp"
        if here:
            yield _Socket(here.port, protocol, here.ip, connection.pid, _name(connection.pid))


def _name(pid: int | None) -> str | None:
    if pid is None:
        return None
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return None
