"""A damaged file kept aside, and a good one put in its place, so that a crash at any moment leaves the one or the other."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from healthkit.files import sync_folder
from healthkit.manifests import digest
from healthkit.procedures._copies import copy_file, require_room

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database. A WAL left beside a restored one would be replayed over it."""


def keep_aside(path: Path, stamp: str) -> list[Path]:
    """Copy a file, with what lies beside it, to `<file>.corrupted.<stamp>`, owner and mode kept; the original stays.

    The WAL's copy is named after the copy, so that SQLite reads both together.

    Raises:
        ProcedureError: There is no room.
        OSError: It cannot be read or written.
    """
    kept = path.with_name(f"{path.name}.corrupted.{stamp}")
    pairs = [(_beside(path, suffix), _beside(kept, suffix)) for suffix in ("", *BESIDE)]
    pairs = [(source, target) for source, target in pairs if source.exists()]
    require_room(path.parent, sum(source.stat().st_size for source, target in pairs if not target.exists()))
    for source, target in pairs:
        if target.exists():
            continue
        partial = target.with_name(f"{target.name}.partial")
        partial.unlink(missing_ok=True)  # of a run that was killed
        copy_file(source, partial, name=source.name)
        partial.chmod(stat.S_IMODE(source.stat().st_mode))
        partial.rename(target)
    sync_folder(path.parent)
    return [target for _, target in pairs]


def prepared_path(path: Path, stamp: str) -> Path:
    """Where the file waits that will take its place: in the same folder, so that a rename is enough."""
    return path.with_name(f".{path.name}.recovered.{stamp}")


def settle(prepared: Path, *, mode: int | None, uid: int | None, gid: int | None) -> str:
    """Owner, mode and content of a prepared file onto the disk; its SHA-256.

    Raises:
        OSError: It cannot be written.
    """
    fd = os.open(prepared, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.geteuid() == 0 and uid is not None and gid is not None:
            os.fchown(fd, uid, gid)
        if mode is not None:
            os.fchmod(fd, mode)  # after the owner: that clears set-id bits
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(prepared.parent)
    return digest(prepared)


def place(path: Path, prepared: Path, sha256: str) -> bool:
    """Put the prepared file in its place; whether there was anything left to do.

    The old WAL goes first: what was written to it is kept aside.

    Raises:
        OSError: It cannot be written, or the prepared file is gone and not in its place.
    """
    if not prepared.exists() and path.exists() and digest(path) == sha256:
        return False
    for suffix in BESIDE:
        _beside(path, suffix).unlink(missing_ok=True)
    sync_folder(path.parent)
    prepared.rename(path)
    sync_folder(path.parent)
    return True


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
