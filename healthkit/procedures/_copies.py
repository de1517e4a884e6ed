"""Copies of files that are on disk when the call returns, with the hash of what was written.

Only regular files are opened, never through a link: a FIFO hangs whoever reads it, and a link may lead anywhere.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from healthkit.checks._context import printable
from healthkit.errors import ProcedureError
from healthkit.files import sync_folder
from healthkit.manifests import BackedFile, BackedLink

_CHUNK = 1 << 20


@dataclass
class Copied:
    """What a tree's copy holds, and what it could not take."""

    files: list[BackedFile] = field(default_factory=list)
    links: list[BackedLink] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What belongs in it and could not be read."""
    left: list[str] = field(default_factory=list)
    """What was left out on purpose: FIFOs, sockets, devices, links to elsewhere."""


def copy_file(source: Path, target: Path, *, name: str) -> BackedFile:
    """Copy one regular file, mode 0600, owner kept where we may give files away.

    Args:
        source: A regular file; no link.
        target: Must not exist.
        name: Its path in the backup.

    Raises:
        OSError: It cannot be read or written, or is no regular file.
    """
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as reader:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(22, "not a regular file", str(source))
        digest, size = hashlib.sha256(), 0
        out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(out, "wb") as writer:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                size += writer.write(chunk)
            writer.flush()
            keep_owner(out, status)
            os.fsync(out)
    mode = stat.S_IMODE(status.st_mode)
    return BackedFile(name, size, digest.hexdigest(), str(source), mode, status.st_uid, status.st_gid)


def keep_owner(fd: int, status: os.stat_result) -> None:
    """Give a copy to the owner of its source; only root may."""
    if os.geteuid() == 0:
        os.fchown(fd, status.st_uid, status.st_gid)


def copy_tree(source: Path, target: Path, *, name: str, without: Iterable[Path] = ()) -> Copied:
    """Copy the regular files below a folder into a new folder; links inside it are noted, not followed.

    A file that vanishes meanwhile is none: whoever removed it wanted that.

    Args:
        source: The folder.
        target: Where its content goes; made if it does not exist, mode 0700.
        name: The path of *target* in the backup.
        without: Folders below it that are left out.
    """
    copied, excluded = Copied(), {path.resolve() for path in without}
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, status in walk(source, copied.faults, excluded):
        relative = path.relative_to(source)
        there, called = target / relative, f"{name}/{relative}"
        try:
            called.encode()
        except UnicodeEncodeError:
            copied.faults.append(f"{printable(path)}: its name is no text")
            continue
        if stat.S_ISLNK(status.st_mode):
            _note_link(path, source, called, copied)
        elif not stat.S_ISREG(status.st_mode):
            copied.left.append(f"{printable(path)}: a FIFO, socket or device")
        else:
            there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                copied.files.append(copy_file(path, there, name=called))
            except FileNotFoundError:
                continue
            except PermissionError as error:
                copied.faults.append(f"{printable(path)}: {error.strerror}")
    return copied


def walk(
    folder: Path, faults: list[str], without: Iterable[Path] = frozenset()
) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder but folders, by name; what cannot be listed goes to *faults*."""

    def closed(error: OSError) -> None:
        faults.append(f"{printable(error.filename)}: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=closed):
        folders[:] = sorted(name for name in folders if (Path(parent) / name).resolve() not in without)
        for name in sorted([*names, *(name for name in folders if (Path(parent) / name).is_symlink())]):
            path = Path(parent) / name
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue


def _note_link(path: Path, source: Path, called: str, copied: Copied) -> None:
    target = os.readlink(path)  # noqa: PTH115 - as it is written, not as a Path would clean it
    end = path.resolve()
    if end.is_relative_to(source.resolve()) and not Path(target).is_absolute():
        copied.links.append(BackedLink(called, os.fsencode(target).decode("utf-8", "backslashreplace")))
    else:
        copied.left.append(f"{printable(path)}: a link to {printable(end)}, which is not in the backup")


def sync_tree(folder: Path) -> None:
    """Wait until every name below a folder is on disk, the deepest first."""
    for parent, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(parent))


def require_room(folder: Path, needed: int) -> int:
    """Free bytes at *folder*, or at what will hold it.

    Raises:
        ProcedureError: They are fewer than *needed*.
    """
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    room = os.statvfs(place)
    free = room.f_bavail * room.f_frsize
    if free < needed:
        from healthkit.quantities import quantity

        message = f"{place} has {quantity(free, 'bytes')} free, {quantity(needed, 'bytes')} are needed"
        raise ProcedureError(message, hint="Make room, keep fewer backups (`backups: keep`), or choose another place.")
    return free
