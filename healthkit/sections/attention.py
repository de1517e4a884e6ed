"""What needs a hand: findings that are not fine, worst first, healthy hosts folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Severity
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review


def attention(review: Review, *, most: int = 50) -> Section:
    """The ranked list; at most *most* rows, and the number of those left out is said."""
    wanted = [f for f in review.findings if f.severity in (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)]
    shown, left = wanted[:most], max(len(wanted) - most, 0)
    busy = {finding.host for finding in wanted}
    healthy = [host for host in review.hosts if host not in busy]
    rows = [
        (
            display.badge(f.severity),
            display.text(f.host),
            f"<b>{display.text(f.subject)}</b> {display.text(f.message)}",
            display.text(f.hint),
        )
        for f in shown
    ]
    html = (
        display.table(["Severity", "Host", "What", "What to do"], rows, caption="Findings, worst first") if rows else ""
    )
    notes = [f"{left} more are not listed here." if left else "", _folded(healthy)]
    html += "".join(f'<p class="note">{display.text(note)}</p>' for note in notes if note)
    text = "\n".join([*(f"{f.host}: {f}\n    {f.hint}".rstrip() for f in shown), *filter(None, notes)])
    data = {"rows": [f.as_dict() for f in shown], "left_out": left, "healthy": healthy}
    return Section("attention", html or "<p>Nothing.</p>", text or "Nothing.", data)


def _folded(healthy: list[str]) -> str:
    if not healthy:
        return ""
    names = ", ".join(healthy[:8]) + (f" and {len(healthy) - 8} more" if len(healthy) > 8 else "")
    return f"Nothing to do on {names}."
