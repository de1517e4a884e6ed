"""Today, append-only: `HOME/metrics/journal/<host>-<date>.csv`.

One line a reading: `ts,metric,device,value,crc32`; ts in milliseconds UTC, value as Python's shortest exact float, the
CRC-32 (ISO-HDLC, as in zlib) of everything before it in eight hex digits. One `write` and one `fdatasync` a tick: when
`append` returns, its readings survive a crash. A torn tail is dropped by the next reader and reported, never guessed at.

Standard library only: the resident collector imports this and must stay small.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

from healthkit.errors import StoreError
from healthkit.schema import Reading, Sample

HEADER = b"# healthkit journal 1: ts_ms,metric,device,value,crc32\n"
_SAFE = " !#$&'()*+/:;<=>?@[]^`{|}~"  # readable as they are; the comma, %, quotes and control characters are not


@dataclass(frozen=True, slots=True)
class Torn:
    """A line that could not be believed."""

    path: Path
    line: int
    """1-based."""
    text: bytes


def journal_path(home: Path, host: str, day: date) -> Path:
    """Where the readings of *host* on *day* (UTC) are appended."""
    return home / "metrics" / "journal" / f"{quote(host, safe='')}-{day.isoformat()}.csv"


def parse_path(path: Path) -> tuple[str, date]:
    """Host and day of a journal file.

    Raises:
        StoreError: The file is not named like a journal.
    """
    try:
        return unquote(path.stem[:-11]), date.fromisoformat(path.stem[-10:])
    except ValueError as error:
        raise StoreError(f"{path}: not a journal: <host>-<date>.csv") from error


def encode(ts_ms: int, reading: Reading) -> bytes:
    """One journal line, with its line feed."""
    return _line(ts_ms, reading).encode("ascii")


def _line(ts_ms: int, reading: Reading) -> str:  # text until the whole tick is there: a third faster than bytes
    metric, value, device = reading
    body = f"{ts_ms},{metric},{_quoted(device)},{float(value)!r}"
    return f"{body},{zlib.crc32(body.encode()):08x}\n"


@lru_cache(maxsize=4096)
def _quoted(device: str) -> str:
    """Quoting costs more than the rest of the line, and devices are few."""
    return quote(device, safe=_SAFE, errors="surrogateescape")


def decode(line: bytes, host: str) -> Sample | None:
    """The sample on a line (without its line feed), or None if the line is damaged."""
    body, _, checksum = line.rpartition(b",")
    try:
        if checksum != b"%08x" % zlib.crc32(body):
            return None
        ts, metric, device, value = body.decode("ascii").split(",")
        return Sample(int(ts), host, metric, unquote(device, errors="surrogateescape"), float(value))
    except ValueError:
        return None


class Journal:
    """The journal of one host, open for appending; goes to the next day's file by the time of the readings.

    Two processes may append to one file: each tick is a single `write` to a descriptor opened with O_APPEND.
    """

    def __init__(self, home: Path, host: str) -> None:
        self.home = home
        self.host = host
        self._day: date | None = None
        self._fd = -1

    def append(self, ts_ms: int, readings: Iterable[Reading]) -> int:
        """Write the readings of one tick and wait until they are on disk.

        Returns:
            How many were written.

        Raises:
            OSError: The disk is full, read-only or broken; a part of the tick may be on disk and is then a torn tail.
        """
        lines = [_line(ts_ms, reading) for reading in readings]
        if not lines:
            return 0
        fd = self._claim(datetime.fromtimestamp(ts_ms / 1000, UTC).date())
        block = "".join(lines).encode("ascii")
        try:
            written = os.write(fd, block)
            while written < len(block):  # a signal or a nearly full disk cuts a write short
                written += os.write(fd, block[written:])
            os.fdatasync(fd)
        except OSError:
            self.close()  # the next tick opens the file again, and does not write on in a torn line
            raise
        fcntl.flock(fd, fcntl.LOCK_UN)
        return len(lines)

    def _claim(self, day: date) -> int:
        """The journal of a day, open and locked: a compaction deletes a journal only while it holds the lock.

        One that was deleted since the last tick (the clock went back to a day that is compacted) is begun anew.
        """
        while True:
            if day != self._day:
                self._open(day)
            fcntl.flock(self._fd, fcntl.LOCK_SH)
            if os.fstat(self._fd).st_nlink:
                return self._fd
            self.close()

    def _open(self, day: date) -> None:
        path = journal_path(self.home, self.host, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.close()
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(fd).st_size
            if size == 0:
                os.write(fd, HEADER)
                _sync_folder(path.parent)  # the name must survive, not only the bytes
            elif not _ends_with_newline(path, size):
                os.write(fd, b"\n")  # what a crash tore stays one bad line and does not swallow the next one
        except OSError:
            os.close(fd)
            raise
        self._fd, self._day = fd, day

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._day = -1, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sync_folder(path: Path) -> None:  # healthkit.files has one too, and imports more than a resident process should
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _ends_with_newline(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def read(path: Path) -> Iterator[Sample | Torn]:
    """Every line of a journal: its sample, or `Torn` where the line is damaged."""
    host, _ = parse_path(path)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.rstrip(b"\n")
            if not text or text.startswith(b"#"):
                continue
            yield decode(text, host) or Torn(path, number, text)
