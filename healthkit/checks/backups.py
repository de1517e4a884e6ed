"""Is there a recent, complete backup? By what its manifest says, not by what `ls -t` shows.

Looks lightly: every file is there with its size, small ones with their hash. `healthkit run backup_verification` reads
everything, and `restore_test` proves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable
from healthkit.errors import StoreError
from healthkit.findings import Finding, Severity
from healthkit.manifests import Backup, backup_folders, digest, read_manifest
from healthkit.quantities import counted, quantity, utc

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "data_safety"
WEIGHT = 3
REQUIRED = True
CAP = 39

GRACE = timedelta(hours=1)
"""From too old for the policy to too old to bear: 24 and 25 hours in the runbook."""
AHEAD = timedelta(minutes=5)
"""How far a backup's clock may be ahead of ours."""
HASHED = 64 * 2**20
"""Bytes that are hashed on every check, smallest files first."""
MAKE = "Make one: healthkit run backup --apply; see why the schedule did not: healthkit schedule show."


def check(context: Context) -> Iterator[Finding]:
    """Age and completeness of the newest backup, and whether every configured database is in it."""
    config = context.config.backups
    if config is None:
        hint = "Say where they are under `backups:` in healthkit.yaml."
        yield not_applicable("backups", "backups", "no backups are configured", hint=hint)
        return
    directory = Path(config.directory)
    try:
        good, bad = _sorted_out(directory)
    except FileNotFoundError:
        good, bad = [], {}
    others = {folder.name: reason for folder, reason in bad.items()}
    newest = max(good, key=lambda backup: backup.manifest.created, default=None)
    if newest is None:
        evidence = {"directory": str(directory), "refused": others, "cap": CAP, "source": str(directory)}
        message = f"there is no backup in {directory}"
        yield Finding("backups", Severity.CRITICAL, "newest", message, evidence=evidence, hint=MAKE)
        return
    yield _age(context, newest, timedelta(hours=float(config.max_age_hours)))
    yield _content(context, newest)
    later = {folder.name: why for folder, why in bad.items() if folder.name > newest.folder.name}
    if later:
        message = f"{len(later)} later folders are not whole backups: {', '.join(sorted(later))}"
        hint = "A backup was cut off or damaged: see its log, then remove what it left."
        evidence = {"refused": later, "source": str(directory)}
        yield Finding("backups", Severity.WARNING, "unfinished", message, evidence=evidence, hint=hint)


def _sorted_out(directory: Path) -> tuple[list[Backup], dict[Path, str]]:
    """Backups with a manifest that can be read, and the folders that look like one and are none, with the reason."""
    good, bad = [], {}
    for folder in backup_folders(directory):
        try:
            good.append(Backup(folder, read_manifest(folder)))
        except StoreError as error:
            bad[folder] = str(error)
        except FileNotFoundError:
            bad[folder] = "it has no manifest"
    return good, bad


def _age(context: Context, newest: Backup, allowed: timedelta) -> Finding:
    created = newest.manifest.created
    age = context.now - created
    if age > allowed + GRACE:
        severity = Severity.CRITICAL
    elif age > allowed:
        severity = Severity.WARNING
    else:
        severity = Severity.UNKNOWN if age < -AHEAD else Severity.OK
    hint = "A clock is wrong: compare the one that made the backup with this one."
    return Finding(
        "backups",
        severity,
        "age",
        f"the newest backup, of {utc(created)}, is {quantity(age.total_seconds(), 'seconds')} old",
        value=age.total_seconds() / 3600,
        unit="hours",
        evidence={
            "threshold": allowed.total_seconds() / 3600,
            "critical": (allowed + GRACE).total_seconds() / 3600,
            "created": created.isoformat(),
            "folder": str(newest.folder),
            "source": str(newest.folder / "manifest.json"),
        },
        hint=MAKE if severity in (Severity.WARNING, Severity.CRITICAL) else hint if severity.exit_code else "",
    )


def _content(context: Context, newest: Backup) -> Finding:
    """Whether what the manifest names is there, and what is configured is named."""
    wrong = list(_wrong(context, newest))
    manifest = newest.manifest
    size = sum(file.bytes for file in manifest.files)
    whole = f"{counted(len(manifest.files), 'file')}, {quantity(size, 'bytes')}, all there"
    return Finding(
        "backups",
        Severity.CRITICAL if wrong else Severity.OK,
        "content",
        f"{len(wrong)} faults; the first: {wrong[0]}" if wrong else whole,
        value=float(len(wrong)),
        evidence={
            "threshold": 0,
            "faults": wrong[:20],
            "folder": str(newest.folder),
            "source": str(newest.folder),
        },
        hint=f"Do not rely on this backup. {MAKE}" if wrong else "",
    )


def _wrong(context: Context, newest: Backup) -> Iterator[str]:
    manifest, budget = newest.manifest, HASHED
    for file in sorted(manifest.files, key=lambda file: file.bytes):
        path = newest.folder / file.path
        if not path.resolve().is_relative_to(newest.folder.resolve()):
            yield f"{file.path} lies outside the backup"
            continue
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            yield f"{file.path} is missing"
            continue
        budget -= size
        if size != file.bytes:
            yield f"{file.path} has {size} bytes, the manifest says {file.bytes}"
        elif budget >= 0 and context.remaining > 1 and digest(path) != file.sha256:
            yield f"{file.path} has another SHA-256 than the manifest"
    present = {database.name for database in manifest.databases}
    yield from (f"database {d.name} is not in it" for d in context.config.databases if d.name not in present)
    yield from (f"database {d.name} has no tables" for d in manifest.databases if not d.tables)
