"""What a disaster-recovery drill leaves to read: a record for programs and a page for people, from the same numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from healthkit.files import write_atomically
from healthkit.findings import Finding, Findings, Severity
from healthkit.jsons import plain
from healthkit.manifests import STAMP
from healthkit.periods import months_later
from healthkit.procedures._runs import FAILED, UNKNOWN, Step
from healthkit.quantities import quantity


@dataclass(frozen=True)
class DrillReport:
    """One drill, as it went."""

    host: str
    started: datetime
    """UTC."""
    seconds: float
    """How long all of it took."""
    backup: str | None
    """Name of the one that the service was started from; None if none was good."""
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    dependencies: tuple[int, int] | None
    """How many were reachable, of how many; None if none was asked."""
    months: int
    """Between drills."""

    @property
    def stopped(self) -> str:
        """Name of the first step that failed or could not tell; empty if none."""
        return next((step.name for step in self.steps if step.status in (FAILED, UNKNOWN)), "")

    @property
    def passed(self) -> bool:
        """Whether every step did what it should."""
        return not self.stopped

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.passed:
            return f"The drill passed: the service ran from backup {self.backup}."
        healthy = any(step.name == "health" and step.status == "ok" for step in self.steps)
        rest = f" The service did run from backup {self.backup}." if healthy else " The service did not run healthily."
        return f"The drill did not pass: {self.stopped}.{rest}"

    @property
    def next(self) -> date:
        """When the next one is due at the latest."""
        return months_later(self.started.date(), self.months)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "drill": self.started.strftime(STAMP),
            "host": self.host,
            "started": self.started,
            "seconds": self.seconds,
            "passed": self.passed,
            "verdict": self.verdict,
            "failed_step": self.stopped,
            "backup": self.backup,
            "next_drill": self.next.isoformat(),
            "steps": [step.as_dict() for step in self.steps],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def text(self) -> str:
        """Markdown, of the form that the runbook's report has."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from ("# Disaster Recovery Test Report", "", f"**{self.verdict}**", "")
        yield f"- Date: {self.started:%Y-%m-%d %H:%M} UTC"
        yield f"- Host: {_line(self.host)}"
        yield f"- Test duration: {quantity(self.seconds, 'seconds')}"
        yield f"- Backup used: {self.backup or 'none was good'}"
        if self.dependencies is not None:
            yield f"- Dependencies: {self.dependencies[0]} of {self.dependencies[1]} reachable"
        yield from ("", "## Steps", "")
        yield from (
            f"- {s.name}: {s.status} ({quantity(s.seconds, 'seconds')}): {_line(s.message)}" for s in self.steps
        )
        yield from ("", "## What to do", "")
        bad = Findings(self.findings).of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
        yield from (
            f"- {f.severity.value}: {_line(f.subject)}: {_line(f.message)} {_line(f.hint)}".rstrip() for f in bad
        )
        if not bad:
            yield "No step found anything to do."
        yield from ("", "## Next test", "", f"Due by {self.next}.")


def keep(home: Path, report: DrillReport) -> Path:
    """Write both, and the page under the runbook's name too; the path of the page.

    Raises:
        OSError: They cannot be written.
    """
    folder = home / "reports" / "quarterly"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"dr-test-{report.started.strftime(STAMP)}"
    record = json.dumps(plain(report.as_dict()), indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / f"{stem}.json", record, mode=0o640)
    for name in (f"{stem}.md", "dr-test-report.md"):
        write_atomically(folder / name, report.text(), mode=0o640)
    return folder / f"{stem}.md"


def _line(text: str) -> str:
    r"""One line in which nothing is markup: what a service printed, or a file is called, comes from outside."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return "".join(f"\\{c}" if c in "\\`*[]<>|" else c for c in flat).encode("utf-8", "replace").decode()
