"""What lies in a folder of logs: live logs, archives of ours, and what is neither.

An archive of ours is named `<log>-<date>-<seconds since 1970>`, with `.gz` once it is compressed: no two rotations share
a name, not even in the hour that summer time repeats.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import printable
from healthkit.procedures._copies import walk

if TYPE_CHECKING:
    from healthkit.config import Logs

DATEFORMAT = "-%Y%m%d-%s"
"""Of logrotate's `dateformat`."""
_ARCHIVE = re.compile(r"(?P<log>.+)-\d{8}-(?P<stamp>\d{9,11})(?P<gz>\.gz)?\Z", re.ASCII)
_LIVE = (".log", ".err", ".out")
_WRITABLE = re.compile(r"[\w ./+:@%,=-]+\Z", re.ASCII)
"""Names that mean nothing else inside the quotes of logrotate's configuration, nor to glob(3)."""
_GIANT = 1 << 30
COUNTED = 1 << 28
"""Bytes up to which the lines of a file are counted."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LogFile:
    """A regular file, as it was when we looked."""

    path: Path
    inode: tuple[int, int]
    """Device and inode: what a rename keeps."""
    bytes: int
    allocated: int
    """Bytes on disk."""
    mtime_ns: int

    @property
    def stamp(self) -> int:
        """When an archive was made, seconds since 1970, by its name."""
        match = _ARCHIVE.match(self.path.name)
        return int(match["stamp"]) if match else 0

    @property
    def compressed(self) -> bool:
        """Whether it is an archive that gzip made."""
        return self.path.suffix == ".gz"


@dataclass
class Inventory:
    """The files of one folder."""

    folder: Path
    live: dict[Path, LogFile] = field(default_factory=dict)
    """Logs that can be rotated."""
    archives: dict[Path, LogFile] = field(default_factory=dict)
    """Archives that earlier rotations of ours made."""
    others: list[LogFile] = field(default_factory=list)
    """Regular files that are neither: somebody else's."""
    odd: dict[str, str] = field(default_factory=dict)
    """What is left alone, with the reason."""

    @property
    def allocated(self) -> int:
        """Bytes on disk, of everything."""
        return sum(log.allocated for log in (*self.live.values(), *self.archives.values(), *self.others))


@dataclass
class World:
    """All folders at one moment."""

    folders: list[Inventory] = field(default_factory=list)

    @classmethod
    def of(cls, config: Logs) -> World:
        """The configured folders that are there, as they are now."""
        return cls([look(Path(name)) for name in config.directories if Path(name).is_dir()])

    @property
    def live(self) -> dict[Path, LogFile]:
        """Logs that can be rotated."""
        return {path: log for folder in self.folders for path, log in folder.live.items()}

    @property
    def archives(self) -> dict[Path, LogFile]:
        """Archives that earlier rotations of ours made."""
        return {path: log for folder in self.folders for path, log in folder.archives.items()}


def look(folder: Path) -> Inventory:
    """Everything below a folder; nothing is opened, no link is followed."""
    found, closed = Inventory(folder), list[str]()
    for path, status in walk(folder, closed):
        if not stat.S_ISREG(status.st_mode):
            kind = "a link: rotate what it leads to" if stat.S_ISLNK(status.st_mode) else "a FIFO, socket or device"
            found.odd[printable(path)] = kind
            continue
        allocated = status.st_blocks * 512
        log = LogFile(path, (status.st_dev, status.st_ino), status.st_size, allocated, status.st_mtime_ns)
        if _ARCHIVE.match(path.name):
            found.archives[path] = log
        elif path.suffix not in _LIVE:
            found.others.append(log)
        else:
            reason = _unfit(path, status)
            if reason:
                found.odd[printable(path)] = reason
                found.others.append(log)
            else:
                found.live[path] = log
    found.odd |= dict(entry.rsplit(": ", 1) for entry in closed)
    return found


def _unfit(path: Path, status: os.stat_result) -> str:
    """Why a log is not rotated; empty if it can be."""
    size, blocks, links = status.st_size, status.st_blocks, status.st_nlink
    if not _WRITABLE.match(str(path)):
        return "its name cannot be written into logrotate's configuration"
    if size >= _GIANT and blocks * 512 < size / 2:
        return f"sparse: {size} bytes to a reader, {blocks * 512} on disk; compressing it would read all of them"
    return "it has several hard links: a rotation would change only one" if links > 1 else ""


def count_lines(log: LogFile, path: Path | None = None, *, limit: int | None = None) -> int | None:
    """Line feeds in a regular file, or in what gzip made of it; None where there is too much to count.

    Args:
        log: The file, which says how much there is.
        path: Where it is now, if it was moved.
        limit: Count in so many bytes from the start.

    Raises:
        OSError: It cannot be read, or is damaged.
    """
    if log.bytes > COUNTED:
        return None
    place = path or log.path
    lines, left = 0, limit if limit is not None else COUNTED * 16
    with gzip.open(place) if place.suffix == ".gz" else place.open("rb") as file:
        while left and (chunk := file.read(min(_CHUNK, left))):
            lines, left = lines + chunk.count(b"\n"), left - len(chunk)
    return lines
