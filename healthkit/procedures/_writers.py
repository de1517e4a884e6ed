"""Which processes hold a file open for writing: one that was rotated away under them gets their lines until it is gone.

Source: proc(5), /proc/pid/fd and /proc/pid/fdinfo.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_ACCESS = 0o3
"""The bits of `flags` that tell reading from writing: O_ACCMODE."""


@dataclass(frozen=True)
class Writers:
    """What /proc shows."""

    by_inode: dict[tuple[int, int], tuple[int, ...]]
    """Process identifiers, by device and inode of the file."""
    blind: int
    """Processes whose files we may not see."""

    def of(self, inode: tuple[int, int]) -> tuple[int, ...]:
        """Who writes to this file."""
        return self.by_inode.get(inode, ())


def writers(inodes: Iterable[tuple[int, int]], *, proc: Path = Path("/proc")) -> Writers:
    """Which processes but this one hold one of the files open for writing."""
    wanted, found, blind = set(inodes), dict[tuple[int, int], list[int]](), 0
    for process in proc.iterdir() if wanted else ():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            descriptors = list((process / "fd").iterdir())
        except PermissionError:
            blind += 1
            continue
        except OSError:
            continue  # it ended while we looked
        for descriptor in descriptors:
            inode = _written(descriptor, process)
            if inode in wanted:
                found.setdefault(inode, []).append(int(process.name))
    return Writers({inode: tuple(dict.fromkeys(pids)) for inode, pids in found.items()}, blind)


def _written(descriptor: Path, process: Path) -> tuple[int, int] | None:
    """Device and inode of a descriptor of a regular file that is open for writing."""
    try:
        if not str(descriptor.readlink()).startswith("/"):
            return None  # a pipe or socket, cheap to tell; /dev and hung mounts are not asked below
        info = (process / "fdinfo" / descriptor.name).read_text(encoding="ascii")
        flags = next((line.split()[1] for line in info.splitlines() if line.startswith("flags:")), "0")
        if not int(flags, 8) & _ACCESS:
            return None
        status = descriptor.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def name_of(pid: int, *, proc: Path = Path("/proc")) -> str:
    """`nginx (process 123)`, or just the number where it has ended."""
    try:
        name = (proc / str(pid) / "comm").read_text(encoding="utf-8", errors="backslashreplace").strip()
    except OSError:
        return f"process {pid}"
    return f"{name} (process {pid})"


def family(pid: int, *, proc: Path = Path("/proc")) -> set[int]:
    """A process and its children."""
    members = {pid}
    for process in proc.iterdir():
        if process.name.isdigit():
            try:
                parent = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            except (OSError, IndexError):
                continue
            if int(parent) == pid:
                members.add(int(process.name))
    return members
