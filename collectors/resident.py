"""The loop: asks every collector at every tick, and hands what they say to a writer.

One failing collector costs its own readings and nothing else, and the data say so: `collector_up` 0. A writer that
fails (a full disk) costs the ticks until it works again, and the data then say how many: `collector_lost_ticks_total`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import psutil

from healthkit.collectors import load
from healthkit.collectors.schedules import Schedule
from healthkit.errors import HealthkitError
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.bells import Bell
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("collector_up", "gauge", "1 if the collector delivered, 0 if it failed."),
    Metric("collector_seconds", "gauge", "Time that the collector took."),
    Metric("collector_skipped_ticks_total", "counter", "Ticks not measured because the one before took too long."),
    Metric("collector_lost_ticks_total", "counter", "Ticks measured that could not be written."),
)
Failure = (
    ArithmeticError,
    AttributeError,
    EOFError,
    HealthkitError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    psutil.Error,
)
"""What goes wrong in a collector, somebody else's included; running out of memory is not its own affair."""
Warn = Callable[[str], None]
Write = Callable[[int, Sequence[Reading]], object]
"""Takes milliseconds since 1970 and the readings of that moment; returns when they are safe, or raises OSError."""


class Source:
    """One collector as the loop sees it: opened when it can be, asked, and watched for its own health."""

    def __init__(self, name: str, world: World, warn: Warn) -> None:
        self.name = name
        self._world = world
        self._warn = warn
        self._ask: Any = None
        self._declared: frozenset[str] = frozenset()
        self._up = True

    def readings(self) -> list[Reading]:
        """The readings of one tick, and how the collector fared."""
        start = time.perf_counter()
        found: list[Reading] = []
        try:
            if self._ask is None:
                self._open()
            found = self._taken(self._ask())
        except Failure as error:
            self._note(error)
        else:
            self._note(None)
        found.append(Reading("collector_up", self._up, self.name))
        found.append(Reading("collector_seconds", time.perf_counter() - start, self.name))
        return found

    def prepare(self) -> None:
        """Let the collector begin what it measures from tick to tick; a failure shows, and is retried, at the first."""
        try:
            self._open()
        except Failure:
            self._ask = None

    def _open(self) -> None:
        module = load(self.name)
        self._declared = frozenset(metric.name for metric in module.METRICS)
        self._ask = module.watch(self._world) if hasattr(module, "watch") else module.collect

    def late(self) -> list[Reading]:
        """What has come since the tick."""
        try:
            return self._taken(self._ask.late()) if hasattr(self._ask, "late") else []
        except Failure as error:
            self._note(error)
            return []

    def wait(self) -> None:
        """Wait for what is still to come."""
        if hasattr(self._ask, "wait"):
            self._ask.wait()

    def _taken(self, readings: Iterable[Reading]) -> list[Reading]:
        """The readings, each of a declared metric, a text and a number: what follows need not look again."""
        found = list(readings)
        for metric, value, device in found:
            if metric not in self._declared:
                raise ValueError(f"{metric!r} is not among the METRICS of {self.name}")
            if not isinstance(device, str) or not isinstance(value, (int, float)):
                raise TypeError(f"{metric} of {device!r} is {value!r}: a device is text and a value a number")
        return found

    def _note(self, error: BaseException | None) -> None:
        up = error is None
        if up != self._up:
            self._warn(f"collector {self.name} {'is back' if up else f'failed: {type(error).__name__}: {error}'}")
        self._up = up


class Loop:
    """Asks the sources at every tick, until told to stop.

    Args:
        sources: The collectors.
        world: What they look at.
        write: Keeps the readings.
        warn: Takes a sentence for people.
        extra: Asked after the collectors, for readings about ourselves.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        world: World,
        write: Write,
        warn: Warn,
        *,
        extra: Callable[[], Iterable[Reading]] = tuple,
    ) -> None:
        self.sources = sources
        self.lost = 0
        """Ticks that could not be written."""
        self._world = world
        self._write = write
        self._warn = warn
        self._extra = extra
        self._skipped = 0
        self._writing = True

    def once(self, seconds: float = 1.0) -> list[Reading]:
        """One sample of everything: rates over *seconds*, and probes waited for until their time limits."""
        for source in self.sources:
            source.prepare()
        time.sleep(seconds)
        return [*self._measured(), *self._awaited()]

    def run(self, every: float, bell: Bell, *, duration: float | None = None) -> None:
        """Measure every *every* seconds until the bell says stop, or *duration* seconds after the first tick."""
        for source in self.sources:
            source.prepare()
        gc.freeze()  # what is there now stays: no need to look through it again and again
        schedule = Schedule(every)
        end = schedule.first + duration if duration is not None else float("inf")
        while schedule.due < end - 1e-9 and self._until(schedule.due, bell):
            now = milliseconds()
            self._skipped = schedule.skipped
            self._keep(now, [*self._measured(), *self._about_itself(), *self._extra()])
            schedule.advance()
        self._keep(milliseconds(), self._late() if bell.stopped else self._awaited())

    def _until(self, due: float, bell: Bell) -> bool:
        """Wait, writing down what comes in between; False when told to stop."""
        while not bell.stopped:
            left = due - time.monotonic()
            if left <= 0:
                return True
            if bell.wait(left):
                self._keep(milliseconds(), self._late())
        return False

    def _measured(self) -> list[Reading]:
        self._world.proc.forget()
        self._world.sys.forget()
        return [reading for source in self.sources for reading in source.readings()]

    def _late(self) -> list[Reading]:
        return [reading for source in self.sources for reading in source.late()]

    def _awaited(self) -> list[Reading]:
        for source in self.sources:
            source.wait()
        return self._late()

    def _about_itself(self) -> Iterator[Reading]:
        yield Reading("collector_skipped_ticks_total", self._skipped)
        yield Reading("collector_lost_ticks_total", self.lost)

    def _keep(self, ts: int, readings: Sequence[Reading]) -> None:
        if not readings:
            return
        try:
            self._write(ts, readings)
        except OSError as error:
            self.lost += 1
            if self._writing:
                self._warn(f"cannot write, readings are being lost: {error}")
            self._writing = False
        else:
            if not self._writing:
                self._warn(f"writing again after {self.lost} lost ticks")
            self._writing = True


def milliseconds() -> int:
    """Now, in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
