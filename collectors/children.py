"""A command of our own that runs beside the loop, at low priority and one at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from subprocess import Popen

METRICS = (Metric("compaction_up", "gauge", "1 if the last compaction succeeded, 0 if it failed."),)
RETRY_SECONDS = 3600.0
"""Between the end of one and the next: a journal that cannot be compacted must not start one a minute."""
LOOK_SECONDS = 60.0
"""Between two looks at whether it is due."""
_NICE = 19


class Compaction:
    """Turns the journals of days gone by into Parquet, whenever there are any.

    The command outlives this process if need be: it has a session of its own, and replaces files whole.

    Args:
        command: Argument list.
        due: Whether there is something to compact; asked once a minute.
        warn: Takes a sentence for people.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        command: Sequence[str],
        due: Callable[[], bool],
        warn: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = list(command)
        self._due = due
        self._warn = warn
        self._clock = clock
        self._child: Popen[bytes] | None = None
        self._succeeded: bool | None = None
        self._not_before = clock()

    def __call__(self) -> Iterator[Reading]:
        """How the last one went; starts the next one where it is due."""
        self._reap()
        if self._child is None and self._clock() >= self._not_before:
            self._not_before = self._clock() + LOOK_SECONDS
            if self._due():
                self._start()
        if self._succeeded is not None:
            yield Reading("compaction_up", self._succeeded)

    def _start(self) -> None:
        import subprocess  # a megabyte that a collector needs once a day

        try:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )
            os.setpriority(os.PRIO_PROCESS, self._child.pid, _NICE)
        except OSError as error:
            self._ended(f"could not be started: {error}")

    def _reap(self) -> None:
        if self._child is None or self._child.poll() is None:
            return
        code, self._child = self._child.returncode, None
        self._ended("" if code == 0 else f"ended with {code}")

    def _ended(self, failure: str) -> None:
        self._succeeded = not failure
        self._not_before = self._clock() + RETRY_SECONDS
        if failure:
            self._warn(f"compaction {failure}: {' '.join(self._command)}; next try in {RETRY_SECONDS / 60:.0f} minutes")
