"""A second target: a restic repository. Its password is read by restic itself, from a file that only its owner reads.

Source: https://restic.readthedocs.io/en/stable/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import NOT_INSTALLED
from healthkit.config import Restic, read_secret
from healthkit.errors import ProcedureError
from healthkit.findings import Severity

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

TAG = "healthkit"


@dataclass(frozen=True)
class Repository:
    """The configured repository, reached through the scene's tools."""

    scene: Scene
    config: Restic

    def keep(self, folder: Path) -> str:
        """Copy a backup into the repository; the identifier of the snapshot.

        Raises:
            ProcedureError: restic is not installed, or says no.
        """
        self._call("unlock")  # removes only locks whose process is gone
        output = self._call("backup", "--json", "--tag", TAG, "--host", self.scene.config.host, str(folder))
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        return next((str(line["snapshot_id"]) for line in lines if line.get("message_type") == "summary"), "")

    def verify(self) -> str:
        """Check the structure, and read a share of the data.

        Raises:
            ProcedureError: restic is not installed, or finds damage.
        """
        return self._call("check", f"--read-data-subset={self.config.check}").strip()

    def restore(self, target: Path) -> Path:
        """Restore the newest snapshot of ours; the folder of the backup in it.

        Raises:
            ProcedureError: restic is not installed, finds damage, or has no snapshot.
        """
        chosen = ("--tag", TAG, "--host", self.scene.config.host)
        self._call("restore", "latest", *chosen, "--target", str(target))
        found = sorted(target.rglob("manifest.json"), key=lambda path: len(path.parts))
        if not found:
            raise ProcedureError(f"the newest snapshot in {self.config.repository} holds no backup")
        return found[0].parent

    def _call(self, *args: str) -> str:
        read_secret(Path(self.config.password_file))  # refuses a password that others can read
        cache = self.scene.home / "cache" / "restic"
        place = ("--repo", self.config.repository, "--password-file", self.config.password_file)
        try:
            done = self.scene.tool("restic", *place, "--cache-dir", str(cache), *args, timeout=6 * 3600)
        except FileNotFoundError as error:
            if error.strerror != NOT_INSTALLED:
                raise
            raise ProcedureError(
                "restic is not installed: the repository could not be used",
                severity=Severity.UNKNOWN,
                hint="Install it: apt-get install restic.",
            ) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            hint = f"By hand: restic --repo {self.config.repository} {args[0]}; a new one is made by `restic init`."
            raise ProcedureError(
                f"restic {args[0]} failed with exit code {done.returncode}: {' '.join(said[-3:])[:500]}", hint=hint
            )
        return done.stdout
