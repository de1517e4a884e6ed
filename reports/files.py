"""Files of the archive and the outbox: whole or not there, one writer of a folder at a time."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from healthkit.files import write_atomically


def write(path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Replace a file as a whole, in a folder that is made if need be. Text that no encoding has becomes `?`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content if isinstance(content, bytes) else content.encode("utf-8", "replace"), mode=mode)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; waits for another process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder: Path, *, older: float = 0) -> None:
    """Remove what a killed run left behind: hidden temporary files and folders.

    Args:
        folder: Where.
        older: Seconds since their last change; 0 only where nobody else can be writing.
    """
    for path in [*folder.glob(".*.tmp"), *folder.glob(".making-*")]:
        with suppress(FileNotFoundError):  # its owner was alive and has finished
            if time.time() - path.stat().st_mtime >= older:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
