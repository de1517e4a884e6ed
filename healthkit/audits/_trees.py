"""What the walks of the audit found, walked once for all of its questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks.permissions import Seen, walk

if TYPE_CHECKING:
    from healthkit.checks import Context

SYSTEM = ("/boot", "/etc", "/home", "/opt", "/root", "/srv", "/usr", "/var")
"""Where a system keeps what must not be everybody's; /tmp and its like are meant to be."""


def application(context: Context) -> dict[Path, Seen | None]:
    """By configured folder of the application; None where there is no such folder. Links are not followed."""
    return context.once("application tree", lambda: {path: _seen(context, path) for path in folders(context)})


def system(context: Context) -> Seen:
    """The system's own folders, one device each, without the application's."""
    return context.once("system tree", lambda: _system(context))


def folders(context: Context) -> list[Path]:
    """The application's folders, as configured."""
    configured = context.config.application
    return [Path(name) for name in dict.fromkeys((configured.directory, configured.config))] if configured else []


def _seen(context: Context, folder: Path) -> Seen | None:
    return walk(context, folder) if folder.is_dir() else None


def _system(context: Context) -> Seen:
    without = {str(path) for path in folders(context)}
    total = Seen()
    for tops in _tops(context):
        seen = walk(context, tops, without=without, one_device=True)
        for name in ("writable", "secret", "special", "closed"):
            getattr(total, name).extend(getattr(seen, name))
        total.total += seen.total
    return total


def _tops(context: Context) -> Iterator[Path]:
    for name in SYSTEM:
        path = context.path(name)
        if path.is_dir() and not path.is_symlink():
            yield path
