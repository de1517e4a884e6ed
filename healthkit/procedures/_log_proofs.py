"""What a rotation lost, by lines, names and inodes; and which archives the policy no longer keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.procedures._log_files import Inventory, LogFile, World, count_lines
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.config import Logs

_DAY = 86400.0


def lost_lines(
    before: World, after: World, rotated: Mapping[Path, LogFile], lines: Mapping[Path, int | None]
) -> Iterator[str]:
    """Live logs whose content is not all there: the file that held it, by inode, must hold it still.

    Args:
        before: The folders before the rotation.
        after: The folders now.
        rotated: The archive that each rotated log became.
        lines: Lines of each file before, None where there were too many to count.
    """
    for path, log in before.live.items():
        now = rotated.get(path) or after.live.get(path)
        if now is None or now.inode != log.inode:
            yield f"{path}: what it held ({lines[path]} lines) is gone"
            continue
        counted = count_lines(log, now.path, limit=log.bytes) if path in rotated else lines[path]
        if now.bytes < log.bytes or counted != lines[path]:
            yield f"{now.path} has {counted} lines where {path} had {lines[path]}"
        if path in rotated and path not in after.live:
            yield f"{path} was not made again"


def lost_archives(before: World, after: World, lines: Mapping[Path, int | None]) -> Iterator[str]:
    """Archives that are neither as they were nor compressed with every line; arguments as of `lost_lines`."""
    for path, log in before.archives.items():
        gz = path.with_name(f"{path.name}.gz")
        now, packed = after.archives.get(path), after.archives.get(gz)
        if now is not None:
            if now.inode != log.inode or now.bytes < log.bytes:
                yield f"{path} was overwritten"
        elif packed is None or gz in before.archives:
            yield f"{path} is gone"
        elif (counted := count_lines(log, packed.path)) != lines[path]:
            yield f"{packed.path} has {counted} lines where {path.name} had {lines[path]}"


def expired(world: World, config: Logs, now: float) -> list[tuple[LogFile, str]]:
    """Archives of ours to remove, oldest first, each with the reason.

    Args:
        world: The folders.
        config: How long, and how much of each folder, is kept.
        now: Seconds since 1970; what was made in the day before stays.
    """
    return [entry for folder in world.folders for entry in _expired(folder, config, now)]


def too_large(world: World, config: Logs, now: float) -> Iterator[tuple[Path, int]]:
    """Folders that stay above the limit when all that may go has gone, with their bytes; arguments as of `expired`."""
    for folder in world.folders:
        left = folder.allocated - sum(log.allocated for log, _ in _expired(folder, config, now))
        if left > config.max_total:
            yield folder.folder, left


def _expired(folder: Inventory, config: Logs, now: float) -> Iterator[tuple[LogFile, str]]:
    total = folder.allocated
    for log in sorted(folder.archives.values(), key=lambda log: (log.stamp, log.path.name)):
        age = now - log.stamp
        if age <= _DAY:
            continue
        if age > float(config.keep):
            yield log, f"older than {quantity(float(config.keep), 'seconds')}"
        elif total > config.max_total:
            yield log, f"{folder.folder} is larger than {quantity(config.max_total, 'bytes')}"
        else:
            continue
        total -= log.allocated
