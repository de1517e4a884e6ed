"""Who may change the application's configuration, besides its owner?

A group that may write a configuration may make the service run what it likes, with the service's rights.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable, printable
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "application"


def check(context: Context) -> Iterator[Finding]:
    """Mode and owner of every file in the folder of the configuration; what anyone may write, `writable` tells."""
    application = context.config.application
    if application is None:
        hint = "Say where it lies under `application:` in healthkit.yaml."
        yield not_applicable("settings", "configuration", "no application is configured", hint=hint)
        return
    folder = Path(application.config)
    entries = [folder, *sorted(folder.rglob("*"))]  # no folder: an error, and so unknown
    modes = {path: os.lstat(path) for path in entries}
    shared = [p for p, s in modes.items() if s.st_mode & stat.S_IWGRP and s.st_gid and not stat.S_ISLNK(s.st_mode)]
    owners = sorted({status.st_uid for status in modes.values()})
    seen = {printable(path): f"{stat.filemode(s.st_mode)} {s.st_uid}:{s.st_gid}" for path, s in modes.items()}
    message = f"{len(shared)} of {counted(len(entries), 'file or folder', 'files and folders')} may be written by a group besides root's"
    yield Finding(
        "settings",
        Severity.WARNING if shared else Severity.OK,
        str(folder),
        message + (f": {printable(shared[0])}" if shared else f"; owned by {_named(owners)}"),
        value=float(len(shared)),
        evidence={"threshold": 0, "modes": dict(list(seen.items())[:50]), "owners": owners, "source": str(folder)},
        hint="chmod g-w them, or give them to root's group." if shared else "",
    )


def _named(owners: list[int]) -> str:
    return f"user{'s' if len(owners) > 1 else ''} {', '.join(map(str, owners))}"
