"""What a damaged database is replaced by: the newest good backup, or what can be salvaged of itself if that loses less."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import StoreError
from healthkit.manifests import Backup, backup_folders, digest, read_manifest
from healthkit.procedures._copies import copy_file, require_room
from healthkit.procedures._databases import faults_of
from healthkit.procedures._placements import BESIDE
from healthkit.procedures._ranges import quoted
from healthkit.procedures._salvages import salvage
from healthkit.quantities import utc

if TYPE_CHECKING:
    from healthkit.procedures._losses import Salvaged


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what it costs."""

    path: Path
    """A private copy of it, verified."""
    origin: str
    """`backup <name>` or `salvage`."""
    report: str
    """What was saved and what was lost."""
    lossy: bool
    """Whether rows were, or may have been, lost."""


def copies_of(directory: Path, name: str, workspace: Path, tried: dict[str, str]) -> Iterator[tuple[Backup, Path]]:
    """Good copies of a database, newest first: hash, integrity, schema and rows as its manifest says.

    Args:
        directory: Where the backups are.
        name: The database's.
        workspace: Where the copies go.
        tried: Gets the reason for each backup that was not good enough.
    """
    for folder in backup_folders(directory):
        try:
            backup = Backup(folder, read_manifest(folder))
        except (StoreError, OSError) as error:
            tried[folder.name] = str(error)
            continue
        backed = next((one for one in backup.manifest.databases if one.name == name), None)
        file = next((file for file in backup.manifest.files if backed and file.path == backed.path), None)
        if backed is None or file is None:
            tried[folder.name] = f"database {name} is not in it"
            continue
        target = workspace / f"{folder.name}.db"
        target.unlink(missing_ok=True)
        try:
            copied = copy_file(folder / file.path, target, name=file.path)
        except OSError as error:
            tried[folder.name] = f"{file.path}: {error.strerror}"
            continue
        fault = (
            "another SHA-256 than its manifest says"
            if copied.sha256 != file.sha256
            else next(faults_of(target, backed), "")
        )
        if not fault and digest(target) == file.sha256:
            yield backup, target
        else:
            tried[folder.name] = fault or "it changed when it was opened"


def choose(
    damaged: Path, backups: Path | None, name: str, workspace: Path, *, prefer: str
) -> tuple[Choice | None, dict[str, str]]:
    """The better of the newest good backup and of a salvage; None where there is neither.

    Args:
        damaged: The database as it was kept aside, with its WAL.
        backups: Where the backups are; None without any.
        name: The database's.
        workspace: An empty private folder.
        prefer: `backup` or `salvage` where one is wanted whatever it loses; else empty.

    Returns:
        The choice, and why each backup or the salvage was not it.
    """
    tried: dict[str, str] = {}
    stock = copies_of(backups, name, workspace, tried) if backups is not None and backups.is_dir() else iter(())
    backup, copy = next(stock, (None, None))
    saved, file = (None, workspace / "none") if prefer == "backup" and backup else _salvage(damaged, workspace, tried)
    if backup is None or copy is None:
        return (Choice(file, "salvage", _told(saved), saved.lost != 0) if saved else None), tried
    kept = f"backup {backup.folder.name}"
    if saved is None:
        message = f"all of {kept}; what was written since {utc(backup.manifest.created)} is lost"
        return Choice(copy, kept, message, lossy=True), tried
    newer, older, changed = _differences(file, copy, saved)
    whole = not any(table.trouble for table in saved.tables.values())
    counts = f"the backup lacks {newer} rows of the salvage, the salvage lacks {older} of the backup; {changed} differ"
    # Rows that differ were changed since, or by the damage: only where every table could be read are they taken for news.
    if prefer == "salvage" or older < newer or (older == newer and changed and whole):
        tried[backup.folder.name] = counts
        return Choice(file, "salvage", f"{_told(saved)}; {counts}", saved.lost != 0), tried
    tried["salvage"] = counts
    return Choice(copy, kept, f"all of {kept}; {counts}", lossy=bool(newer or changed or not whole)), tried


def _salvage(damaged: Path, workspace: Path, tried: dict[str, str]) -> tuple[Salvaged | None, Path]:
    """Of a copy: a salvage writes to what it reads."""
    copy, target = workspace / "damaged.db", workspace / "salvaged.db"
    if not damaged.exists():
        tried["salvage"] = "the file is missing: there is nothing to read"
        return None, target
    require_room(workspace, 2 * damaged.stat().st_size)
    for suffix in ("", *(s for s in BESIDE if s != "-shm")):
        source = damaged.with_name(damaged.name + suffix)
        if source.exists():
            shutil.copyfile(source, copy.with_name(copy.name + suffix))
    try:
        saved = salvage(copy, target)
    except sqlite3.Error as error:
        tried["salvage"] = f"nothing can be read: {error}"
        return None, target
    if saved.faults or not saved.rows:
        tried["salvage"] = saved.faults[0] if saved.faults else "no row can be read"
        return None, target
    return saved, target


def _told(saved: Salvaged | None) -> str:
    return "; ".join(map(str, saved.tables.values())) if saved else ""


def _differences(salvaged: Path, copy: Path, saved: Salvaged) -> tuple[int, int, int]:
    """Rows that only the salvage has, that only the backup has, by rowid, and that both have and that differ.

    SQLite has no checksums: whether a row was changed since, or by the damage, cannot be told. A row that was deleted since counts for the backup: in doubt it is taken, which is sound.
    """
    newer = older = changed = 0
    with closing(sqlite3.connect(salvaged)) as db:
        db.execute("ATTACH ? AS backup", [str(copy)])
        there = {name for (name,) in db.execute("SELECT name FROM backup.sqlite_master WHERE type = 'table'")}
        for table in saved.tables.values():
            if table.name in there:
                new = _only_in(db, "main", "backup", table.name)
                newer, changed = newer + new, changed + _only_in(db, "main", "backup", table.name, "*") - new
                older += _only_in(db, "backup", "main", table.name)
            else:
                newer += table.rows
        for name in there - saved.tables.keys():
            if not name.startswith("sqlite_"):
                older += db.execute(f"SELECT count(*) FROM backup.{quoted(name)}").fetchone()[0]  # noqa: S608
    return newer, older, changed


def _only_in(db: sqlite3.Connection, one: str, other: str, table: str, what: str = "rowid") -> int:
    name = quoted(table)
    try:
        db.execute(f"SELECT rowid FROM {one}.{name} LIMIT 0")  # noqa: S608
        what = f"rowid, {what}" if what == "*" else what
    except sqlite3.OperationalError:  # WITHOUT ROWID
        what = "*"
    query = f"SELECT count(*) FROM (SELECT {what} FROM {one}.{name} EXCEPT SELECT {what} FROM {other}.{name})"  # noqa: S608
    try:
        return int(db.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # another number of columns
        return int(db.execute(f"SELECT count(*) FROM {one}.{name}").fetchone()[0])  # noqa: S608
