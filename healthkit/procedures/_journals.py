"""How far a recovery has come: a file outside any database, written before and after each change, so that it can be resumed.

`HOME/logs/recovery/REC-<time>.json`, and beside it `.log` for people. There is one unfinished recovery at most.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from healthkit.errors import ProcedureError
from healthkit.files import write_atomically
from healthkit.jsons import plain

STAMP = "%Y%m%d-%H%M%S"
"""As the runbook names what it keeps, in UTC."""


@dataclass
class Item:
    """One file that is recovered: a database, or a file of configuration."""

    path: str
    kind: str
    """`database` or `configuration`."""
    fault: str
    """Why."""
    state: str = "found"
    """`found`, `kept` (beside the original), `prepared`, `placed`, or `hopeless`."""
    sha256: str = ""
    """Of what is put in its place."""
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    origin: str = ""
    """`backup <name>` or `salvage`."""
    report: str = ""
    """What was saved and what was lost, in a sentence."""
    lossy: bool = False
    """Whether rows were, or may have been, lost."""


@dataclass
class Journal:
    """One recovery, on disk."""

    folder: Path
    name: str
    """`REC-20261124-140000`"""
    started: str
    """ISO 8601, UTC."""
    items: dict[str, Item] = field(default_factory=dict)
    """By name: of a database as in the configuration, of a file by its path."""
    stopped: list[str] = field(default_factory=list)
    """Services that were stopped for it."""
    finished: str = ""
    """When, ISO 8601; empty while it is under way."""
    lines: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, home: Path, now: datetime) -> Journal:
        """The unfinished one, else a new one, which is not on disk yet.

        Raises:
            ProcedureError: It is damaged.
        """
        folder = home / "logs" / "recovery"
        for stray in folder.glob(".REC-*.tmp"):  # of a run that was killed; whoever recovers is alone
            stray.unlink(missing_ok=True)
        for path in sorted(folder.glob("REC-*.json"), reverse=True):
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                items = {name: Item(**item) for name, item in data.pop("items").items()}
                known = cls(folder=folder, items=items, **data)
            except (ValueError, TypeError, KeyError) as error:
                hint = f"Look at what it says, and move {path} away; the kept files lie beside their originals."
                raise ProcedureError(f"{path} is damaged: {error}", hint=hint) from error
            if not known.finished:
                return known
        started = now.astimezone(UTC)
        return cls(folder, f"REC-{started.strftime(STAMP)}", started.isoformat())

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / f"{self.name}.json"

    @property
    def begun(self) -> bool:
        """Whether it is on disk."""
        return self.path.exists()

    @property
    def stamp(self) -> str:
        """Of the files that it keeps."""
        return self.name.removeprefix("REC-")

    def save(self, line: str = "") -> None:
        """Write it down, with a line for people.

        Raises:
            OSError: It cannot be written.
        """
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        if line:
            self.lines.append(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {line}")
        body: dict[str, Any] = {k: v for k, v in asdict(self).items() if k != "folder"}
        # The record last: once it says that all is done, nobody writes the other again.
        write_atomically(self.path.with_suffix(".log"), "\n".join(self.lines) + "\n", mode=0o640)
        write_atomically(self.path, json.dumps(plain(body), indent=1) + "\n", mode=0o640)
