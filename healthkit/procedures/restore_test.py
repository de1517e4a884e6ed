"""Restores the newest backup into a private folder and proves it: databases opened and counted, configuration parsed.

A backup that nobody restored is a hope. If the newest one fails, the test says which older one is good. Nothing that was
restored outlives the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.config import Backups
from healthkit.errors import ProcedureError
from healthkit.findings import Severity
from healthkit.manifests import Backup, read_manifest
from healthkit.procedures._restic import Repository
from healthkit.procedures._restores import configuration_faults, database_faults, restore
from healthkit.procedures._retention import shelf
from healthkit.procedures._runs import Action, Outcome
from healthkit.procedures.backup_verification import OPTIONS, Verification
from healthkit.quantities import quantity, utc

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

__all__ = ["ACTS", "OPTIONS", "steps"]

ACTS = False


def steps(scene: Scene) -> Iterator[Action]:
    """Restore, open, count, parse; an older backup where the newest fails; the second target."""
    config = scene.config.backups or (Backups() if "backup" in scene.options else None)
    if config is None:
        hint = "Say where they are under `backups:` in healthkit.yaml."
        raise ProcedureError(
            "no backups are configured, so there is none to restore", severity=Severity.INFO, hint=hint
        )
    test = _Test(scene, config)
    yield Action("newest", test.newest.choose)
    yield Action("restore", test.restore)
    yield Action("databases", test.newest.databases)
    yield Action("configuration", test.newest.configuration)
    if test.newest.faults and scene.config.backups is not None:
        yield Action("older", test.older)
    if config.restic is not None and "backup" not in scene.options:
        yield Action("restic", test.second)


class _Test:
    """A restore test under way."""

    def __init__(self, scene: Scene, config: Backups) -> None:
        self._scene = scene
        self._config = config
        self.newest = Verification(scene, config)

    def restore(self) -> Outcome:
        """Every file back, and how long that took: what recovery would take at least."""
        outcome = self.newest.files()
        restored = self.newest.restored
        rate = restored.bytes / restored.seconds if restored.seconds else 0.0
        message = f"{quantity(restored.bytes, 'bytes')} came back in {quantity(restored.seconds, 'seconds')}"
        seen: dict[str, Any] = {
            "bytes": restored.bytes,
            "bytes_per_second": rate,
            "folder": str(self.newest.backup.folder),
        }
        finding = self._scene.finding(
            Severity.INFO, "restore time", message, value=restored.seconds, unit="seconds", **seen
        )
        return Outcome(message, outcome.evidence, (*outcome.findings, finding))

    def older(self) -> Outcome:
        """The newest backup that can be restored, since the newest of all cannot."""
        failed = self.newest.backup.folder
        stock = shelf(Path(self._config.directory))
        others = [backup for backup in stock.good if backup.folder != failed]
        tried: dict[str, str] = {}
        for backup in others:
            fault = self._first_fault(backup)
            if not fault:
                age = (self._scene.now - backup.manifest.created).total_seconds()
                message = f"{backup.folder.name} can be restored: of {utc(backup.manifest.created)}, {quantity(age, 'seconds')} old"
                hint = "In need, recover from this one: healthkit run recovery."
                found = self._scene.finding(Severity.INFO, "good backup", message, hint=hint, folder=str(backup.folder))
                return Outcome(message, {"good": str(backup.folder), "tried": tried}, (found,))
            tried[backup.folder.name] = fault
        message = (
            f"none of {len(others)} older backups can be restored either" if others else "there is no older backup"
        )
        hint = "Make a backup now: healthkit run backup --apply."
        worst = self._scene.finding(Severity.CRITICAL, "good backup", message, hint=hint, tried=tried)
        return Outcome(message, {"tried": tried}, (worst,))

    def second(self) -> Outcome:
        """The newest snapshot in the restic repository, restored and proved in the same way."""
        if self._config.restic is None:
            return Outcome("none is configured")
        target = self._scene.workspace / "restic"
        target.mkdir(mode=0o700)
        folder = Repository(self._scene, self._config.restic).restore(target)
        backup = Backup(folder, read_manifest(folder))
        fault = self._first_fault(backup)
        where = self._config.restic.repository
        if fault:
            hint = "See `restic check --read-data`; do not rely on this repository."
            bad = self._scene.finding(Severity.CRITICAL, "restic", fault, hint=hint, source=where)
            return Outcome(fault, {}, (bad,))
        message = f"the snapshot of {utc(backup.manifest.created)} came back whole"
        return Outcome(message, {}, (self._scene.finding(Severity.OK, "restic", message, source=where),))

    def _first_fault(self, backup: Backup) -> str:
        """What is wrong with a backup, all of it restored and opened; empty if nothing is."""
        target = self._scene.workspace / f"other-{backup.folder.name}"
        try:
            restored = restore(backup, target)
            if restored.faults:
                return restored.faults[0]
            names = [database.name for database in self._scene.config.databases]
            for name, faults in database_faults(restored, names).items():
                if faults:
                    return f"database {name} {faults[0]}"
            wrong, _ = configuration_faults(restored)
            return next((f"{name}: {reason}" for name, reason in wrong.items()), "")
        finally:
            shutil.rmtree(target, ignore_errors=True)
