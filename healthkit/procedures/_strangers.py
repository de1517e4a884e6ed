"""A backup of another tool: a folder with databases and `config/`, and nothing that says what should be in it.

What lies in it can be read, opened and parsed like any other; when it was made, and whether anything is missing, cannot be
told.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from healthkit.checks._context import printable
from healthkit.errors import ProcedureError
from healthkit.manifests import BackedDatabase, BackedFile, Backup, Manifest, digest
from healthkit.procedures._copies import walk

TOOL = "without a manifest"
"""Host of such a manifest: nobody says which one it is of."""
_DATABASES = {".db", ".sqlite", ".sqlite3"}
_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True)
class _Seen:
    """One regular file."""

    file: BackedFile
    database: bool


def describe(folder: Path) -> Manifest:
    """A manifest of what lies in a folder, as it is now: it can be restored by it, not judged by its age.

    Raises:
        ProcedureError: The folder is empty, or is not there.
        OSError: It cannot be read.
    """
    faults: list[str] = []
    seen = [_look(path, folder) for path, status in walk(folder, faults) if stat.S_ISREG(status.st_mode)]
    if not seen and not faults:
        hint = "See why the backup left nothing there, and make another: healthkit run backup --apply."
        raise ProcedureError(f"{folder} is no backup: there is no file in it", hint=hint)
    databases = tuple(BackedDatabase(Path(s.file.path).stem, s.file.path, {}, "") for s in seen if s.database)
    newest = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return Manifest(newest, TOOL, tuple(s.file for s in seen), databases, faults=tuple(faults))


def is_stranger(backup: Backup) -> bool:
    """Whether its manifest is one that was made by `describe`."""
    return backup.manifest.host == TOOL


def _look(path: Path, folder: Path) -> _Seen:
    name = printable(path.relative_to(folder))
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC))
    file_ = BackedFile(name, path.stat().st_size, digest(path))
    return _Seen(file_, magic == _MAGIC or path.suffix.lower() in _DATABASES)
