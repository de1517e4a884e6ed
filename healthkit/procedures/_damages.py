"""What is damaged: databases by SQLite's own word, configuration by its form; and what of a backup may replace the latter."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ProcedureError, StoreError
from healthkit.findings import Severity
from healthkit.manifests import backup_folders, open_read_only, read_manifest
from healthkit.procedures._choices import Choice
from healthkit.procedures._copies import copy_file, walk
from healthkit.procedures._journals import Item
from healthkit.procedures._placements import BESIDE
from healthkit.procedures._restores import configuration_fault
from healthkit.procedures._sources import Sources

if TYPE_CHECKING:
    from healthkit.config import Config
    from healthkit.procedures._scenes import Scene


@dataclass(frozen=True)
class Damages:
    """The databases and the configuration of a host."""

    home: Path
    config: Config
    scene: Scene
    """Whose workspace holds copies."""

    def find(self) -> dict[str, Item]:
        """Everything that is damaged.

        Raises:
            ProcedureError: A database cannot be asked.
        """
        found = {}
        for name, path in self._sources.databases().items():
            if fault := self._database(path):
                found[name] = Item(str(path), "database", fault)
        for path in self._configurations():
            if fault := configuration_fault(path) or "":
                found[str(path)] = Item(str(path), "configuration", fault)
        return found

    def of(self, item: Item) -> str:
        """Why one is damaged; empty if it is not."""
        path = Path(item.path)
        if item.kind == "database":
            return self._database(path)
        return (configuration_fault(path) or "") if path.exists() else "is missing"

    @property
    def looked(self) -> str:
        """What was looked at."""
        return f"{len(self._sources.databases())} databases, {len(self._configurations())} files of configuration"

    def configuration(
        self, item: Item, directory: Path | None, workspace: Path
    ) -> tuple[Choice | None, dict[str, str]]:
        """The newest good copy of a file of configuration, with the owner and mode that its source had.

        Args:
            item: The file; its owner and mode are brought up to date.
            directory: Where the backups are.
            workspace: An empty private folder.

        Returns:
            The choice, and why newer copies were not it.
        """
        tried: dict[str, str] = {}
        for folder in backup_folders(directory) if directory and directory.is_dir() else ():
            try:
                manifest = read_manifest(folder)
                file = next((f for f in manifest.files if f.source == item.path), None)
                if file is None:
                    tried[folder.name] = "the file is not in it"
                    continue
                target = workspace / folder.name
                target.mkdir()
                copied = copy_file(folder / file.path, target / Path(item.path).name, name=file.path)
            except (StoreError, OSError) as error:
                tried[folder.name] = str(error)
                continue
            fault = configuration_fault(target / Path(item.path).name)
            if copied.sha256 != file.sha256 or fault:
                tried[folder.name] = fault or "another SHA-256 than its manifest says"
                continue
            item.mode, item.uid, item.gid = file.mode, file.uid, file.gid
            report = "as it was then; what was changed since is lost"
            return Choice(target / Path(item.path).name, f"backup {folder.name}", report, lossy=True), tried
        return None, tried

    def _database(self, path: Path) -> str:
        """A change that was cut off (a journal beside it) is undone in a copy: to look at it must not write to it."""
        try:
            return database_fault(path)
        except ProcedureError:
            if not path.with_name(f"{path.name}-journal").exists():
                raise
        copy = self.scene.workspace / "looked-at.db"
        for suffix in ("", *BESIDE):
            source, target = path.with_name(path.name + suffix), copy.with_name(copy.name + suffix)
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, target)
        try:
            with closing(sqlite3.connect(copy)) as database:
                database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            return f"is damaged: {error}"
        return database_fault(copy)

    @property
    def _sources(self) -> Sources:
        return Sources(self.home, self.config)

    def _configurations(self) -> list[Path]:
        trees = [tree for tree in self._sources.configurations().values() if tree.is_dir()]
        return [path for tree in trees for path, _ in walk(tree, []) if path.is_file() and not path.is_symlink()]


def database_fault(path: Path) -> str:
    """Why a database is damaged; empty if it is not. Opened read only: a service may be at work.

    Raises:
        ProcedureError: It cannot be asked: locked, or not ours to read.
    """
    if not path.exists():
        return "is missing"
    if path.stat().st_size == 0:
        return "is empty: 0 bytes"
    try:
        with open_read_only(path, timeout=10) as database:
            errors = [str(row[0]) for row in database.execute("PRAGMA integrity_check(20)")]
            tables = database.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise ProcedureError(f"{path} cannot be examined: {error}", severity=Severity.UNKNOWN) from error
    except sqlite3.DatabaseError as error:
        return f"is damaged: {error}"
    if errors != ["ok"]:
        return f"is damaged: {errors[0].splitlines()[-1]}"
    return "" if tables else "has no tables at all"
