"""What a procedure is given: the home, the configuration, the clock, the tools, and a private place to work in.

Everything a procedure looks at or changes comes from here, so that a test hands it another world instead of a mock.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from healthkit.checks._context import run_tool
from healthkit.config import Config
from healthkit.findings import Finding, Severity


@dataclass(frozen=True)
class Scene:
    """The world of one run of a procedure."""

    procedure: str
    """Its name."""
    home: Path
    config: Config = field(default_factory=Config)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The moment it began, UTC; ages are counted to it."""
    dry_run: bool = True
    root: str = "/"
    """Top of the file tree that system files are looked up in."""
    run: Callable[..., subprocess.CompletedProcess[str]] = run_tool
    """Runs a program; see `run_tool` in `healthkit.checks`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What the caller said besides, as the procedure's OPTIONS name them."""
    endings: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)
    """What is undone at the end of the run, also after a failure or a signal."""

    @cached_property
    def workspace(self) -> Path:
        """A folder that only we may enter, removed at the end of the run.

        Below the home, because a backup may not fit into a /tmp that is memory; in the system's place for temporary
        files where the home cannot be written, or must not be in a dry run.
        """
        folder = None if self.dry_run else self._below_home()
        folder = folder or Path(tempfile.mkdtemp(prefix=f"healthkit-{self.procedure}-"))
        self.endings.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _below_home(self) -> Path | None:
        parent = self.home / "work"
        try:
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{self.procedure}-", dir=parent))
        except OSError:
            return None

    def forget(self) -> None:
        """Remove the work folders of killed runs; only whoever holds the lock of the procedure may."""
        for stray in (self.home / "work").glob(f"{self.procedure}-*"):
            shutil.rmtree(stray, ignore_errors=True)

    def tool(self, *args: str, timeout: float = 3600) -> subprocess.CompletedProcess[str]:
        """Run a program. Raises as `run_tool`."""
        return self.run(list(args), timeout=timeout)

    def finding(
        self,
        severity: Severity,
        subject: str,
        message: str,
        *,
        value: float | None = None,
        unit: str = "",
        hint: str = "",
        **evidence: Any,
    ) -> Finding:
        """A finding of this procedure."""
        return Finding(
            self.procedure,
            severity,
            subject,
            message,
            value=value,
            unit=unit,
            evidence=evidence,
            hint=hint,
            ts=self.now,
            host=self.config.host,
        )
