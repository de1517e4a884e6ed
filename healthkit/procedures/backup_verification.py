"""Reads the newest backup whole: age, every hash, every database and its rows, every configuration file.

The backup is copied into a private folder first: opening a database may write beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.checks import Context, ask
from healthkit.checks import load as load_check
from healthkit.config import Backups
from healthkit.errors import ProcedureError
from healthkit.findings import Finding, Severity
from healthkit.manifests import Backup, newest_backup
from healthkit.procedures._restic import Repository
from healthkit.procedures._restores import Restored, configuration_faults, database_faults, open_backup, restore
from healthkit.procedures._retention import shelf
from healthkit.procedures._runs import Action, Outcome
from healthkit.procedures._strangers import is_stranger
from healthkit.quantities import counted, quantity, utc

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False
OPTIONS = {"backup": "another one than the newest: its folder, or a tar archive of one"}

_DOUBT = "Do not rely on this backup: make another (healthkit run backup --apply), and see what damaged this one."


def steps(scene: Scene) -> Iterator[Action]:
    """Age, files, databases, configuration, second target."""
    config = scene.config.backups or (Backups() if "backup" in scene.options else None)
    if config is None:
        hint = "Say where they are under `backups:` in healthkit.yaml."
        raise ProcedureError("no backups are configured", severity=Severity.INFO, hint=hint)
    verifying = Verification(scene, config)
    yield Action("newest", verifying.choose)
    if "backup" not in scene.options:
        yield Action("age", verifying.age)
    yield Action("files", verifying.files)
    yield Action("databases", verifying.databases)
    yield Action("configuration", verifying.configuration)
    if config.restic is not None and "backup" not in scene.options:
        yield Action("restic", verifying.second)


class Verification:
    """One backup, looked at step by step: the newest, unless another one is given."""

    def __init__(self, scene: Scene, config: Backups, backup: Backup | None = None) -> None:
        self._scene = scene
        self._config = config
        self._backup = backup
        self._restored: Restored | None = None
        self.faults: list[str] = []
        """Everything that is wrong with it."""

    @property
    def backup(self) -> Backup:
        """The backup that is looked at."""
        if self._backup is None:
            raise ProcedureError("no backup was chosen")
        return self._backup

    @property
    def restored(self) -> Restored:
        """Its private copy."""
        if self._restored is None:
            raise ProcedureError("the backup was not restored")
        return self._restored

    def tried(self, backup: Backup) -> bool:
        """Whether this is the one that is looked at."""
        return self._backup is not None and self._backup.folder == backup.folder

    def choose(self) -> Outcome:
        """The newest backup by its own word; neither `ls -t` nor a touch decides."""
        wanted = self._scene.options.get("backup")
        if wanted:
            self._backup = open_backup(Path(wanted), self._scene.workspace)
        else:
            directory = Path(self._config.directory)
            try:
                self._backup = newest_backup(directory)
            except FileNotFoundError:
                self._backup = None
            if self._backup is None:
                hint = "Make one: healthkit run backup --apply."
                raise ProcedureError(f"there is no backup in {directory}", hint=hint)
        if is_stranger(self.backup):
            message = f"{self.backup.folder} has no manifest: when it was made, and what is missing, cannot be told"
            hint = "Back up with healthkit run backup --apply: its backups say what is in them."
            finding = self._scene.finding(Severity.UNKNOWN, "manifest", message, hint=hint)
            return Outcome(message, {"folder": str(self.backup.folder)}, (finding,))
        created = self.backup.manifest.created
        evidence = {"folder": str(self.backup.folder), "created": created.isoformat()}
        return Outcome(f"{self.backup.folder.name}, of {utc(created)}", evidence)

    def age(self) -> Outcome:
        """As the check `backups` judges it: late after the configured hours, critical one hour later."""
        context = Context(
            home=self._scene.home, config=self._scene.config, now=self._scene.now, root=self._scene.root, run=self._scene.run
        )  # fmt: skip
        found = ask([load_check("backups")], context, seconds=context.remaining)
        ours = tuple(replace(f, check=self._scene.procedure) for f in found if f.subject != "content")
        return Outcome("; ".join(finding.message for finding in ours), {}, ours)

    def files(self) -> Outcome:
        """Every file with its SHA-256, into the private folder."""
        self._restored = restored = restore(self.backup, self._scene.workspace / "restored")
        message = f"{counted(len(restored.manifest.files), 'file')}, {quantity(restored.bytes, 'bytes')}"
        found = [*self._faults("files", f"{message}, all with their SHA-256", restored.faults)]
        if restored.extra:
            text = f"{counted(len(restored.extra), 'file is', 'files are')} not in the manifest; the first: {restored.extra[0]}"
            hint = "Somebody wrote into the backup. What was not there when it was made is not restored."
            found.append(self._scene.finding(Severity.WARNING, "extra", text, hint=hint, extra=restored.extra[:50]))
        evidence = {"files": len(restored.manifest.files), "bytes": restored.bytes, "seconds": restored.seconds}
        return Outcome(f"{message} in {quantity(restored.seconds, 'seconds')}", evidence, tuple(found))

    def databases(self) -> Outcome:
        """Integrity, references, schema and the rows of every table, against the manifest."""
        stranger = is_stranger(self.backup)
        configured = [Path(d.path).stem if stranger else d.name for d in self._scene.config.databases]
        found: list[Finding] = []
        faults = database_faults(self.restored, configured)
        rows = {backed.name: sum(backed.tables.values()) for backed in self.restored.manifest.databases}
        for name, wrong in faults.items():
            whole = f"whole, {counted(rows.get(name, 0), 'row')} as in the manifest"
            good = "whole; nothing says how many rows it held" if stranger else whole
            found += self._faults(f"database {name}", good, wrong)
        if not faults and stranger:
            found += self._faults("databases", "", ["there is no database in the backup"])
        elif not faults:
            message = "there is no database in the backup, and none is configured"
            found.append(self._scene.finding(Severity.INFO, "databases", message))
        sound = sum(not wrong for wrong in faults.values())
        return Outcome(
            f"{sound} of {counted(len(faults), 'database')} {'is' if sound == 1 else 'are'} sound",
            {"rows": rows},
            tuple(found),
        )

    def configuration(self) -> Outcome:
        """Every configuration file parses, says something, and fits the schema where it is one of ours."""
        faults, unjudged = configuration_faults(self.restored)
        wrong = [f"{name}: {reason}" for name, reason in sorted(faults.items())]
        total = sum(file.path.startswith("config/") for file in self.restored.manifest.files)
        message = f"{total - len(wrong) - len(unjudged)} of {total} files are valid"
        if unjudged:
            message += f"; {len(unjudged)} are of a form that is not judged"
        return Outcome(message, {"not_judged": unjudged[:50]}, tuple(self._faults("configuration", message, wrong)))

    def second(self) -> Outcome:
        """The restic repository: its structure, and a share of its data."""
        if self._config.restic is None:
            return Outcome("none is configured")
        said = Repository(self._scene, self._config.restic).verify()
        message = f"sound; {self._config.restic.check} of the data was read"
        finding = self._scene.finding(Severity.OK, "restic", message, source=self._config.restic.repository)
        return Outcome(message, {"said": said[-500:]}, (finding,))

    def _faults(self, subject: str, good: str, faults: list[str] | tuple[str, ...]) -> Iterator[Finding]:
        """One finding: OK, or critical with every fault."""
        self.faults += [f"{subject}: {fault}" for fault in faults]
        evidence: dict[str, Any] = {"folder": str(self.backup.folder), "faults": list(faults[:50])}
        if not faults:
            yield self._scene.finding(Severity.OK, subject, good, value=0.0, **evidence)
            return
        message = f"{len(faults)} faults; the first: {faults[0]}" if len(faults) > 1 else faults[0]
        yield self._scene.finding(
            Severity.CRITICAL, subject, message, value=float(len(faults)), hint=_DOUBT, **evidence
        )


def newest_whole(scene: Scene, config: Backups, *, without: Verification) -> tuple[Verification | None, dict[str, str]]:
    """The newest of the other backups that comes back whole, restored in the workspace; and why newer ones did not.

    Args:
        scene: The world.
        config: Where the backups are.
        without: The one that was tried already; what it restored is removed.
    """
    tried: dict[str, str] = {}
    for backup in shelf(Path(config.directory)).good:
        if without.tried(backup):
            continue
        shutil.rmtree(scene.workspace / "restored", ignore_errors=True)
        other = Verification(scene, config, backup)
        for part in (other.files, other.databases, other.configuration):
            if not other.faults:
                part()
        if not other.faults:
            return other, tried
        tried[backup.folder.name] = other.faults[0]
    return None, tried
