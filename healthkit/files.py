"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Replace *path* with *content*: a reader sees the old or the new whole, also after a power cut.

    A temporary file in the same folder, fsync, rename, fsync of the folder. The temporary file is removed on failure.

    Raises:
        OSError: The folder cannot be written; *path* is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)  # after the rename there is none
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in *folder* are on disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
