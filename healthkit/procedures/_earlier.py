"""Answers kept in one file a period, so that the next period can say what changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import ProcedureError
from healthkit.files import write_atomically
from healthkit.findings import Finding, Severity
from healthkit.jsons import plain
from healthkit.procedures._changes import Changes, changes
from healthkit.procedures._runs import Outcome

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene


class Series:
    """The records of one review: `<folder>/<prefix><label>.json`, readable by their owner alone.

    A second review in the same period replaces the first, so that the change is always one since an earlier period.

    Args:
        scene: The world of the run.
        folder: Where they lie.
        label: Of the running period; labels sort as their periods do.
        unit: What a period is called: `week`, `month`.
        prefix: Of the files' names.
    """

    def __init__(self, scene: Scene, folder: Path, label: str, *, unit: str, prefix: str = "") -> None:
        self._scene = scene
        self.folder = folder
        self.label = label
        self._unit = unit
        self._prefix = prefix
        self._pattern = re.compile(re.escape(prefix) + re.sub(r"\d", r"\\d", re.escape(label)) + r"\Z", re.ASCII)
        self.changes: Changes | None = None

    def compare(self, findings: Iterable[Finding]) -> Outcome:
        """With the newest review of an earlier period.

        Raises:
            ProcedureError: That review is damaged.
        """
        path = self._previous()
        if path is None:
            message = f"there is no review of an earlier {self._unit} to compare with"
            return Outcome(message, {}, (self._scene.finding(Severity.INFO, "changes", message),))
        since = path.stem.removeprefix(self._prefix)
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["findings"]
            self.changes = changes(before, [finding.as_dict() for finding in findings])
        except (ValueError, KeyError, TypeError) as error:
            hint = f"Move {path} away; the next review then compares with an older one."
            raise ProcedureError(f"{path} is damaged: {error}", severity=Severity.UNKNOWN, hint=hint) from error
        message = f"{self.changes} since {since}"
        evidence = {**vars(self.changes), "since": since, "source": str(path)}
        return Outcome(message, evidence, (self._scene.finding(Severity.INFO, "changes", message, **evidence),))

    def keep(self, findings: Iterable[Finding], more: Mapping[str, Any] | None = None) -> Path:
        """The answers, for the next comparison and for whoever asks what was known when; returns where.

        Raises:
            OSError: They cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{self._prefix}{self.label}.json"
        body = {
            self._unit: self.label,
            "made": self._scene.now,
            "host": self._scene.config.host,
            **(more or {}),
            "findings": [finding.as_dict() for finding in findings],
            "changes": vars(self.changes) if self.changes else None,
        }
        write_atomically(path, json.dumps(plain(body), indent=2, ensure_ascii=False) + "\n", mode=0o600)
        return path

    def _previous(self) -> Path | None:
        mine = f"{self._prefix}{self.label}"
        earlier = [p for p in self.folder.glob("*.json") if self._pattern.match(p.stem) and p.stem < mine]
        return max(earlier, key=lambda path: path.stem, default=None)
