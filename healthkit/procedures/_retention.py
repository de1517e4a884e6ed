"""Which backups are whole, and which are no longer kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import StoreError
from healthkit.files import sync_folder
from healthkit.manifests import Backup, backup_folders, read_manifest

if TYPE_CHECKING:
    from healthkit.config import Keep

_RECENT = timedelta(days=1)
PARTIAL, REMOVING = ".partial", ".removing"


@dataclass(frozen=True)
class Shelf:
    """The backups of a folder."""

    good: tuple[Backup, ...]
    """Whole ones, newest first by their own word."""
    faulty: tuple[tuple[Backup, str], ...]
    """Those that lack something, with the first reason; newest first."""
    unreadable: dict[str, str]
    """Folders named like a backup that are none, with the reason: cut off, or damaged. Never removed by us."""


def shelf(directory: Path) -> Shelf:
    """What is in the folder of backups.

    Raises:
        OSError: It cannot be read.
    """
    good, faulty, unreadable = [], [], {}
    for folder in backup_folders(directory):
        try:
            backup = Backup(folder, read_manifest(folder))
        except StoreError as error:
            unreadable[folder.name] = str(error)
        except FileNotFoundError:
            unreadable[folder.name] = "it has no manifest"
        else:
            fault = next(lacking(backup), None)
            if fault is None:
                good.append(backup)
            else:
                faulty.append((backup, fault))
    good.sort(key=lambda backup: backup.manifest.created, reverse=True)
    faulty.sort(key=lambda pair: pair[0].manifest.created, reverse=True)
    return Shelf(tuple(good), tuple(faulty), unreadable)


def lacking(backup: Backup) -> Iterator[str]:
    """What a glance shows to be wrong with a backup: its own faults, and files that are missing or of another size."""
    yield from backup.manifest.faults
    for file in backup.manifest.files:
        path = backup.folder / file.path
        try:
            size = path.lstat().st_size
        except OSError:
            yield f"{file.path} is missing"
            continue
        if size != file.bytes:
            yield f"{file.path} has {size} bytes, the manifest says {file.bytes}"


_SPANS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "daily": lambda created: (created.year, created.month, created.day),
    "weekly": lambda created: created.isocalendar()[:2],
    "monthly": lambda created: (created.year, created.month),
}


def kept(good: Sequence[Backup], keep: Keep) -> list[Backup]:
    """The backups that stay: the newest of each of so many days, ISO weeks and months that have one.

    So do those of the day before the newest: who makes one by hand before a change wants it to be there after it. Days without a backup do not count: after a holiday of the schedule the old ones are still there.
    """
    stays = {b.folder: b for b in good if good[0].manifest.created - b.manifest.created < _RECENT}
    for span, key in _SPANS.items():
        newest: dict[tuple[int, ...], Backup] = {}
        for backup in good:  # newest first
            newest.setdefault(key(backup.manifest.created), backup)
        for backup in list(newest.values())[: getattr(keep, span)]:
            stays[backup.folder] = backup
    return [backup for backup in good if backup.folder in stays]


def expired(stock: Shelf, keep: Keep, host: str) -> list[Backup]:
    """What a retention removes: backups of this host that are not kept, and faulty ones older than all that are.

    Nothing goes while there is no good backup.
    """
    good = [backup for backup in stock.good if backup.manifest.host == host]
    if not good:
        return []
    stay = kept(good, keep)
    oldest = stay[-1].manifest.created
    faulty = [b for b, _ in stock.faulty if b.manifest.host == host and b.manifest.created < oldest]
    return [*(backup for backup in good if backup not in stay), *faulty]


def remove(folder: Path) -> None:
    """Remove a backup: under another name first, so that a half-removed one is never taken for a backup."""
    going = folder.with_name(f".{folder.name}{REMOVING}")
    folder.rename(going)
    sync_folder(folder.parent)
    shutil.rmtree(going)


def sweep(directory: Path) -> list[str]:
    """Remove what killed runs left half-made or half-removed; their names. The caller holds the folder's lock."""
    strays = [path for end in (PARTIAL, REMOVING) for path in sorted(directory.glob(f".*{end}"))]
    for stray in strays:
        if stray.is_symlink() or not stray.is_dir():
            stray.unlink()
        else:
            shutil.rmtree(stray)
    return [stray.name for stray in strays]
