"""Files that are old or new, never half: temporary file, fsync, rename, fsync of the folder.

Every writer holds the lock of the store, so a temporary file that a lock holder finds was left by a crash.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from healthkit.errors import StoreError
from healthkit.store.layout import TEMPORARY, Place, stray_files


def replace_file(place: Place, path: str, write: Callable[[Any], None]) -> None:
    """Put at *path* what *write* writes to the binary stream it is given; a reader sees the old or the new whole.

    In a bucket an object appears when it is complete: a put is atomic.

    Raises:
        StoreError: The disk is full, read-only or broken, or the bucket is out of reach.
    """
    try:
        if place.directory is None:
            with place.filesystem.open_output_stream(path) as stream:
                write(stream)
        else:
            _replace_local(Path(path), write)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}") from error


def _replace_local(path: Path, write: Callable[[Any], None]) -> None:
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}{TEMPORARY}")
    try:
        with temporary.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_file(place: Place, path: str) -> None:
    """Delete a file for good."""
    if place.directory is None:
        place.filesystem.delete_file(path)
    else:
        Path(path).unlink(missing_ok=True)
        sync_folder(Path(path).parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, and make sure that a crash does not take them away."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        sync_folder(created.parent)


def sync_folder(folder: Path) -> None:
    """Wait until names created, changed or removed in the folder are on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def locked(place: Place, *, wait: float = 60) -> Iterator[None]:
    """Be the only writer of Parquet in this home; remove what a killed one left half-written.

    Readers need no lock. A bucket has none: there every host writes its own objects.

    Args:
        place: The home.
        wait: Seconds to wait for another writer.

    Raises:
        StoreError: The other writer did not finish in time, or the home cannot be written.
    """
    if place.directory is None:
        yield
        return
    path = place.directory / "lock"
    try:
        make_folder(path.parent)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        _acquire(fd, path, time.monotonic() + wait)
        for stray in stray_files(place, TEMPORARY):
            Path(stray).unlink(missing_ok=True)
        yield
    finally:
        os.close(fd)


def _acquire(fd: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreError(f"{path}: another process is writing to the store") from None
            time.sleep(0.05)
        else:
            return
