"""The weekly security review: what it found on each host, and what changed since the week before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.logbook import RecordedRun
    from healthkit.reviews import Review

PROCEDURE = "security_review"
_KINDS = ("new", "worse", "blind", "appeared", "better", "gone", "vanished")


def security(review: Review, *, most: int = 20) -> Section:
    """The newest run of `security_review` of each host, and the hosts without one; at most *most* lines of each kind."""
    runs, without = recorded.newest(review, PROCEDURE)
    if not runs:
        return recorded.missing(review, "security", PROCEDURE)
    html, lines, data = "", [], []
    for host, run in runs.items():
        changed = _changed(run, most)
        open_ = run.findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
        html += recorded.paragraph(recorded.head(run), muted=True) + recorded.listing(changed) + _table(run, most)
        lines += [recorded.head(run), *changed, *(f"{f.check}: {f}" for f in open_[:most])]
        if len(open_) > most:
            html += recorded.paragraph(
                counted(len(open_) - most, "more is not listed here.", "more are not listed here."), muted=True
            )
        counts = run.evidence("checks").get("counts", {})
        data.append({"host": host, "counts": counts, "changes": {kind: _entries(run, kind) for kind in _KINDS}})
    if without:
        note = recorded.unknown(review, PROCEDURE, without)
        html, lines = html + recorded.paragraph(note, muted=True), [*lines, note]
    return Section("security", html, "\n".join(lines), {"known": True, "hosts": data, "without": without})


def _entries(run: RecordedRun, kind: str) -> list[str]:
    return [str(entry) for entry in run.evidence("changes").get(kind, ())]


def _changed(run: RecordedRun, most: int) -> list[str]:
    """What the review says of the week before, then each change."""
    step = run.step("changes")
    lines = [f"{kind}: {entry}" for kind in _KINDS for entry in _entries(run, kind)]
    more = [f"and {counted(len(lines) - most, 'more change')}"] if len(lines) > most else []
    return [str(step["message"]), *lines[:most], *more] if step else []


def _table(run: RecordedRun, most: int) -> str:
    rows = [
        (
            display.badge(f.severity),
            display.text(f.check),
            f"<b>{display.text(f.subject)}</b> {display.text(f.message)}",
            display.text(f.hint),
        )
        for f in run.findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)[:most]
    ]
    return (
        display.table(["Severity", "Question", "What", "What to do"], rows, caption="Security, worst first")
        if rows
        else ""
    )
