"""What belongs in a backup, and where it lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.procedures._copies import walk
from healthkit.procedures._databases import database_bytes

if TYPE_CHECKING:
    from healthkit.config import Config

OWN = "_healthkit"
"""healthkit's own database and configuration, beside those of the application."""


@dataclass(frozen=True)
class Sources:
    """The databases, configuration and samples of a host."""

    home: Path
    config: Config

    def databases(self) -> dict[str, Path]:
        """By name."""
        asked = {database.name: Path(database.path) for database in self.config.databases}
        own = self.home / "health.db"
        return asked | ({OWN: own} if own.exists() else {})

    def configurations(self) -> dict[str, Path]:
        """Folders, by their place in the backup."""
        application = self.config.application
        trees = {"config": Path(application.config)} if application else {}
        own = self.home / "config"
        return trees | ({f"config/{OWN}": own} if own.is_dir() else {})

    def bytes(self) -> int:
        """Size of everything, at this moment."""
        backups = self.config.backups
        samples = [self.home / "metrics"] if backups and backups.metrics else []
        return sum(bytes_of(path) for path in (*self.databases().values(), *self.configurations().values(), *samples))


def bytes_of(path: Path) -> int:
    """Size of a database with its WAL, or of everything below a folder; 0 if there is none."""
    if path.is_file():
        return database_bytes(path)
    return sum(status.st_size for _, status in walk(path, [])) if path.is_dir() else 0
