"""One HTTP request with a time limit that holds: for the name, every address, TLS, and a body that drips.

Redirects are not followed and proxies of the environment are not used: what is asked is what the configuration names.
`ssl` is imported by the first probe that needs it, so that a collector without such services stays small.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from healthkit.collectors.answers import Answering

if TYPE_CHECKING:
    import ssl

_BODY = 1 << 20
"""Bytes of a body that are read at most; a longer one counts as a full answer."""
_DAY = 86400.0
_Clock = Callable[[], float]


class Endpoint(NamedTuple):
    """What to ask."""

    name: str
    """Device of the readings."""
    url: str
    timeout: float = 5.0
    """Seconds for everything together."""
    expect: int | None = None
    """The only status that is right; None: any of 200 to 399."""


class Answer(NamedTuple):
    """What came back."""

    up: bool
    """A full answer, with a status that is right, over a connection that could be verified."""
    status: int | None = None
    """HTTP status; None if none came."""
    seconds: float | None = None
    """From the start to the end of the answer; None unless it came in full."""
    timed_out: bool = False
    certificate_days: float | None = None
    """Until the server's certificate ends, negative if it has; None without TLS or if it was not seen."""
    error: str = ""
    """Why it is not up."""


def probe(endpoint: Endpoint, *, clock: _Clock = time.monotonic, now: _Clock = time.time) -> Answer:
    """Ask an endpoint once."""
    exchange = _Exchange(endpoint, clock, now)
    try:
        return exchange.run()
    except TimeoutError:
        return exchange.failed(f"no full answer within {endpoint.timeout:g} s", timed_out=True)
    except (OSError, ValueError) as error:
        return exchange.failed(str(error) or type(error).__name__)


class _Exchange:
    """One request and what is known of its answer so far."""

    def __init__(self, endpoint: Endpoint, clock: _Clock, now: _Clock) -> None:
        self.endpoint = endpoint
        self.clock = clock
        self.now = now
        self.start = clock()
        self.status: int | None = None
        self.certificate_days: float | None = None

    def remaining(self) -> float:
        """Seconds left.

        Raises:
            TimeoutError: None.
        """
        left = self.start + self.endpoint.timeout - self.clock()
        if left <= 0:
            raise TimeoutError
        return left

    def failed(self, error: str, *, timed_out: bool = False) -> Answer:
        """What is known, as an answer that is not up."""
        return Answer(
            up=False, status=self.status, timed_out=timed_out, certificate_days=self.certificate_days, error=error
        )

    def run(self) -> Answer:
        url = urlsplit(self.endpoint.url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"not an http or https URL: {self.endpoint.url!r}")
        with self._secured(url) if url.scheme == "https" else self._connected(url) as connection:
            self._send(connection, url)
            self._receive(connection)
        seconds = self.clock() - self.start
        expect, status = self.endpoint.expect, self.status or 0
        up = status == expect if expect else 200 <= status < 400
        error = "" if up else f"status {status}"
        return Answer(up, self.status, seconds, certificate_days=self.certificate_days, error=error)

    def _connected(self, url: SplitResult) -> socket.socket:
        port = url.port or (443 if url.scheme == "https" else 80)
        found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
        failure: OSError = OSError(f"no address for {url.hostname}")
        for family, kind, protocol, _, address in found:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.remaining())
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _secured(self, url: SplitResult) -> socket.socket:
        import ssl

        try:
            return self._tls(url, _context(verify=True))
        except ssl.SSLCertVerificationError:
            # Verification ends the handshake before the certificate can be read: a second one only reads it.
            with contextlib.suppress(OSError, ValueError):
                self._tls(url, _context(verify=False)).close()
            raise

    def _tls(self, url: SplitResult, context: ssl.SSLContext) -> ssl.SSLSocket:
        from healthkit.collectors.certificates import not_after

        plain = self._connected(url)
        try:
            plain.settimeout(self.remaining())
            connection = context.wrap_socket(plain, server_hostname=url.hostname)
        except OSError:
            plain.close()
            raise
        der = connection.getpeercert(binary_form=True)
        if der:
            self.certificate_days = (not_after(der).timestamp() - self.now()) / _DAY
        return connection

    def _send(self, connection: socket.socket, url: SplitResult) -> None:
        target = quote(url.path or "/", safe="%/:=&~+!$,;'@()*[]") + (
            f"?{quote(url.query, safe='%/:?=&~+!$,;@()*[]')}" if url.query else ""
        )
        host = url.netloc.rpartition("@")[2]
        lines = (
            f"GET {target} HTTP/1.1",
            f"Host: {host.encode('idna').decode() if not host.isascii() else host}",
            "User-Agent: healthkit",
            "Accept: */*",
            "Connection: close",
        )
        connection.settimeout(self.remaining())
        connection.sendall("\r\n".join((*lines, "", "")).encode("ascii"))

    def _receive(self, connection: socket.socket) -> None:
        def receive(size: int) -> bytes:
            connection.settimeout(self.remaining())
            return connection.recv(size)

        answering = Answering(receive)
        self.status, headers = answering.head()
        answering.skip_body(self.status, headers, _BODY)


@lru_cache(maxsize=2)
def _context(*, verify: bool) -> ssl.SSLContext:
    """Reading the system's certificates takes longer than most probes: once is enough."""
    import ssl

    context = ssl.create_default_context() if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
