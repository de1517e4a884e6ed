"""Can anyone on this host change what the application runs, or read its secrets?

Files and folders both: who may write a folder may replace every file in it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable, printable
from healthkit.findings import Finding, Severity
from healthkit.quantities import listed

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"
WEIGHT = 2

_SECRET = re.compile(r"(?i)(\.key|\.p12|\.pfx|\.pem|\.env)\Z|secret|password|credential|\Aid_(rsa|dsa|ecdsa|ed25519)\Z")
_LISTED = 50
"""Paths that evidence names."""


def check(context: Context) -> Iterator[Finding]:
    """Walk the application's folder and its configuration; links are not followed."""
    application = context.config.application
    if application is None:
        hint = "Say where it lies under `application:` in healthkit.yaml."
        yield not_applicable("permissions", "application", "no application is configured", hint=hint)
        return
    for name in dict.fromkeys((application.directory, application.config)):
        yield from _judge(context, Path(name))


@dataclass
class Seen:
    """What a walk found, as paths."""

    writable: list[str] = field(default_factory=list)
    secret: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    total: int = 0


def _judge(context: Context, folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        message = f"there is no folder {folder}: nothing was looked at"
        yield Finding("permissions", Severity.UNKNOWN, str(folder), message, hint="Correct `application:`.")
        return
    seen = walk(context, folder)
    asked = (
        ("anyone may write", seen.writable, Severity.CRITICAL, "chmod o-w them; find who made them so."),
        ("secrets anyone may read", seen.secret, Severity.CRITICAL, "chmod 0600 them, and replace the secrets."),
        ("run as their owner or group", seen.special, Severity.WARNING, "chmod ug-s what does not need it."),
        ("may not be looked at", seen.closed, Severity.UNKNOWN, "Run the check as root."),
    )
    for name, paths, severity, hint in asked:
        if severity is Severity.UNKNOWN and not paths:
            continue
        first = f": {listed(paths, 1)}" if paths else ""
        yield Finding(
            "permissions",
            severity if paths else Severity.OK,
            f"{folder}: {name}",
            f"{len(paths)} of {seen.total}{first}",
            value=float(len(paths)),
            evidence={"threshold": 0, "paths": paths[:_LISTED], "looked_at": seen.total, "source": str(folder)},
            hint=hint if paths else "",
        )


def walk(context: Context, folder: Path, *, without: Collection[str] = (), one_device: bool = False) -> Seen:
    """Everything below a folder, and the folder; until half a second before the deadline.

    Args:
        context: For its deadline.
        folder: Top.
        without: Folders that are left out.
        one_device: Leave out what is mounted below.
    """
    seen, device = Seen(), os.lstat(folder).st_dev

    def closed(error: OSError) -> None:
        seen.closed.append(printable(error.filename))

    for parent, folders, names in os.walk(folder, onerror=closed):
        if context.remaining < 0.5:
            seen.closed.append(f"{printable(parent)} and what comes after it: no time left")
            break
        if parent in without or (one_device and os.lstat(parent).st_dev != device):
            folders.clear()
            continue
        for path in (parent, *(os.path.join(parent, name) for name in names)):  # noqa: PTH118 - a Path for each of 10^5 files costs seconds
            try:
                _look(seen, path)
            except FileNotFoundError:  # removed while we looked
                continue
            except OSError:
                seen.closed.append(printable(path))
    return seen


def _look(seen: Seen, path: str) -> None:
    mode = os.lstat(path).st_mode
    seen.total += 1
    regular, folder = stat.S_ISREG(mode), stat.S_ISDIR(mode)
    if mode & stat.S_IWOTH and (regular or (folder and not mode & stat.S_ISVTX)):
        seen.writable.append(printable(path))
    if regular and mode & (stat.S_ISUID | stat.S_ISGID):
        seen.special.append(printable(path))
    if regular and mode & stat.S_IROTH and _secret(path):
        seen.secret.append(printable(path))


def _secret(path: str) -> bool:
    """Whether a file is named like a secret; of a `.pem` only one with a private key, certificates are public."""
    name = os.path.basename(path)  # noqa: PTH119 - as above
    if not _SECRET.search(name):
        return False
    if not name.lower().endswith(".pem"):
        return True
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return b"PRIVATE KEY" in file.read(1 << 16)
