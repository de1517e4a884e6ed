"""When to measure: a grid of ticks that does not drift."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_DRIFT = 0.5
"""Seconds by which the wall clock may leave the grid before the grid is laid anew."""


class Schedule:
    """Ticks at start + k · every on the monotonic clock.

    From one second up, the start is a multiple of *every* on the wall clock, so that all hosts measure at the same
    moments. A tick that could not be kept is skipped, never made up for. When the wall clock leaves the grid (it was
    set, or the machine slept), the grid is laid anew.

    Args:
        every: Seconds between ticks.
        clock: Monotonic seconds.
        wall: Seconds since 1970.
    """

    def __init__(
        self, every: float, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self.every = every
        self.skipped = 0
        """Ticks that were due while the one before was still being measured."""
        self._clock = clock
        self._wall = wall
        self._lay()
        self.first = self._start
        """Monotonic time of the first tick."""

    @property
    def due(self) -> float:
        """Monotonic time of the next tick."""
        return self._start + self._tick * self.every

    def advance(self) -> None:
        """Go on to the next tick that can still be kept."""
        strayed = abs(self._wall() - self._clock() - self._offset) > _DRIFT
        if strayed and self.every >= 1:
            self._lay()
            return
        missed = math.ceil((self._clock() - self._start) / self.every) - self._tick - 1
        self.skipped += max(0, missed)
        self._tick += 1 + max(0, missed)

    def _lay(self) -> None:
        now, wall = self._clock(), self._wall()
        self._offset = wall - now
        self._start = now + (-wall % self.every if self.every >= 1 else 0.0)
        self._tick = 0
