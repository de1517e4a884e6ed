"""The security audit: score and coverage, every lost point, what changed, what could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted, digits, quantity
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.logbook import RecordedRun
    from healthkit.reviews import Review

_KINDS = ("new", "worse", "better", "gone", "blind", "appeared", "vanished")


def audit(review: Review, *, most: int = 20) -> Section:
    """Of the newest run of `security_audit`; at most *most* lines of each kind."""
    run = review.runs.last("security_audit")
    if run is None:
        return recorded.missing(review, "audit", "security_audit")
    score = run.evidence("assessment")
    if not score:
        text = recorded.head(run)
        return Section("audit", recorded.paragraph(text), text, {"known": False, "procedure": "security_audit"})
    lost = [line for component in score["components"] for line in component["deductions"]]
    lost.sort(key=lambda line: -line["points"])
    html = recorded.paragraph(recorded.head(run), muted=True)
    tiles = [
        (digits(score["overall_score"]), "security score (of 100, lower bound)"),
        (quantity(score["coverage"], "ratio"), "of what was asked could be told"),
    ]
    html += display.tiles((display.text(value), label) for value, label in tiles)
    rows = [
        (f"{line['points']:g}", display.text(line["check"]), display.text(f"{line['subject']}: {line['reason']}"))
        for line in lost[:most]
    ]
    html += display.table(["Points", "Question", "Why"], rows, numeric=(0,), caption="Points lost") if rows else ""
    changed, unknown = _changed(run, most), _unknown(run, most)
    html += recorded.listing(changed)
    html += (
        recorded.paragraph(f"{counted(len(unknown), 'question')} could not be answered:") + recorded.listing(unknown)
        if unknown
        else ""
    )
    lines = [recorded.head(run), *(f"{label}: {value}" for value, label in tiles)]
    lines += [f"-{line['points']:g} {line['check']}: {line['subject']}: {line['reason']}" for line in lost[:most]]
    lines += [*changed, *(f"unknown: {line}" for line in unknown)]
    data = {
        "known": True,
        "score": score["overall_score"],
        "coverage": score["coverage"],
        "state": score["state"],
        "deductions": lost,
    }
    return Section("audit", html, "\n".join(lines), data)


def _changed(run: RecordedRun, most: int) -> list[str]:
    evidence, step = run.evidence("changes"), run.step("changes")
    lines = [f"{kind}: {entry}" for kind in _KINDS for entry in evidence.get(kind, ())]
    more = [f"and {counted(len(lines) - most, 'more change')}"] if len(lines) > most else []
    return [str(step["message"]), *lines[:most], *more] if step else []


def _unknown(run: RecordedRun, most: int) -> list[str]:
    return [f"{f.check}: {f.subject}: {f.message}" for f in run.findings.of(Severity.UNKNOWN)][:most]
