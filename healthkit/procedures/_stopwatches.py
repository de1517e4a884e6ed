"""What a host can do, timed: rounds of a fixed piece of work on CPU, memory and disk.

Each round is timed by itself. The median is what is compared, the spread of the rounds what it is compared by: one
number alone is as much a measure of what else ran as of the machine.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROUNDS = 7
MIB = 2**20
_HASHED = 4 * MIB
_LOOPS = 200_000
_COPIED = 32 * MIB
"""More than a processor's cache holds, so that it is memory that is timed."""
_WRITTEN = 16 * MIB
_SYNCS = 8


@dataclass(frozen=True, slots=True)
class Timing:
    """One piece of work, several rounds."""

    name: str
    what: str
    unit: str
    """`bytes/s` and `1/s`: more is better; `seconds`: less is."""
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Range of the rounds as a share of the median."""
        return (max(self.rounds) - min(self.rounds)) / self.median

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {
            "median": self.median,
            "spread": self.spread,
            "low": min(self.rounds),
            "high": max(self.rounds),
        }


def processor() -> Iterator[Timing]:
    """One core: hashing in C, and a loop in Python."""
    block = bytes(_HASHED)
    yield Timing("hash", "SHA-256 of 4 MiB", "bytes/s", _rates(lambda: hashlib.sha256(block).digest(), _HASHED))
    yield Timing("loop", "a Python loop of 200 000 additions", "1/s", _rates(lambda: sum(range(_LOOPS)), _LOOPS))


def memory() -> Iterator[Timing]:
    """Bandwidth of a copy; bytes read, and as many written, count once."""
    source, target = memoryview(bytearray(os.urandom(MIB) * (_COPIED // MIB))), memoryview(bytearray(_COPIED))

    def copy() -> None:
        target[:] = source

    copy()  # the first touch of a page is the kernel's work
    yield Timing("copy", "copying 32 MiB of memory", "bytes/s", _rates(copy, _COPIED))


def disk(folder: Path) -> Iterator[Timing]:
    """Writing until it is on the disk, waiting for small writes, and reading back without the page cache.

    Raises:
        OSError: The folder cannot be written, or is full.
    """
    block = os.urandom(MIB)
    path = folder / "benchmark"
    with _removed(path):
        yield Timing(
            "write", "writing 16 MiB and waiting for the disk", "bytes/s", _rates(lambda: _write(path, block), _WRITTEN)
        )
        yield Timing(
            "read", "reading 16 MiB that are not in the page cache", "bytes/s", _rates(lambda: _read(path), _WRITTEN)
        )
        yield Timing(
            "sync",
            "writing 4 KiB and waiting for the disk",
            "seconds",
            tuple(_sync(path, block[:4096]) for _ in range(ROUNDS)),
        )


def _rates(work: Callable[[], object], amount: float) -> tuple[float, ...]:
    return tuple(amount / _timed(work) for _ in range(ROUNDS))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _write(path: Path, block: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        for _ in range(_WRITTEN // len(block)):
            file.write(block)
        os.fsync(file.fileno())


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(MIB):
            pass


def _sync(path: Path, block: bytes) -> float:
    """Mean seconds of several small writes."""
    with path.open("r+b", buffering=0) as file:

        def write() -> None:
            for _ in range(_SYNCS):
                file.seek(0)
                file.write(block)
                os.fdatasync(file.fileno())

        return _timed(write) / _SYNCS
