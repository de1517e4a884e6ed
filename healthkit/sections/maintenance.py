"""What was done: every procedure that ran, and every incident, with what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted, quantity, utc
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.incidents import Incident
    from healthkit.logbook import RecordedRun
    from healthkit.reviews import Review

_RESULT = {"ok": Severity.OK, "failed": Severity.CRITICAL, "unknown": Severity.UNKNOWN}


def maintenance(review: Review, *, most: int = 20) -> Section:
    """The runs of each procedure, by host, those that failed first, and the incidents; at most *most* of each."""
    incidents = review.incidents[:most]
    groups = _groups(review)
    lines = [f"{f'{_count(g)}. ' if len(g) > 1 else ''}{recorded.head(_telling(g))}" for g in groups[:most]]
    lines += [str(incident) for incident in incidents]
    notes = []
    if review.runs.unknown:
        notes.append(f"Unknown: the records of procedures cannot be read ({review.runs.unknown}).")
    elif not groups:
        notes.append("No procedure is on record in this time: healthkit schedule show tells which are due.")
    if len(groups) > most:
        notes.append(counted(len(groups) - most, "more is not listed here.", "more are not listed here."))
    html = _table(groups[:most]) if groups else ""
    html += recorded.listing([str(incident) for incident in incidents])
    html += "".join(recorded.paragraph(note, muted=True) for note in notes)
    data = {"known": not review.runs.unknown, "procedures": [_row(g) for g in groups], "incidents": _plain(incidents)}
    return Section("maintenance", html, "\n".join([*lines, *notes]), data)


def _groups(review: Review) -> list[list[RecordedRun]]:
    """The ended runs of each procedure on each host, newest first; the groups with a failure come first."""
    found: dict[tuple[str, str], list[RecordedRun]] = {}
    for run in review.runs:
        if run.status != "running":
            found.setdefault((run.procedure, run.host), []).append(run)
    return sorted(found.values(), key=lambda g: (all(r.status == "ok" for r in g), g[0].procedure, g[0].host))


def _telling(group: Sequence[RecordedRun]) -> RecordedRun:
    """The newest that did not end well, else the newest."""
    return next((run for run in group if run.status != "ok"), group[0])


def _count(group: Sequence[RecordedRun]) -> str:
    well = sum(run.status == "ok" for run in group)
    return f"{counted(len(group), 'run')}, {well} to the end"


def _table(groups: Sequence[Sequence[RecordedRun]]) -> str:
    rows = []
    for group in groups:
        run = _telling(group)
        severity = _RESULT.get(run.status, Severity.INFO)
        badge = f'<span class="sev sev-{severity.value}">{severity.glyph}\u00a0{display.text(run.status)}</span>'
        cells = (run.procedure, display.host(run.host), _count(group), badge, utc(run.started), _seen(run))
        rows.append([cell if k in (1, 3) else display.text(cell) for k, cell in enumerate(cells)])
    heads = ["Procedure", "Host", "Runs", "Result", "When", "What"]
    return display.table(heads, rows, caption="Procedures that ran, those that failed first")


def _seen(run: RecordedRun) -> str:
    """Where it stopped, else how long it took and how much there is to act on."""
    ends = ("failed", "unknown", "skipped") if run.status == "skipped" else ("failed", "unknown")
    stopped = next((step for step in run.steps if step["status"] in ends), None)
    if stopped is not None:
        return f"{stopped['name']}: {stopped['message']}"
    if run.reason:
        return run.reason
    took = quantity((run.ended - run.started).total_seconds(), "seconds") if run.ended else "unknown time"
    bad = len(run.findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN))
    return f"in {took}, {counted(bad, 'finding')} to act on"


def _row(group: Sequence[RecordedRun]) -> dict[str, Any]:
    run = _telling(group)
    return {
        "procedure": run.procedure,
        "host": run.host,
        "runs": len(group),
        "failed": sum(one.status != "ok" for one in group),
        "status": run.status,
        "started": run.started,
    }


def _plain(incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    names = ("name", "host", "severity", "status", "title", "opened", "resolved", "closed")
    return [{name: getattr(incident, name) for name in names} for incident in incidents]
