"""What wakes the loop between two ticks: a signal to stop, or a probe that came back."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType
from typing import Any, Self


class Bell:
    """A pipe that may be written to from any thread or signal handler, and waited for.

    Used as a context, SIGTERM and SIGINT set `stopped` and ring it; the handlers of before come back at the end.
    """

    def __init__(self) -> None:
        self.stopped = False
        """Whether it is time to end."""
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, Any] = {}

    def ring(self) -> None:
        """Wake whoever waits."""
        with contextlib.suppress(BlockingIOError):  # full: it rings already
            os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Whether it rang before *seconds* were over."""
        if not select.select([self._read], [], [], max(0.0, seconds))[0]:
            return False
        os.read(self._read, 1 << 12)
        return True

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after the tick under way."""
        self.stopped = True
        self.ring()

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self.stop) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
