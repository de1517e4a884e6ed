"""Asks the security checks, and says what changed since the review of an earlier week.

The answers are kept in `HOME/security-reviews/<ISO week>.json`, readable by their owner alone; a second review in the same
week replaces the first, so that the change is always one since an earlier week.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from healthkit.checks import Context, applicable, ask
from healthkit.checks import load as load_check
from healthkit.errors import ProcedureError
from healthkit.files import write_atomically
from healthkit.findings import Finding, Findings, Severity
from healthkit.jsons import plain
from healthkit.procedures._runs import OK, Action, Outcome

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False

CHECKS = ("certificates", "logins", "permissions", "ports", "updates", "vulnerabilities")
SECONDS = 600.0
"""How long they may take: a look for vulnerable packages asks a server."""
_WEEK = re.compile(r"\d{4}-W\d\d\Z", re.ASCII)
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


def steps(scene: Scene) -> Iterator[Action]:
    """Ask, compare, keep."""
    review = _Review(scene)
    yield Action("checks", review.ask)
    yield Action("changes", review.compare)
    yield Action("record", review.keep)


@dataclass(frozen=True)
class Changes:
    """What differs between two reviews; each entry is `check: subject: message`."""

    new: tuple[str, ...] = ()
    """Bad now; good, or not there, before."""
    worse: tuple[str, ...] = ()
    """Bad before, and by severity or number worse now."""
    better: tuple[str, ...] = ()
    """Still bad, and less so."""
    gone: tuple[str, ...] = ()
    """Bad before; good, or not there, now."""
    blind: tuple[str, ...] = ()
    """Could be told before and cannot be told now."""

    def __str__(self) -> str:
        return f"{len(self.new)} new, {len(self.worse)} worse, {len(self.better)} better, {len(self.gone)} gone, {len(self.blind)} no longer known"


def changes(before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> Changes:
    """Compare two reviews.

    Args:
        before: The findings of the earlier one, as `Finding.as_dict` gives them.
        now: Those of the later one.
    """
    old = {(f["check"], f["subject"]): f for f in before}
    new = {(f["check"], f["subject"]): f for f in now}
    kinds: dict[str, list[str]] = {name: [] for name in ("new", "worse", "better", "gone", "blind")}
    for key, finding in sorted(new.items()):
        kind = _kind(old.get(key), finding)
        if kind:
            kinds[kind].append(_line(finding))
    blinded = {check for (check, _), finding in new.items() if finding["severity"] == "unknown"}
    for key, finding in sorted(old.items()):
        if key not in new and _bad(finding) and key[0] not in blinded:
            kinds["gone"].append(_line(finding))
    return Changes(**{name: tuple(lines) for name, lines in kinds.items()})


def _kind(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    if now["severity"] == "unknown":
        return "blind" if before is None or before["severity"] != "unknown" else ""
    was_bad = before is not None and _bad(before)
    if before is None or not was_bad:
        return "new" if _bad(now) else ""
    if not _bad(now):
        return "gone"
    step = _RANKS[now["severity"]] - _RANKS[before["severity"]]
    if not step and None not in (now["value"], before["value"]):
        # Of the days that a certificate has left, fewer are worse.
        step = (now["value"] - before["value"]) * (-1 if now["check"] == "certificates" else 1)
    return "worse" if step > 0 else "better" if step < 0 else ""


def _bad(finding: Mapping[str, Any]) -> bool:
    return finding["severity"] in ("warning", "critical")


def _line(finding: Mapping[str, Any]) -> str:
    return f"{finding['check']}: {finding['subject']}: {finding['message']}"


class _Review:
    """A review under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._folder = scene.home / "security-reviews"
        year, week, _ = scene.now.isocalendar()
        self._week = f"{year}-W{week:02d}"
        self._findings: tuple[Finding, ...] = ()
        self._changes: Changes | None = None

    def ask(self) -> Outcome:
        """Every security check; one that cannot tell is UNKNOWN, and part of the record."""
        scene = self._scene
        context = Context(
            home=scene.home, config=scene.config, now=scene.now, root=scene.root, run=scene.run,
            deadline=monotonic() + SECONDS,
        )  # fmt: skip
        found = Findings(ask([load_check(name) for name in CHECKS], context, seconds=SECONDS))
        self._findings = tuple(found)
        told = [finding for finding in found if applicable(finding)]
        counts = {s.value: sum(f.severity is s for f in told) for s in reversed(Severity)}
        message = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        # What it found is no failure of the review.
        return Outcome(message or "nothing applies", {"counts": counts}, self._findings, status=OK)

    def compare(self) -> Outcome:
        """With the newest review of an earlier week."""
        path = self._previous()
        if path is None:
            message = "there is no review of an earlier week to compare with"
            return Outcome(message, {}, (self._scene.finding(Severity.INFO, "changes", message),))
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["findings"]
            self._changes = changes(before, [finding.as_dict() for finding in self._findings])
        except (ValueError, KeyError, TypeError) as error:
            hint = f"Move {path} away; the next review then compares with an older one."
            raise ProcedureError(f"{path} is damaged: {error}", severity=Severity.UNKNOWN, hint=hint) from error
        message = f"{self._changes} since {path.stem}"
        evidence = {**vars(self._changes), "since": path.stem, "source": str(path)}
        return Outcome(message, evidence, (self._scene.finding(Severity.INFO, "changes", message, **evidence),))

    def keep(self) -> Outcome:
        """The answers, for the next comparison and for whoever asks what was known when."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{self._week}.json"
        body = {
            "week": self._week,
            "made": self._scene.now,
            "host": self._scene.config.host,
            "findings": [finding.as_dict() for finding in self._findings],
            "changes": vars(self._changes) if self._changes else None,
        }
        write_atomically(path, json.dumps(plain(body), indent=2, ensure_ascii=False) + "\n", mode=0o600)
        return Outcome(f"kept in {path}", {"path": str(path)})

    def _previous(self) -> Path | None:
        earlier = [path for path in self._folder.glob("*.json") if _WEEK.match(path.stem) and path.stem < self._week]
        return max(earlier, key=lambda path: path.stem, default=None)
