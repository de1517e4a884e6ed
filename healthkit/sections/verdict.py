"""The verdict: one sentence, then the numbers it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.findings import Findings, Severity
from healthkit.quantities import digits, quantity
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review

ENOUGH = 0.8
"""Coverage below which a period has no verdict: the state is `unknown`, never `healthy`."""


def verdict(review: Review) -> Section:
    """State, sentence, score and coverage of the period."""
    data = numbers(review)
    head = f"{data['host']}, {_span(review)}"
    banner = _banner(review)
    change = f" ({data['change']:+.0f})" if data["change"] is not None else ""
    tiles = [
        (f"{digits(data['score'])}{change}" if data["score"] is not None else "unknown", "score of 100, lower bound"),
        (quantity(review.coverage, "ratio"), "of the time measured"),
        (str(len(review.hosts)), "host" if len(review.hosts) == 1 else "hosts"),
        *((str(n), severity.value) for severity, n in _counts(review.findings).items()),
    ]
    html = (
        (f'<p class="banner">{banner}</p>' if banner else "")
        + f'<p class="muted">{display.text(head)}</p><p class="lead state-{data["state"]}">{display.text(data["sentence"])}</p>'
        + display.tiles((display.text(value), label) for value, label in tiles)
    )
    lines = [banner, head, "", data["sentence"], "", *(f"{label}: {value}" for value, label in tiles)]
    return Section("verdict", html, "\n".join(lines).strip(), data)


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


def state(review: Review) -> str:
    """`healthy`, `attention`, `critical` or `unknown`.

    What is critical is critical however little was measured; but nothing is healthy that was not watched.
    """
    if review.findings.worst is Severity.CRITICAL:
        return "critical"
    if review.coverage < ENOUGH:
        return "unknown"
    states = {score.state for score in review.scores.values()}
    return next((s for s in ("critical", "unknown", "attention") if s in states), "healthy")


def sentence(review: Review) -> str:
    """The verdict in plain words."""
    if not review.hosts:
        return f"Nothing was measured in {review.period}, so nothing can be said about it."
    critical, warnings = review.findings.of(Severity.CRITICAL), review.findings.of(Severity.WARNING)
    words = []
    if critical:
        words.append(f"{_share(review, critical)} action now: {_first(critical)}.")
    elif warnings:
        words.append(f"{_share(review, warnings)} attention: {_first(warnings)}.")
    if review.coverage < ENOUGH:
        words.append(
            f"Only {quantity(review.coverage, 'ratio')} of {_name(review)} was measured: "
            f"too little to call anything healthy."
        )
    elif not words:
        unknown = len(review.findings.of(Severity.UNKNOWN))
        who = review.hosts[0] if len(review.hosts) == 1 else f"All {len(review.hosts)} hosts"
        rest = f"; {unknown} questions could not be answered" if unknown else ""
        words.append(f"{who}: nothing needs a hand{rest}.")
    soonest = next((row for row in review.capacity.rows if row.days is not None), None)
    if soonest is not None:
        words.append(f"Next to fill: {soonest.sentence}.")
    return " ".join(words)


def _share(review: Review, findings: Findings) -> str:
    hosts = {finding.host for finding in findings}
    if len(review.hosts) == 1:
        return f"{review.hosts[0]} needs"
    return f"{len(hosts)} of {len(review.hosts)} hosts {'needs' if len(hosts) == 1 else 'need'}"


def _first(findings: Findings) -> str:
    first, more = findings[0], len(findings) - 1
    where = f"{first.host} " if first.host else ""
    tail = f", and {more} more" if more else ""
    return f"{where}{first.subject}: {first.message.rstrip('.')}{tail}"


def _name(review: Review) -> str:
    unit = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}[review.cadence]
    return f"the {unit} so far" if review.so_far else f"the {unit}"


def _span(review: Review) -> str:
    last = review.period.end - (review.period.end - review.period.start) / review.period.days
    dates = f"{review.period.start:%-d %b} to {last:%-d %b %Y}"
    return f"{review.period.label} ({dates}, UTC)" + (", so far" if review.so_far else "")


def _counts(findings: Findings) -> dict[Severity, int]:
    found = {
        severity: len(findings.of(severity)) for severity in (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
    }
    return {severity: n for severity, n in found.items() if n}
