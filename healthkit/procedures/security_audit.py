"""Audits the whole of security in eight sections: updates, users and files, network, logins, certificates, secrets, packages, score.

Kept in `HOME/security-audits/security-audit-YYYY-MM.{txt,json}`, readable by their owner alone. A second audit in the
same month replaces the first, so that the change is always one since an earlier month.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from healthkit.audits import LIMIT, SHARES, TITLES, questions
from healthkit.checks import Context, ask
from healthkit.files import write_atomically
from healthkit.findings import Finding, Findings, Severity
from healthkit.procedures._audit_texts import render
from healthkit.procedures._earlier import Series
from healthkit.procedures._runs import OK, Action, Outcome
from healthkit.procedures.security_review import count, told
from healthkit.quantities import counted
from healthkit.scores import HealthScore, Scale, weigh

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False

SECONDS = 60.0
LONGER = {"permissions": 300.0, "application": 300.0, "dependencies": 600.0}
"""Seconds that a section may take: a file system is walked, a server is asked."""
ALARM = 80.0
"""Score below which the runbook raises an alarm."""


def steps(scene: Scene) -> Iterator[Action]:
    """The sections, the score, the change since last month, the record."""
    audit = _Audit(scene)
    for section in SHARES:
        yield Action(section, partial(audit.ask, section))
    yield Action("assessment", audit.weigh)
    yield Action("changes", audit.compare)
    yield Action("record", audit.keep)


class _Audit:
    """An audit under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        folder = scene.home / "security-audits"
        self._series = Series(scene, folder, f"{scene.now:%Y-%m}", unit="month", prefix="security-audit-")
        self._findings: list[Finding] = []
        self._score: HealthScore | None = None

    def ask(self, section: str) -> Outcome:
        """The questions of one section; one that cannot be answered is UNKNOWN."""
        scene, seconds = self._scene, LONGER.get(section, SECONDS)
        context = Context(
            home=scene.home, config=scene.config, now=scene.now, root=scene.root, run=scene.run,
            deadline=monotonic() + seconds,
        )  # fmt: skip
        found = Findings(ask([q for q in questions().values() if q.component == section], context, seconds=seconds))
        self._findings += found
        counts = count(found)
        worst = found[0] if found else None
        message = f"{counted(sum(counts.values()), 'answer')}: {told(counts)}"
        if worst is not None and worst.severity not in (Severity.OK, Severity.INFO):
            message += f"; {worst.check}: {worst.subject}: {worst.message}"
        # What it found is no failure of the audit.
        return Outcome(message, {"title": TITLES[section], "counts": counts}, tuple(found), status=OK)

    def weigh(self) -> Outcome:
        """The security score: deductions that add up, caps, and how much of it could be told."""
        scale = Scale(questions(), SHARES, dict.fromkeys(SHARES, LIMIT), name="Security")
        score = self._score = weigh(self._findings, scale)
        low = score.value < ALARM
        summary = {name: value for name, value in score.as_dict().items() if name != "findings"}
        found = self._scene.finding(
            Severity.WARNING if low else Severity.INFO,
            "security score",
            str(score),
            value=score.value,
            hint="See the deductions, the largest first." if low else "",
            threshold=ALARM,
            coverage=score.coverage,
        )
        return Outcome(str(score), summary, (found,), status=OK)

    def compare(self) -> Outcome:
        """With the newest audit of an earlier month."""
        return self._series.compare(self._findings)

    def keep(self) -> Outcome:
        """As JSON for the next comparison, as text for people, under the runbook's name."""
        assert self._score is not None  # noqa: S101 - a step before this one
        summary = {name: value for name, value in self._score.as_dict().items() if name != "findings"}
        path = self._series.keep(self._findings, {"score": summary})
        text = render(self._scene, self._score, self._series.changes)
        write_atomically(path.with_suffix(".txt"), text, mode=0o600)
        return Outcome(
            f"kept in {path.with_suffix('.txt')}", {"path": str(path.with_suffix(".txt")), "json": str(path)}
        )
