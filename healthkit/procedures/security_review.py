"""Asks the security checks, and says what changed since the review of an earlier week.

The answers are kept in `HOME/security-reviews/<ISO week>.json`, readable by their owner alone; a second review in the same
week replaces the first, so that the change is always one since an earlier week.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING

from healthkit.checks import Context, applicable, ask
from healthkit.checks import load as load_check
from healthkit.findings import Finding, Findings, Severity
from healthkit.procedures._earlier import Series
from healthkit.procedures._runs import OK, Action, Outcome

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False

CHECKS = ("certificates", "logins", "permissions", "ports", "updates", "vulnerabilities")
SECONDS = 600.0
"""How long they may take: a look for vulnerable packages asks a server."""


def steps(scene: Scene) -> Iterator[Action]:
    """Ask, compare, keep."""
    review = _Review(scene)
    yield Action("checks", review.ask)
    yield Action("changes", review.compare)
    yield Action("record", review.keep)


class _Review:
    """A review under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        year, week, _ = scene.now.isocalendar()
        self._series = Series(scene, scene.home / "security-reviews", f"{year}-W{week:02d}", unit="week")
        self._findings: tuple[Finding, ...] = ()

    def ask(self) -> Outcome:
        """Every security check; one that cannot tell is UNKNOWN, and part of the record."""
        scene = self._scene
        context = Context(
            home=scene.home, config=scene.config, now=scene.now, root=scene.root, run=scene.run,
            deadline=monotonic() + SECONDS,
        )  # fmt: skip
        found = Findings(ask([load_check(name) for name in CHECKS], context, seconds=SECONDS))
        self._findings = tuple(found)
        counts = count(found)
        # What it found is no failure of the review.
        return Outcome(told(counts), {"counts": counts}, self._findings, status=OK)

    def compare(self) -> Outcome:
        """With the newest review of an earlier week."""
        return self._series.compare(self._findings)

    def keep(self) -> Outcome:
        """The answers, for the next comparison and for whoever asks what was known when."""
        path = self._series.keep(self._findings)
        return Outcome(f"kept in {path}", {"path": str(path)})


def count(findings: Findings) -> dict[str, int]:
    """How many findings there are of each severity, worst first, without those that do not apply."""
    judging = [finding for finding in findings if applicable(finding)]
    return {s.value: sum(f.severity is s for f in judging) for s in reversed(Severity)}


def told(counts: dict[str, int]) -> str:
    """The counts in words."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing applies"
