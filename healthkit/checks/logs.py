"""Do the logs stay within bounds, and do they tell of errors?

Sizes are what is allocated: a sparse file of 20 GiB may hold nothing. Only regular files are opened: a FIFO named
`app.log` hangs whoever reads it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable, printable
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"
WEIGHT = 2

ERRORS = 100
"""Lines that tell of an error in what a log got lately."""
_TAIL = 1 << 20
_ERROR = re.compile(rb"(?i)\b(error|critical|fatal|panic|traceback)\b")
_SUFFIXES = (".log", ".err", ".out")
_DAY = 86400.0


@dataclass(frozen=True)
class _Log:
    path: Path
    allocated: int
    """Bytes on disk."""
    size: int
    """Bytes as a reader sees them."""
    age: float
    """Seconds since the last write."""

    @property
    def live(self) -> bool:
        return self.path.suffix in _SUFFIXES


def check(context: Context) -> Iterator[Finding]:
    """Total size, rotation, retention and errors of every configured folder."""
    config = context.config.logs
    if config is None:
        yield not_applicable("logs", "logs", "no logs are configured", hint="Name their folders under `logs:`.")
        return
    for name in config.directories:
        folder = Path(name)
        if not folder.is_dir():
            message = f"there is no folder {folder}"
            yield Finding("logs", Severity.UNKNOWN, name, message, hint="Correct `logs: directories`.")
            continue
        logs, odd = _look(folder, context.now.timestamp())
        yield _total(name, logs, float(config.max_total))
        yield _kept(name, logs, float(config.keep))
        yield _rotated(name, logs, float(config.compress_after))
        yield _errors(name, [log for log in logs if log.live and log.age < _DAY])
        if odd:
            message = f"{len(odd)} are no regular files or may not be looked at: {next(iter(odd))}"
            evidence = {"paths": odd, "source": name}
            hint = "Remove them, or run the check as their owner."
            yield Finding("logs", Severity.UNKNOWN, f"{name}: odd files", message, evidence=evidence, hint=hint)


def _look(folder: Path, now: float) -> tuple[list[_Log], dict[str, str]]:
    """Regular files below a folder; and what else is there, with the reason."""
    logs: list[_Log] = []
    odd: dict[str, str] = {}

    def closed(error: OSError) -> None:
        odd[printable(error.filename)] = str(error.strerror)

    for parent, folders, names in os.walk(folder, onerror=closed):
        for path in (Path(parent, name) for name in (*names, *folders)):
            try:
                status = path.lstat()
            except FileNotFoundError:  # rotated away while we looked
                continue
            if stat.S_ISDIR(status.st_mode):
                continue
            if stat.S_ISREG(status.st_mode):
                logs.append(_Log(path, status.st_blocks * 512, status.st_size, now - status.st_mtime))
            else:
                odd[printable(path)] = "a link" if stat.S_ISLNK(status.st_mode) else "a FIFO, socket or device"
    return logs, odd


def _total(name: str, logs: list[_Log], limit: float) -> Finding:
    total = float(sum(log.allocated for log in logs))
    severity = Severity.WARNING if total > limit else Severity.OK
    largest = sorted(logs, key=lambda log: -log.allocated)[:5]
    return Finding(
        "logs",
        Severity.CRITICAL if total > 2 * limit else severity,
        f"{name}: size",
        f"{quantity(total, 'bytes')} in {counted(len(logs), 'file')}; the limit is {quantity(limit, 'bytes')}",
        value=total,
        unit="bytes",
        evidence={
            "threshold": limit,
            "critical": 2 * limit,
            "largest": {printable(log.path): log.allocated for log in largest},
            "sparse": [printable(log.path) for log in logs if log.size > 2 * log.allocated + 2**20],
            "source": name,
        },
        hint="See what writes so much; healthkit run log_rotation." if total > limit else "",
    )


def _kept(name: str, logs: list[_Log], keep: float) -> Finding:
    """Whether retention is applied: archives older than it, with a day of grace."""
    old = [log for log in logs if not log.live and log.age > keep + _DAY]
    message = (
        f"{len(old)} archives are older than {quantity(keep, 'seconds')}" if old else "nothing is kept for too long"
    )
    paths = [printable(log.path) for log in old[:50]]
    return Finding(
        "logs",
        Severity.WARNING if old else Severity.OK,
        f"{name}: retention",
        message,
        value=float(len(old)),
        evidence={"threshold": 0, "paths": paths, "source": name},
        hint="Have them removed: healthkit run log_rotation." if old else "",
    )


def _rotated(name: str, logs: list[_Log], after: float) -> Finding:
    """Whether rotated logs get compressed: files that nobody has written for a day longer than that, still plain.

    The day is for `delaycompress`, which leaves the newest archive to a writer that has not reopened its log yet.
    """
    plain = [log for log in logs if log.size and log.age > after + _DAY and _plain(log.path)]
    return Finding(
        "logs",
        Severity.WARNING if plain else Severity.OK,
        f"{name}: rotation",
        f"{len(plain)} old logs are not compressed" if plain else "old logs are compressed",
        value=float(len(plain)),
        evidence={"threshold": 0, "paths": [printable(log.path) for log in plain[:50]], "source": name},
        hint="See whether rotation runs: healthkit run log_rotation (dry run)." if plain else "",
    )


def _plain(path: Path) -> bool:
    return path.suffix in _SUFFIXES or bool(re.search(r"\.log[.-]\d[\d.-]*\Z", path.name))


def _errors(name: str, logs: list[_Log]) -> Finding:
    """Lines of the last MiB of every live log that name an error."""
    counts: dict[str, int] = {}
    last: dict[str, str] = {}
    closed: list[str] = []
    for log in logs:
        try:
            with log.path.open("rb") as file:
                file.seek(max(0, log.size - _TAIL))
                lines = [line for line in file.read(_TAIL).splitlines() if _ERROR.search(line)]
        except OSError:
            closed.append(printable(log.path))
            continue
        if lines:
            counts[printable(log.path)] = len(lines)
            last[printable(log.path)] = lines[-1][:300].decode("utf-8", "backslashreplace")
    total = sum(counts.values())
    severity = Severity.WARNING if total > ERRORS else Severity.UNKNOWN if closed else Severity.OK
    unread = f"; {len(closed)} may not be read" if closed else ""
    return Finding(
        "logs",
        severity,
        f"{name}: errors",
        f"{counted(total, 'line tells', 'lines tell')} of an error in the last MiB of {counted(len(logs), 'live log')}{unread}",
        value=float(total),
        evidence={"threshold": ERRORS, "counts": counts, "last": last, "unread": closed, "source": name},
        hint="Read them, newest first." if total > ERRORS else "Run the check as their owner." if closed else "",
    )
