"""The disaster-recovery drills of the period: which steps held, and the recovery time and point that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import utc
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.logbook import RecordedRun
    from healthkit.reviews import Review

_GLYPH = {"ok": Severity.OK, "failed": Severity.CRITICAL, "unknown": Severity.UNKNOWN}


def drills(review: Review, *, most: int = 6) -> Section:
    """Every run of `dr_drill`, newest first, step by step; at most *most*."""
    runs = [run for run in review.runs.of("dr_drill") if run.status != "running"][:most]
    if not runs:
        return recorded.missing(review, "drills", "dr_drill")
    html, lines = "", []
    for run in runs:
        lines += [recorded.head(run), *(f"  {step['status']}: {step['name']}: {step['message']}" for step in run.steps)]
        html += f"<details open><summary>{display.text(recorded.head(run))}</summary>{_table(run)}</details>"
    data = [
        {"started": utc(run.started), "status": run.status, "steps": [_plain(step) for step in run.steps]}
        for run in runs
    ]
    return Section("drills", html, "\n".join(lines), {"known": True, "runs": data})


def _table(run: RecordedRun) -> str:
    rows = [
        (_status(step["status"]), display.text(step["name"]), display.text(step["message"]), f"{step['seconds']:.2f} s")
        for step in run.steps
    ]
    return display.table(["Status", "Step", "What", "Took"], rows, numeric=(3,), caption="Steps of the drill")


def _status(status: str) -> str:
    severity = _GLYPH.get(status)
    return (
        f'<span class="sev sev-{severity.value}">{severity.glyph}\u00a0{status}</span>'
        if severity
        else display.text(status)
    )


def _plain(step: Any) -> dict[str, Any]:
    return {name: step[name] for name in ("name", "status", "message", "seconds")}
