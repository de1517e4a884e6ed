"""The security audit as plain text, under the runbook's name and in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.audits import TITLES, questions
from healthkit.checks import applicable
from healthkit.quantities import digits, utc

if TYPE_CHECKING:
    from healthkit.findings import Finding
    from healthkit.procedures._changes import Changes
    from healthkit.procedures._scenes import Scene
    from healthkit.scores import HealthScore

_PATHS = 10


def render(scene: Scene, score: HealthScore, changes: Changes | None) -> str:
    """Seven sections with every answer, then the score with every deduction, and what changed."""
    lines = [f"Security audit {scene.now:%Y-%m} of {scene.config.host}", f"Generated: {utc(scene.now)}"]
    asked = questions()
    for number, (section, title) in enumerate(TITLES.items(), 1):
        lines += ["", f"{number}. {title.upper()}"]
        lines += [line for f in score.findings if asked[f.check].component == section for line in _answer(f)]
    lines += ["", f"{len(TITLES) + 1}. SECURITY ASSESSMENT", *_assessment(score), *_changed(changes)]
    return "\n".join(_plain(line) for line in lines) + "\n"


def _answer(finding: Finding) -> Iterator[str]:
    mark = f"{finding.severity.glyph} {finding.severity.value}" if applicable(finding) else "- does not apply"
    yield f"{mark}: {finding.subject}: {finding.message}"
    for path in list(finding.evidence.get("paths", ()))[:_PATHS]:
        yield f"    {path}"
    if finding.hint:
        yield f"    -> {finding.hint}"


def _assessment(score: HealthScore) -> Iterator[str]:
    yield f"Security Score: {digits(score.value)}/100"
    yield f"Coverage: {score.coverage:.0%} of what was asked could be told; the score is a lower bound."
    for line in score.deductions:
        yield f"  -{line.points:g}  {line.check}: {line.subject}: {line.reason}"


def _changed(changes: Changes | None) -> Iterator[str]:
    yield ""
    if changes is None:
        yield "There is no audit of an earlier month to compare with."
        return
    yield f"Since the audit before: {changes}."
    for kind, entries in vars(changes).items():
        yield from (f"  {kind}: {entry}" for entry in entries)


def _plain(line: str) -> str:
    """Names of files may hold anything: what a terminal would obey is shown instead."""
    line = line.replace("\u00a0", " ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
