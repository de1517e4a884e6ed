"""Whether the services named in the configuration answer, how fast, and how long their certificates last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from healthkit.collectors.probes import Answer, Endpoint, probe
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("http_up", "gauge", "1 if a full answer came in time with a right status over a verified connection."),
    Metric("http_status_code", "gauge", "Status of the answer; absent if none came."),
    Metric("http_response_seconds", "gauge", "Time to a full answer, whatever its status; absent if none came."),
    Metric("http_timed_out", "gauge", "1 if the time limit ended the probe."),
    Metric("tls_certificate_left_days", "gauge", "Days until the certificate ends; negative when it has ended."),
)
_GRACE = 0.05
"""Seconds that a probe may need to notice its own time limit."""


class Watch:
    """Probes every service once a tick, beside the loop: starting the probes is all that a tick does.

    One thread waits for one thread a service. A probe stuck where no time limit reaches it (the resolver) is declared
    timed out and left behind; its service is not asked again, and stays timed out, until that thread comes back.
    """

    def __init__(self, endpoints: Iterable[Endpoint], wake: Callable[[], None]) -> None:
        self._endpoints = tuple(endpoints)
        self._wake = wake
        self._running: dict[str, _Probe] = {}
        self._round: threading.Thread | None = None
        self._done: SimpleQueue[list[Reading]] = SimpleQueue()

    def __call__(self) -> Iterator[Reading]:
        """Start a round, unless the one before is still under way; nothing to read yet."""
        if self._endpoints and not (self._round and self._round.is_alive()):
            self._round = threading.Thread(target=self._ask_all, name="probes", daemon=True)
            self._round.start()
        return iter(())

    def late(self) -> Iterator[Reading]:
        """The readings of rounds that have ended since the last call."""
        while True:
            try:
                yield from self._done.get_nowait()
            except Empty:
                return

    def wait(self) -> None:
        """Wait for the round under way: no longer than the longest time limit."""
        if self._round:
            self._round.join()

    def _ask_all(self) -> None:
        for endpoint in self._endpoints:
            stuck = self._running.get(endpoint.name)
            if stuck is None or not stuck.is_alive():
                self._running[endpoint.name] = _Probe(endpoint)
        self._done.put([reading for name, asked in self._running.items() for reading in readings(name, asked.answer())])
        self._wake()


class _Probe(threading.Thread):
    """One probe in a thread of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(name=f"probe {endpoint.name}", daemon=True)
        self._endpoint = endpoint
        self._answer: Answer | None = None
        self._deadline = time.monotonic() + endpoint.timeout + _GRACE
        self.start()

    def run(self) -> None:
        self._answer = probe(self._endpoint)

    def answer(self) -> Answer:
        """What came back in time."""
        self.join(max(0.0, self._deadline - time.monotonic()))
        return self._answer or Answer(up=False, timed_out=True, error="stuck")


def readings(name: str, answer: Answer) -> Iterator[Reading]:
    """An answer as readings: what is not known is absent, never 0."""
    yield Reading("http_up", answer.up, name)
    yield Reading("http_timed_out", answer.timed_out, name)
    if answer.status is not None:
        yield Reading("http_status_code", answer.status, name)
    if answer.seconds is not None:
        yield Reading("http_response_seconds", answer.seconds, name)
    if answer.certificate_days is not None:
        yield Reading("tls_certificate_left_days", answer.certificate_days, name)


def collect(endpoints: Iterable[Endpoint] = ()) -> Iterator[Reading]:
    """Ask every service once, all at the same time, and wait for the answers."""
    watched = Watch(endpoints, lambda: None)
    watched()
    watched.wait()
    yield from watched.late()


def watch(world: World) -> Watch:
    """Probes on every tick."""
    return Watch(world.services, world.wake)
