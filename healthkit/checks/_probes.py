"""One HTTP request to a service, with a limit on its whole duration."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from healthkit.config import Service

_BODY = 1 << 20


@dataclass
class Answer:
    status: int | None
    seconds: float | None
    """None without an answer: a refused connection is not a fast one."""
    error: str


class Probe(threading.Thread):
    """One request with a limit on its whole duration, which a socket's own time-out is not."""

    def __init__(self, service: Service) -> None:
        super().__init__(name=f"probe-{service.name}", daemon=True)
        self._service = service
        self.answered: Answer | None = None

    def run(self) -> None:
        service, began = self._service, time.monotonic()
        request = Request(service.url or "", headers={"User-Agent": "healthkit"})  # noqa: S310 - from the configuration
        opener = build_opener(ProxyHandler({}))  # the service itself is asked, not a proxy's opinion of it
        try:
            with opener.open(request, timeout=float(service.timeout)) as response:
                response.read(_BODY)
                status = response.status
        except HTTPError as error:
            error.close()
            status = error.code
        except (OSError, ValueError) as error:
            self.answered = Answer(None, None, str(getattr(error, "reason", error)) or type(error).__name__)
            return
        self.answered = Answer(status, time.monotonic() - began, "")

    def wait(self, seconds: float) -> Answer:
        self.join(seconds)
        return self.answered or Answer(None, None, f"no complete answer within {seconds:.1f} s")
