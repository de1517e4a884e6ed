"""What a procedure for an emergency goes by where the home's own configuration cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from healthkit.config import Backups, Config, config_path, parse_config
from healthkit.errors import ConfigError, StoreError
from healthkit.manifests import backup_folders, digest, read_manifest


@dataclass(frozen=True)
class Stopgap:
    """A configuration, and where it comes from."""

    config: Config
    origin: str
    """In words."""
    whole: bool
    """Whether it names what there is to look after; the defaults name nothing of this host."""


def stopgap(home: Path, directory: str = "") -> Stopgap:
    """The configuration in the newest backup that has a sound one; the defaults without.

    Args:
        home: Whose configuration cannot be used.
        directory: Where the backups are; by default where they are made if nothing is configured, and below the home.
    """
    places = [Path(directory)] if directory else [Path(Backups().directory), home / "backups"]
    there = [place for place in places if place.is_dir()]
    for place in there:
        for folder in backup_folders(place):
            config = _backed_up(folder, str(config_path(home)))
            if config is not None:
                backups = replace(config.backups or Backups(), directory=str(place))
                return Stopgap(
                    replace(config, backups=backups), f"the one in backup {folder.name} of {place}", whole=True
                )
    found = Backups(directory=str(there[0])) if there else None
    return Stopgap(Config(backups=found), "the defaults", whole=False)


def _backed_up(folder: Path, source: str) -> Config | None:
    """The configuration in a backup, if it is whole and can be used."""
    try:
        file = next(file for file in read_manifest(folder).files if file.source == source)
        if digest(folder / file.path) != file.sha256:
            return None
        return parse_config((folder / file.path).read_text(encoding="utf-8"))
    except (StopIteration, StoreError, ConfigError, OSError, UnicodeDecodeError):
        return None
