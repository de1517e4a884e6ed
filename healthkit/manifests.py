"""What a backup says about itself: `<directory>/<UTC stamp>/manifest.json`.

The one reader and writer of manifests. A backup's age is the manifest's own `created`, never a file's mtime: that
changes by a touch, and stays by `cp -p`.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from healthkit.errors import StoreError

NAME = "manifest.json"
STAMP = "%Y%m%dT%H%M%SZ"
"""How a backup's folder is named, in UTC."""
_STAMP = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T_-]?(\d\d)[:-]?(\d\d)[:-]?(\d\d)Z?\Z", re.ASCII)


class BackedFile(Struct, frozen=True):
    """One file of a backup."""

    path: str
    """Relative to the backup's folder, with slashes."""
    bytes: int
    """Size."""
    sha256: str
    """Of the content, in hex."""
    source: str = ""
    """What it is a copy of; empty where the backup does not say."""
    mode: int | None = None
    """Permission bits of the source: the copy itself is 0600."""
    uid: int | None = None
    """Owner of the source."""
    gid: int | None = None


class BackedLink(Struct, frozen=True):
    """A symbolic link between two files of a backup, kept by name alone."""

    path: str
    """Relative to the backup's folder."""
    target: str
    """As the link says it."""


class BackedDatabase(Struct, frozen=True):
    """One SQLite database of a backup, counted in the copy itself."""

    name: str
    """As in the configuration; `_healthkit` is healthkit's own."""
    path: str
    """Relative to the backup's folder."""
    tables: dict[str, int]
    """Rows of every table."""
    schema: str
    """SHA-256 of the schema's SQL, in hex."""
    journal_mode: str = "delete"
    """Of the source; the copy is `delete`, one file and whole."""
    version: int = 0
    """The application's own number of the schema: `PRAGMA user_version`."""
    seconds: float = 0.0
    """How long copying and counting took."""


class Manifest(Struct, frozen=True):
    """What a backup says about itself."""

    created: datetime
    """When it was begun, UTC: everything committed before is in it."""
    host: str
    """Which host it is of."""
    files: tuple[BackedFile, ...] = ()
    """Every file in it but the manifest."""
    databases: tuple[BackedDatabase, ...] = ()
    """Every database in it."""
    links: tuple[BackedLink, ...] = ()
    """Every link it knows of."""
    faults: tuple[str, ...] = ()
    """What should be in it and is not, or is not sound: it is a backup, and not a good one."""
    seconds: float = 0.0
    """How long making it took."""
    version: int = 1
    """Of this format."""


class Backup(Struct, frozen=True):
    """A whole backup on disk."""

    folder: Path
    """Where it lies."""
    manifest: Manifest
    """What it says about itself."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        StoreError: It is damaged, or of a later format.
        OSError: It cannot be read.
    """
    path = folder / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {error}") from error
    if manifest.version != 1 or manifest.created.tzinfo is None:
        raise StoreError(
            f"{path}: version {manifest.version}, created {manifest.created}: not readable by this version"
        )
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as the JSON of its file."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def stamp_of(name: str) -> datetime | None:
    """The time in a folder's name, UTC; None if it is not named like a backup.

    >>> stamp_of("20261123T060000Z").isoformat()
    '2026-11-23T06:00:00+00:00'
    >>> stamp_of("lost+found") is None
    True
    """
    match = _STAMP.match(name)
    try:
        return datetime(*map(int, match.groups()), tzinfo=UTC) if match else None  # type: ignore[arg-type,misc]
    except ValueError:
        return None


def backup_folders(directory: Path) -> Iterator[Path]:
    """Folders named like a backup, newest first by name; no links, so that `latest` counts once.

    Raises:
        OSError: The directory cannot be read.
    """
    named = {folder: stamp_of(folder.name) for folder in directory.iterdir() if not folder.is_symlink()}
    dated = [(stamp, folder) for folder, stamp in named.items() if stamp and folder.is_dir()]
    return (folder for _, folder in sorted(dated, reverse=True))


def newest_backup(directory: Path) -> Backup | None:
    """The newest backup with a readable manifest; None if there is none.

    Raises:
        OSError: The directory cannot be read.
    """
    found = []
    for folder in backup_folders(directory):
        try:
            found.append(Backup(folder, read_manifest(folder)))
        except (StoreError, OSError):
            continue  # unfinished or damaged: the check of backups says so, others want the last good one
    return max(found, key=lambda backup: backup.manifest.created, default=None)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_read_only(path: Path, *, timeout: float = 2) -> closing[sqlite3.Connection]:
    """An SQLite database, opened so that a missing one is an error and not a new file.

    Not `immutable`: a WAL that a writer holds must be read along.
    Source: https://www.sqlite.org/uri.html

    Raises:
        sqlite3.Error: There is none, or it cannot be opened.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return closing(sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None))


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows of every table."""
    tables = [name for (name,) in connection.execute(_TABLES)]
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in tables}
    return {name: int(connection.execute(f"SELECT count(*) FROM {quoted[name]}").fetchone()[0]) for name in tables}  # noqa: S608 - a name cannot be a parameter; it is quoted


def schema_digest(connection: sqlite3.Connection) -> str:
    """SHA-256 of the schema's SQL, in hex: what a restored database must have in common with its original."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name")
    return hashlib.sha256("\n".join("|".join(map(str, row)) for row in rows).encode()).hexdigest()


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
