"""The verdict: one sentence, then the numbers it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.charts import sparkline
from healthkit.findings import Findings, Severity
from healthkit.periods import Period
from healthkit.quantities import digits
from healthkit.sections.section import Section
from healthkit.sections.sentences import sentence, share, state

if TYPE_CHECKING:
    from healthkit.reviews import Review

STATES = {
    "healthy": (Severity.OK, "Healthy"),
    "attention": (Severity.WARNING, "Needs attention"),
    "critical": (Severity.CRITICAL, "Critical"),
    "unknown": (Severity.UNKNOWN, "Not known"),
}
"""How a state is shown on page, mail and index: as that severity, in these words."""
COURSE = 12
"""Earlier scores that are drawn."""
MINUS = "\u2212"


def verdict(review: Review) -> Section:
    """State, sentence, score and coverage of the period."""
    data = numbers(review)
    head = f"{data['host']}, {_span(review)}"
    banner = _banner(review)
    tiles = [
        (
            f"{digits(data['score'])}{_change(data['change'])}" if data["score"] is not None else "unknown",
            _whose(review),
        ),
        (share(review.coverage), "of the time measured"),
        (str(len(review.hosts)), "host" if len(review.hosts) == 1 else "hosts"),
        *(
            (str(n), f"{severity.value}{'s' if severity is Severity.WARNING and n > 1 else ''}")
            for severity, n in _counts(review.findings).items()
        ),
    ]
    severity, word = STATES[data["state"]]
    shown = f"{severity.glyph}\u00a0{word}"
    html = (
        (f'<p class="banner">{banner}</p>' if banner else "")
        + f'<div class="hero state-{data["state"]}"><p><span class="state">{shown}</span> <span class="muted">{display.text(head)}</span></p>'
        + f'<p class="lead">{display.text(data["sentence"])}</p>'
        + display.tiles((display.text(value), label) for value, label in tiles)
        + f"{_course(review)}</div>"
    )
    lines = [banner, f"{shown}: {head}", "", data["sentence"], "", *(f"{label}: {value}" for value, label in tiles)]
    return Section("verdict", html, "\n".join(lines).strip(), data)


def _whose(review: Review) -> str:
    """Of several hosts the score is the lowest, which has a name."""
    scores = {host: score.value for host, score in review.scores.items()}
    if len(set(scores.values())) < 2:
        return f"score{' of every host' if len(scores) > 1 else ''} (of 100, lower bound)"
    return f"lowest score, {min(scores, key=lambda host: scores[host])} (of 100, lower bound)"


def _banner(review: Review) -> str:
    if not review.simulated:
        return ""
    if len(review.simulated) == len(review.hosts):
        return "Simulated data: no real host is described here."
    return f"Simulated hosts, which do not exist: {', '.join(review.simulated)}."


def numbers(review: Review) -> dict[str, Any]:
    """Everything that subject, index and archive need to know about a report."""
    from healthkit.checks import applicable

    scores = [score.value for score in review.scores.values()]
    score = min(scores) if scores else None
    previous = (review.previous or {}).get("score")
    return {
        "name": review.cadence,
        "cadence": review.cadence,
        "period": review.period.label,
        "so_far": review.so_far,
        "host": review.hosts[0]
        if len(review.hosts) == 1
        else f"{len(review.hosts)} hosts"
        if review.hosts
        else "no host",
        "hosts": list(review.hosts),
        "group": review.scope if review.scope in review.config.groups and len(review.hosts) > 1 else "",
        "score": score,
        "change": score - previous if score is not None and previous is not None else None,
        "coverage": review.coverage,
        "state": state(review),
        "worst": review.findings.worst.value,
        "sentence": sentence(review),
        "simulated": bool(review.simulated),
        "findings": [f.as_dict() for f in review.findings if f.severity is not Severity.OK and applicable(f)],
    }


def _span(review: Review) -> str:
    last = review.period.end - (review.period.end - review.period.start) / review.period.days
    dates = f"{review.period.start:%-d %b} to {last:%-d %b %Y}"
    return f"{review.period.label} ({dates}, UTC)" + (", so far" if review.so_far else "")


def _change(points: float | None) -> str:
    """With a true minus sign; nothing where there is none."""
    if points is None or round(points) == 0:
        return ""
    return f" ({'+' if points > 0 else MINUS}{digits(round(abs(points), 1))})"


def _course(review: Review) -> str:
    """The scores of this report in earlier periods, and now."""
    from healthkit.errors import StoreError
    from healthkit.state import State

    try:
        with State(review.home, timeout=2) as state:
            rows = state.records("reports", name=review.cadence, scope=review.scope, until=review.now)
    except StoreError:
        return ""
    earlier = {
        row["period"]: row["score"] for row in reversed(rows) if Period.parse(row["period"]).start < review.period.start
    }
    known = [score for _, score in sorted(earlier.items()) if score is not None][-COURSE:]
    now = [score.value for score in review.scores.values()]
    if len(known) < 2 or not now:
        return ""
    values = [*known, min(now)]
    drawn = sparkline(
        values, alt=f"Scores of the last {len(values)} reports: {', '.join(map(digits, values))}", bounds=(0, 100)
    )
    return f'<p class="note">{drawn} score, last {len(values)} reports</p>'


def _counts(findings: Findings) -> dict[Severity, int]:
    found = {
        severity: len(findings.of(severity)) for severity in (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
    }
    return {severity: n for severity, n in found.items() if n}
