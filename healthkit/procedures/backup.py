"""Copies databases, configuration and samples, checks the copies, and removes the oldest backups.

`<directory>/<UTC stamp>/{manifest.json, databases/, config/, metrics/}`: plain files, made under a temporary name and
renamed when everything is on disk, so that a folder with a stamp is whole or not there. `latest` leads to the newest
good one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import ProcedureError
from healthkit.files import sync_folder, write_atomically
from healthkit.findings import Finding, Severity
from healthkit.manifests import (
    NAME,
    STAMP,
    BackedDatabase,
    BackedFile,
    BackedLink,
    Backup,
    Manifest,
    digest,
    encode_manifest,
)
from healthkit.procedures._copies import copy_tree, require_room, sync_tree
from healthkit.procedures._databases import copy_database, database_bytes
from healthkit.procedures._locks import alone_in
from healthkit.procedures._restic import Repository
from healthkit.procedures._retention import PARTIAL, expired, remove, shelf, sweep
from healthkit.procedures._runs import Action, Outcome
from healthkit.procedures._sources import Sources, bytes_of
from healthkit.quantities import counted, quantity

if TYPE_CHECKING:
    from healthkit.config import Backups
    from healthkit.procedures._scenes import Scene

ACTS = True

_MARGIN = 16 * 2**20
_LOOK = "See why, then run it again: healthkit run backup --apply. Until then there is no backup of it."


def steps(scene: Scene) -> Iterator[Action]:
    """Room, copies, publication, retention, second target."""
    config = scene.config.backups
    if config is None:
        hint = "Say where they go under `backups:` in healthkit.yaml."
        raise ProcedureError("no backups are configured", severity=Severity.INFO, hint=hint)
    making = _Making(scene, config)
    yield Action("room", making.room)
    yield Action("begin", making.begin, making.plan_begin)
    yield Action("databases", making.databases, making.plan_databases)
    yield Action("configuration", making.configuration, making.plan_configuration)
    if config.metrics:
        yield Action("metrics", making.metrics, making.plan_metrics)
    yield Action("publish", making.publish, making.plan_publish)
    yield Action("retention", making.retention, making.plan_retention)
    if config.restic is not None:
        yield Action("restic", making.second, making.plan_second)


class _Making:
    """A backup under way."""

    def __init__(self, scene: Scene, config: Backups) -> None:
        self._scene = scene
        self._config = config
        self._directory = Path(config.directory)
        self._final = self._directory / scene.now.strftime(STAMP)
        self._partial = self._directory / f".{self._final.name}{PARTIAL}"
        self._began = time.monotonic()
        self._sources = Sources(scene.home, scene.config)
        self._files: list[BackedFile] = []
        self._databases: list[BackedDatabase] = []
        self._links: list[BackedLink] = []
        self._faults: list[str] = []

    def room(self) -> Outcome:
        """Whether it fits, with a margin: a full disk would stop more than the backup."""
        size = self._sources.bytes()
        needed = size + size // 10 + _MARGIN
        free = require_room(self._directory, needed)
        message = f"{quantity(size, 'bytes')} to copy; {quantity(free, 'bytes')} are free"
        return Outcome(message, {"bytes": size, "needed": needed, "free": free})

    def begin(self) -> Outcome:
        """The temporary folder; what killed runs left is removed."""
        if not self._directory.exists():
            self._directory.mkdir(mode=0o700, parents=True)
            sync_folder(self._directory.parent)
        self._scene.endings.enter_context(alone_in(self._directory))
        swept = sweep(self._directory)
        if self._final.exists():
            raise ProcedureError(f"{self._final} exists already: two backups in one second")
        self._scene.endings.callback(shutil.rmtree, self._partial, ignore_errors=True)
        self._partial.mkdir(mode=0o700)
        (self._partial / "databases").mkdir(mode=0o700)
        message = f"{len(swept)} leftovers of killed runs removed" if swept else "nothing was left over"
        return Outcome(message, {"folder": str(self._final), "swept": swept})

    def plan_begin(self) -> Outcome:
        return Outcome(f"would make {self._final}", {"folder": str(self._final)})

    def databases(self) -> Outcome:
        """Every database by SQLite's own backup: a copied file lacks what is still in the WAL."""
        found: list[Finding] = []
        for name, source in self._sources.databases().items():
            inside = f"databases/{name}.db"
            if "/" in name or name.startswith("."):
                found.append(self._fault(name, "this cannot be the name of a file: choose another in healthkit.yaml"))
                continue
            try:
                backed, faults = copy_database(name, source, self._partial / inside, inside=inside)
            except (sqlite3.Error, OSError, ProcedureError) as error:
                (self._partial / inside).unlink(missing_ok=True)
                missing = not source.exists()
                found.append(self._fault(name, f"{source} is missing" if missing else f"{source}: {error}"))
                continue
            self._keep_database(source, backed)
            found += [self._fault(name, f"{source} {fault}") for fault in faults]
        rows = {database.name: sum(database.tables.values()) for database in self._databases}
        seconds = {database.name: database.seconds for database in self._databases}
        message = f"{len(rows)} of {counted(len(self._sources.databases()), 'database')}, {counted(sum(rows.values()), 'row')}"
        return Outcome(message, {"rows": rows, "seconds": seconds}, tuple(found))

    def plan_databases(self) -> Outcome:
        sources = self._sources.databases()
        sizes = {name: database_bytes(path) for name, path in sources.items()}
        missing = [
            self._scene.finding(Severity.CRITICAL, name, f"{path} is missing", hint=_LOOK)
            for name, path in sources.items()
            if not path.exists()
        ]
        return Outcome(
            f"would copy {counted(len(sizes), 'database')}: {', '.join(sizes)}", {"bytes": sizes}, tuple(missing)
        )

    def configuration(self) -> Outcome:
        """The application's files, and healthkit's own beside them."""
        return self._take(self._sources.configurations())

    def plan_configuration(self) -> Outcome:
        return self._plan_trees(self._sources.configurations())

    def metrics(self) -> Outcome:
        """The samples: no compaction moves them meanwhile; the collector goes on, and a torn last line is dropped."""
        if not (self._scene.home / "metrics").is_dir():
            return Outcome("there are no samples yet")
        from healthkit.store.files import locked
        from healthkit.store.layout import Place

        with locked(Place.open(self._scene.home)):
            return self._take({"metrics": self._scene.home / "metrics"})

    def plan_metrics(self) -> Outcome:
        return self._plan_trees({"metrics": self._scene.home / "metrics"})

    def publish(self) -> Outcome:
        """The manifest, everything on disk, the name, and the link to it."""
        if not self._files:
            raise ProcedureError("nothing could be copied, so there is no backup", hint=_LOOK)
        manifest = Manifest(
            created=self._scene.now.replace(microsecond=0),
            host=self._scene.config.host,
            files=tuple(self._files),
            databases=tuple(self._databases),
            links=tuple(self._links),
            faults=tuple(self._faults),
            seconds=round(time.monotonic() - self._began, 3),
        )
        write_atomically(self._partial / NAME, encode_manifest(manifest), mode=0o600)
        sync_tree(self._partial)
        self._partial.rename(self._final)
        sync_folder(self._directory)
        if not self._faults:
            _lead(self._directory, self._final.name)
        size = sum(file.bytes for file in self._files)
        message = f"{self._final}: {counted(len(self._files), 'file')}, {quantity(size, 'bytes')}"
        evidence: dict[str, Any] = {
            "folder": str(self._final),
            "files": len(self._files),
            "bytes": size,
            "faults": self._faults,
        }
        good = () if self._faults else (self._scene.finding(Severity.OK, "backup", message, **evidence),)
        return Outcome(message, evidence, good)

    def plan_publish(self) -> Outcome:
        return Outcome(f"would name it {self._final.name} and lead `latest` to it")

    def retention(self) -> Outcome:
        """Remove what the policy no longer keeps, oldest first."""
        going = self._expired()
        for backup in going:
            remove(backup.folder)
        names = [backup.folder.name for backup in going]
        return Outcome(f"{len(names)} old backups removed", {"removed": names})

    def plan_retention(self) -> Outcome:
        names = [backup.folder.name for backup in self._expired()] if self._directory.is_dir() else []
        message = f"would remove {len(names)} old backups{': ' if names else ''}{', '.join(names)}"
        return Outcome(message, {"would_remove": names})

    def second(self) -> Outcome:
        """Copy the backup into the restic repository."""
        if self._config.restic is None or self._faults:
            return Outcome("not copied: the backup is not whole")
        snapshot = Repository(self._scene, self._config.restic).keep(self._final)
        return Outcome(f"snapshot {snapshot[:8]} in {self._config.restic.repository}", {"snapshot": snapshot})

    def plan_second(self) -> Outcome:
        where = self._config.restic.repository if self._config.restic else ""
        return Outcome(f"would copy it to {where} by restic")

    def _take(self, trees: dict[str, Path]) -> Outcome:
        found, count, size = [], 0, 0
        for name, source in trees.items():
            if not source.is_dir():
                found.append(self._fault(name, f"{source} is no folder"))
                continue
            copied = copy_tree(source, self._partial / name, name=name, without=[self._directory])
            self._files += copied.files
            self._links += copied.links
            count, size = count + len(copied.files), size + sum(file.bytes for file in copied.files)
            found += [self._fault(name, fault) for fault in copied.faults]
            if copied.left:
                message = f"{len(copied.left)} entries of {source} are not in the backup; the first: {copied.left[0]}"
                hint = "Put the file itself there, or remove the entry."
                found.append(self._scene.finding(Severity.WARNING, name, message, hint=hint, left=copied.left[:50]))
        return Outcome(
            f"{counted(count, 'file')}, {quantity(size, 'bytes')}", {"files": count, "bytes": size}, tuple(found)
        )

    def _plan_trees(self, trees: dict[str, Path]) -> Outcome:
        sizes = {str(source): bytes_of(source) for source in trees.values() if source.is_dir()}
        return Outcome(f"would copy {', '.join(sizes) or 'nothing'}", {"bytes": sizes})

    def _keep_database(self, source: Path, backed: BackedDatabase) -> None:
        path, status = self._partial / backed.path, source.stat()
        self._databases.append(backed)
        self._files.append(
            BackedFile(
                backed.path,
                path.stat().st_size,
                digest(path),
                str(source),
                status.st_mode & 0o7777,
                status.st_uid,
                status.st_gid,
            )
        )

    def _fault(self, subject: str, message: str) -> Finding:
        """What makes it a backup that is not good, kept in its manifest too."""
        self._faults.append(f"{subject}: {message}")
        return self._scene.finding(Severity.CRITICAL, subject, message, hint=_LOOK)

    def _expired(self) -> list[Backup]:
        return expired(shelf(self._directory), self._config.keep, self._scene.config.host)


def _lead(directory: Path, name: str) -> None:
    """Point `latest` at a backup, at once."""
    temporary = directory / f".latest{PARTIAL}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    os.replace(temporary, directory / "latest")  # noqa: PTH105 - Path.replace of a link reads as if it moved the target
    sync_folder(directory)
