"""From findings to points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property

from healthkit import checks
from healthkit.checks import Question, applicable
from healthkit.config import Weights
from healthkit.findings import Finding, Findings, Severity
from healthkit.scores.results import Component, Deduction, HealthScore, State

LOSS = {Severity.OK: 0.0, Severity.INFO: 0.0, Severity.WARNING: 0.5, Severity.CRITICAL: 1.0, Severity.UNKNOWN: 1.0}
"""Share of a check's points that an answer loses."""
CAPPED = {"availability": 59.0, "data_safety": 59.0}
"""What a critical finding in a component leaves at most."""
REQUIRED_UNKNOWN = 79.0
"""What an unknown answer of a required check leaves at most."""
COVERED = 0.8
"""Coverage below which the state is unknown."""
HEALTHY = 85.0
"""The runbook's target: below it the state is attention."""
_GRAINS = 2
"""Points are dealt in halves: halves and quarters are exact in binary, so that lines add up to the last bit."""
_STRANGER = "operations"
"""Component of a finding whose check is not one of ours."""


@dataclass(frozen=True)
class Scale:
    """What is asked, and what it weighs: the health score is one, the security score of the monthly audit another."""

    questions: Mapping[str, Question]
    """By name; one that has no finding was not asked, and counts as unknown."""
    shares: Mapping[str, float]
    """What each component weighs; only the proportions count."""
    caps: Mapping[str, float] = field(default_factory=dict)
    """What a critical finding in a component leaves at most."""
    name: str = "Health"


@dataclass(frozen=True)
class _Answer:
    """What one check said, boiled down."""

    question: Question
    findings: tuple[Finding, ...]
    """Those that judge something; empty: the check was never asked."""
    limit: float = 100.0
    """What a critical finding of it leaves at most."""

    @cached_property
    def worst(self) -> Finding | None:
        order = sorted(self.findings, key=lambda f: (-LOSS[f.severity], -f.rank, f.host, f.subject, f.message))
        return order[0] if order else None

    @property
    def loss(self) -> float:
        return LOSS[self.worst.severity] if self.worst else 1.0

    @cached_property
    def told(self) -> Fraction:
        known = sum(finding.severity is not Severity.UNKNOWN for finding in self.findings)
        return Fraction(known, len(self.findings) or 1)

    @property
    def caps(self) -> list[tuple[float, Finding | None]]:
        return [(self._cap(f), f) for f in self.findings] or [(self._lowest_cap, None)]

    def _cap(self, finding: Finding) -> float:
        """What one finding leaves at most. Never below what an unknown answer of the same check would leave."""
        if finding.severity is Severity.UNKNOWN:
            return self._lowest_cap
        if finding.severity not in (Severity.WARNING, Severity.CRITICAL):
            return 100.0
        own = float(finding.evidence.get("cap", 100))
        if finding.severity is Severity.CRITICAL:
            own = min(own, self.limit)
        return max(own, self._lowest_cap)

    @property
    def _lowest_cap(self) -> float:
        required = REQUIRED_UNKNOWN if self.question.required else 100.0
        return min(self.question.cap, required, self.limit)


_DEFAULT = Weights()


def health_score(findings: Iterable[Finding], *, weights: Weights = _DEFAULT) -> HealthScore:
    """Weigh findings.

    A check that is missing among them counts as unknown. A finding of a check that healthkit does not have counts in
    `operations`, with weight 1.

    Args:
        findings: What `healthkit.checks.check` returned.
        weights: What each component weighs; only the proportions count.
    """
    questions = {name: checks.load(name) for name in checks.names()}
    return weigh(findings, Scale(questions, {n: getattr(weights, n) for n in Weights.__struct_fields__}, CAPPED))


def weigh(findings: Iterable[Finding], scale: Scale) -> HealthScore:
    """Weigh findings on any scale; see `health_score`."""
    findings = findings if isinstance(findings, Findings) else Findings(findings)
    newest = max((f.ts for f in findings if f.ts), default=None)
    answers = _answers(findings, scale)
    shares = {name: Fraction(share) for name, share in scale.shares.items()}
    held = deal(100 * _GRAINS, {name: share for name, share in shares.items() if answers.get(name)})
    components = [_component(name, answers.get(name, []), held.get(name, 0), newest) for name in shares]
    score = 100.0 - sum(line.points for component in components for line in component.deductions)
    caps = _caps([a for group in answers.values() for a in group], score, newest, empty=not sum(held.values()))
    score -= sum(line.points for line in caps.deductions)
    coverage = _coverage(answers, shares)
    return HealthScore(
        value=score,
        coverage=coverage,
        state=_state(score, coverage, findings),
        components=(*components, caps),
        findings=findings,
        timestamp=newest,
        host=", ".join(sorted({f.host for f in findings if f.host})),
        name=scale.name,
    )


def _answers(findings: Findings, scale: Scale) -> dict[str, list[_Answer]]:
    """What was said, by component; without what does not apply."""
    said = defaultdict(list)
    for finding in findings:
        said[finding.check].append(finding)
    answers = defaultdict(list)
    for name in sorted(scale.questions.keys() | said.keys()):
        question = scale.questions.get(name) or _stranger(name)
        judging = tuple(f for f in said[name] if applicable(f))
        if judging or not said[name]:
            limit = scale.caps.get(question.component, 100.0)
            answers[question.component].append(_Answer(question, judging, limit))
    return answers


def _stranger(name: str) -> Question:
    return Question(name, _STRANGER, weight=1, required=False, local=False, cap=100, ask=lambda _: iter(()))


def deal(seats: int, shares: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole seats in proportion to shares.

    D'Hondt's method: one more party never gives another party a seat, so that one more unknown never gives another
    check a point. (The method of largest remainders does: that is the Alabama paradox.)
    Source: Balinski and Young (1982), Fair Representation, ch. 9.
    """
    total = sum(shares.values())
    if not total:
        return dict.fromkeys(shares, 0)
    dealt = {name: int(seats * share / total) for name, share in shares.items()}  # the quota's floor is always met
    for _ in range(seats - sum(dealt.values())):
        dealt[max(shares, key=lambda name: shares[name] / (dealt[name] + 1))] += 1
    return dealt


def _component(name: str, answers: Sequence[_Answer], seats: int, newest: datetime | None) -> Component:
    weights = {answer.question.name: Fraction(answer.question.weight) for answer in answers}
    total = sum(weights.values())
    if not total:
        return Component(name, None, 0.0, None, ())
    held = deal(seats, weights)
    lines = [_deduction(a, a.worst, held[a.question.name] * a.loss / _GRAINS, newest) for a in answers]
    lines = sorted((line for line in lines if line.points), key=lambda line: (-line.points, line.check))
    weight = seats / _GRAINS
    kept = sum(weights[a.question.name] * (1 - Fraction(a.loss)) for a in answers) / total
    told = sum(weights[a.question.name] * a.told for a in answers) / total
    score = 100 - 100 * sum(line.points for line in lines) / weight if weight else 100 * float(kept)
    return Component(name, score, weight, float(told), tuple(lines))


def _caps(answers: Sequence[_Answer], score: float, newest: datetime | None, *, empty: bool) -> Component:
    """What the caps take, highest first, each down from the one before."""
    lines = []
    if empty:
        lines.append(Deduction("score", "score", "nothing was asked", None, None, score, "", None))
        score = 0.0
    found = [(cap, answer, finding) for answer in answers for cap, finding in answer.caps if cap < score]
    for cap, answer, finding in sorted(found, key=lambda c: (-c[0], c[1].question.name, c[2].subject if c[2] else "")):
        if cap < score:
            lines.append(_deduction(answer, finding, score - cap, newest, cap=cap))
            score = cap
    return Component("caps", 100 - sum(line.points for line in lines), 0.0, None, tuple(lines))


def _deduction(
    answer: _Answer, finding: Finding | None, points: float, newest: datetime | None, *, cap: float | None = None
) -> Deduction:
    if finding is None:
        name = answer.question.name
        return Deduction(name, name, "was not asked", None, cap, points, "", None)
    age = (newest - finding.ts).total_seconds() if newest and finding.ts else None
    threshold = cap if cap is not None else finding.evidence.get("threshold")
    source = str(finding.evidence.get("source", ""))
    return Deduction(finding.check, finding.subject, finding.message, finding.value, threshold, points, source, age)


def _coverage(answers: Mapping[str, Sequence[_Answer]], shares: Mapping[str, Fraction]) -> float:
    asked = told = Fraction(0)
    for name, group in answers.items():
        total = sum(Fraction(a.question.weight) for a in group)
        if total:
            asked += shares[name]
            told += shares[name] * sum(Fraction(a.question.weight) * a.told for a in group) / total
    return float(told / asked) if asked else 0.0


def _state(score: float, coverage: float, findings: Findings) -> State:
    if coverage < COVERED:
        return "unknown"
    if score <= CAPPED["availability"]:
        return "critical"
    calm = score >= HEALTHY and not findings.of(Severity.CRITICAL)
    return "healthy" if calm else "attention"
