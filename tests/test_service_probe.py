"""The HTTP probe against real servers: prompt, failing, slow, dripping, hanging, refusing, and with all sorts of certificates."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
import time

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from healthkit.collectors import probes, service
from healthkit.collectors.answers import Answering, BadAnswer
from healthkit.collectors.certificates import not_after
from healthkit.collectors.probes import Endpoint, probe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A TCP server whose every connection is handled by a function of its socket, in a thread."""

    def __init__(self, handle, context=None):
        self._handle, self._context = handle, context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.requests = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with (
                connection if self._context is None else self._context.wrap_socket(connection, server_side=True) as peer
            ):
                request = b""
                while b"\r\n\r\n" not in request:
                    block = peer.recv(1 << 16)
                    if not block:
                        return
                    request += block
                self.requests.append(request)
                self._handle(peer)
        except OSError:
            pass  # the probe went away, as it may

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextlib.contextmanager
def serving(handle, context=None):
    server = Server(handle, context)
    try:
        yield server
    finally:
        server.close()


def saying(*blocks, pause=0.0):
    def handle(peer):
        for block in blocks:
            peer.sendall(block)
            time.sleep(pause)

    return handle


def ask(server, *, path="/", timeout=5.0, expect=None, scheme="http", host="127.0.0.1"):
    return probe(Endpoint("s", f"{scheme}://{host}:{server.port}{path}", timeout, expect))


def test_a_full_answer_is_up_with_status_and_time():
    with serving(saying(OK)) as server:
        answer = ask(server, path="/health?deep=1&x=ä b")
    assert (answer.up, answer.status, answer.timed_out, answer.error) == (True, 200, False, "")
    assert 0 < answer.seconds < 1
    (request,) = server.requests
    assert request.startswith(b"GET /health?deep=1&x=%C3%A4%20b HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("head", "expect", "up"),
    [
        ("200 OK", None, True),
        ("204 No Content", None, True),
        ("302 Found", None, True),
        ("404 Not Found", None, False),
        ("500 Oh", None, False),
        ("503 Later", 503, True),
        ("200 OK", 204, False),
    ],
)
def test_up_is_a_status_that_is_right(head, expect, up):
    answer = f"HTTP/1.1 {head}\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".encode()
    with serving(saying(answer)) as server:
        found = ask(server, expect=expect)
        assert len(server.requests) == 1, "redirects are not followed"
    assert (found.up, found.status) == (up, int(head[:3]))
    assert found.seconds is not None, "a full answer has a time, whatever its status"


def test_a_slow_answer_has_its_true_time():
    def handle(peer):
        time.sleep(0.3)
        peer.sendall(OK)

    with serving(handle) as server:
        answer = ask(server)
    assert answer.up
    assert 0.3 <= answer.seconds < 0.6


def test_a_refused_connection_is_a_failure_without_a_time():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = probe(Endpoint("s", f"http://127.0.0.1:{port}/"))
    assert not answer.up
    assert (answer.status, answer.seconds, answer.timed_out) == (None, None, False)
    assert "refused" in answer.error


def drip(peer):
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        peer.sendall(b".")
        time.sleep(0.05)


def drip_head(peer):
    for letter in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000:
        peer.sendall(bytes([letter]))
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("handle", "status"),
    [(lambda _: time.sleep(2), None), (drip, 200), (drip_head, None)],
    ids=["hanging", "dripping body", "dripping head"],
)
def test_the_time_limit_holds(handle, status):
    with serving(handle) as server:
        start = time.monotonic()
        answer = ask(server, timeout=0.4)
        assert 0.4 <= time.monotonic() - start < 0.6
    assert (answer.up, answer.timed_out, answer.seconds, answer.status) == (False, True, None, status)


def test_the_time_limit_holds_for_a_handshake_that_never_comes():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        start = time.monotonic()
        answer = probe(Endpoint("s", f"https://127.0.0.1:{listener.getsockname()[1]}/", 0.3))
        assert time.monotonic() - start < 0.6
    assert answer.timed_out


BROKEN = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "head cut short": b"HTTP/1.1 200 OK\r\nContent-",
    "body cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "chunk cut short": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
    "no chunk length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_half_an_answer_is_none(answer):
    with serving(saying(answer)) as server:
        found = ask(server)
    assert not found.up
    assert found.seconds is None
    assert found.error


WHOLE = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "until the end": b"HTTP/1.0 200 OK\r\n\r\nok",
    "chunks with extensions": b"HTTP/1.1 200 OK\r\nTRANSFER-encoding:Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "no words after the status": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
def test_all_framings_of_a_body(answer):
    with serving(saying(answer)) as server:
        assert ask(server).up


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
def test_an_answer_in_single_bytes_is_the_same_answer(answer):
    bytes_left = list(answer)
    answering = Answering(lambda _: bytes([bytes_left.pop(0)]) if bytes_left else b"")
    status, headers = answering.head()
    answering.skip_body(status, headers, 1 << 20)
    assert status == 200


@given(noise=st.binary(max_size=200), head=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", *WHOLE.values()]))
def test_noise_is_refused_or_read_never_a_crash(noise, head):
    blocks = [head + noise]
    answering = Answering(lambda _: blocks.pop() if blocks else b"")
    with contextlib.suppress(BadAnswer):
        status, headers = answering.head()
        assert 200 <= status < 1000
        answering.skip_body(status, headers, 100)


def test_an_endless_body_is_read_to_a_megabyte():
    def handle(peer):
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            peer.sendall(b"x" * 65536)
            sent.append(65536)

    sent = []
    with serving(handle) as server:
        answer = ask(server)
    assert answer.up
    assert sum(sent) < 16 << 20


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(saying(OK)) as server:
        assert ask(server).up


@pytest.mark.parametrize(
    "url", ["ftp://x/", "http:///path", "localhost:80", "http://127.0.0.1:99999/", "http://[::1/", "http://a..b/"]
)
def test_a_bad_url_is_down_with_a_reason(url):
    answer = probe(Endpoint("s", url, 1.0))
    assert not answer.up
    assert answer.error


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """A certificate authority that the probe trusts, as it would the system's."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    probes._context.cache_clear()
    yield authority
    probes._context.cache_clear()


def secured(authority, days, host="localhost"):
    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=days)
    certificate = authority.issue_cert(host, not_before=min(now, end) - dt.timedelta(days=1), not_after=end)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_a_verified_certificate_tells_its_days(trusted):
    with serving(saying(OK), secured(trusted, 5.5)) as server:
        answer = ask(server, scheme="https", host="localhost")
    assert (answer.up, answer.error) == (True, "")
    assert answer.certificate_days == pytest.approx(5.5, abs=0.01)


@pytest.mark.parametrize(
    ("days", "host", "known"),
    [(-3, "localhost", True), (10, "elsewhere.example", True), (20, "localhost", False)],
    ids=["expired", "for another host", "untrusted"],
)
def test_a_bad_certificate_is_down_and_still_tells_its_days(trusted, days, host, known):
    with serving(saying(OK), secured(trusted if known else trustme.CA(), days, host)) as server:
        answer = ask(server, scheme="https", host="localhost")
        assert server.requests == [], "nothing is asked over a connection that cannot be verified"
    assert (answer.up, answer.status, answer.seconds) == (False, None, None)
    assert answer.certificate_days == pytest.approx(days, abs=0.01)
    assert "verify failed" in answer.error


def test_the_end_of_a_certificate_equals_that_of_cryptography(trusted):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    for year in (2049, 2050, 2150):  # UTCTime ends in 2049
        end = dt.datetime(year, 6, 1, 12, 30, 15, tzinfo=dt.UTC)
        pem = trusted.issue_cert("x.example", not_after=end).cert_chain_pems[0].bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        assert not_after(certificate.public_bytes(Encoding.DER)) == certificate.not_valid_after_utc == end


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x82\xff\xff\x00", b"hello world", b"\x30\x02\x05\x00"])
def test_what_is_no_certificate(der):
    with pytest.raises(ValueError, match="not a certificate"):
        not_after(der)


def by_name(readings):
    found = {}
    for metric, value, device in readings:
        found.setdefault(device, {})[metric] = float(value)
    return found


def test_services_are_asked_at_the_same_time_and_absent_is_not_zero():
    with serving(saying(OK)) as good, serving(lambda _: time.sleep(2)) as hanging:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            refusing = listener.getsockname()[1]
        endpoints = [
            Endpoint("good", f"http://127.0.0.1:{good.port}/"),
            Endpoint("slow 1", f"http://127.0.0.1:{hanging.port}/", 0.4),
            Endpoint("slow 2", f"http://127.0.0.1:{hanging.port}/", 0.4),
            Endpoint("refusing", f"http://127.0.0.1:{refusing}/"),
        ]
        start = time.monotonic()
        found = by_name(service.collect(endpoints))
        assert time.monotonic() - start < 0.8
    assert found["good"].pop("http_response_seconds") < 0.4
    assert found == {
        "good": {"http_up": 1, "http_timed_out": 0, "http_status_code": 200},
        "slow 1": {"http_up": 0, "http_timed_out": 1},
        "slow 2": {"http_up": 0, "http_timed_out": 1},
        "refusing": {"http_up": 0, "http_timed_out": 0},
    }


def test_a_probe_stuck_in_the_resolver_is_timed_out_left_behind_and_not_repeated(monkeypatch):
    release = threading.Event()
    calls = []

    def getaddrinfo(*_arguments, **_options):
        calls.append(1)
        release.wait(5)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    watched = service.Watch([Endpoint("lost", "http://nowhere.example/", 0.2)], lambda: None)
    for _ in range(2):
        start = time.monotonic()
        watched()
        assert time.monotonic() - start < 0.05, "a tick only starts the probes"
        watched.wait()
        assert by_name(watched.late()) == {"lost": {"http_up": 0, "http_timed_out": 1}}
    assert len(calls) == 1
    release.set()
    time.sleep(0.05)
    watched()
    watched.wait()
    assert by_name(watched.late()) == {"lost": {"http_up": 0, "http_timed_out": 0}}
    assert len(calls) == 2


def test_a_round_wakes_the_loop_once():
    rung = []
    with serving(saying(OK)) as server:
        endpoints = [Endpoint(f"s{n}", f"http://127.0.0.1:{server.port}/") for n in range(3)]
        watched = service.Watch(endpoints, lambda: rung.append(1))
        watched()
        watched()
        watched.wait()
    assert len(rung) == 1
    assert len(by_name(watched.late())) == 3
    assert list(watched.late()) == []
