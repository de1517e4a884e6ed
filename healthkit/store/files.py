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


class Replacements:
    """Files that are written one after the other and put in their places together: see `replacing`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._written: list[Path] = []

    def write(self, path: str, write: Callable[[Any], None]) -> None:
        """Put at *path* what *write* writes to the binary stream it is given.

        Raises:
            StoreError: The disk is full, read-only or broken, or the bucket is out of reach.
        """
        with _named(path):
            if self.place.directory is None:
                with self.place.filesystem.open_output_stream(path) as stream:
                    write(stream)
                return
            target = Path(path)
            make_folder(target.parent)
            self._written.append(target)
            with _temporary(target).open("wb") as stream:
                write(stream)

    def put(self) -> None:
        """Make every file durable, then visible, then its name durable.

        Raises:
            StoreError: The disk is broken.
        """
        folders = {target.parent: None for target in self._written}
        for target in self._written:
            with _named(str(target)):
                _sync(_temporary(target), os.O_RDONLY)
        while self._written:
            target = self._written[-1]
            with _named(str(target)):
                _temporary(target).replace(target)
            self._written.pop()
        for folder in folders:
            with _named(str(folder)):
                sync_folder(folder)

    def drop(self) -> None:
        """Forget what is not in its place."""
        for target in self._written:
            _temporary(target).unlink(missing_ok=True)


@contextmanager
def replacing(place: Place) -> Iterator[Replacements]:
    """Write files that appear at the end of the block, each of them old or new as a whole; none does if one cannot be written.

    One fsync a file and one a folder. In a bucket an object appears when it is complete: a put is atomic.

    Raises:
        StoreError: The disk is full, read-only or broken, or the bucket is out of reach.
    """
    files = Replacements(place)
    try:
        yield files
        files.put()
    finally:
        files.drop()


@contextmanager
def _named(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}") from error


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}{TEMPORARY}")


def remove_file(place: Place, path: str) -> None:
    """Delete a file for good."""
    if place.directory is None:
        place.filesystem.delete_file(path)
    else:
        Path(path).unlink(missing_ok=True)
        sync_folder(Path(path).parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, and make sure that a crash does not take them away."""
    if folder.is_dir():
        return
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        sync_folder(created.parent)


def sync_folder(folder: Path) -> None:
    """Wait until names created, changed or removed in the folder are on disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags)
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
