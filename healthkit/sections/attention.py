"""What needs a hand: findings that are not fine, worst first, healthy hosts folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Finding, Severity
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review


def attention(review: Review, *, most: int = 50) -> Section:
    """The ranked list, one row for what several hosts share; at most *most* rows, and how many are left out is said."""
    wanted = [f for f in review.findings if f.severity in (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)]
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for f in wanted:
        groups.setdefault((f.rank, f.check, f.subject, f.message), []).append(f)
    shown = [(same[0], _hosts([f.host for f in same], review)) for same in list(groups.values())[:most]]
    left = max(len(groups) - most, 0)
    busy = {finding.host for finding in wanted}
    healthy = [host for host in review.hosts if host not in busy]
    rows = [
        (
            display.badge(f.severity),
            display.host(who),
            f"<b>{display.text(f.subject)}</b> {display.text(f.message)}",
            display.text(f.hint),
        )
        for f, who in shown
    ]
    html = (
        display.table(["Severity", "Host", "What", "What to do"], rows, caption="Findings, worst first") if rows else ""
    )
    notes = [f"{left} more are not listed here." if left else "", _folded(healthy)]
    html += "".join(f'<p class="note">{display.text(note)}</p>' for note in notes if note)
    text = "\n".join([*(f"{who}: {f}\n    {f.hint}".rstrip() for f, who in shown), *filter(None, notes)])
    data = {"rows": [f.as_dict() | {"host": who} for f, who in shown], "left_out": left, "healthy": healthy}
    return Section("attention", html or "<p>Nothing.</p>", text or "Nothing.", data)


def _hosts(hosts: list[str], review: Review) -> str:
    """Whom a row is about: names while they are few."""
    if len(hosts) == len(review.hosts) > 1:
        return f"all {len(hosts)} hosts"
    return ", ".join(hosts) if len(hosts) <= 4 else f"{', '.join(hosts[:3])} and {len(hosts) - 3} more"


def _folded(healthy: list[str]) -> str:
    if not healthy:
        return ""
    names = ", ".join(healthy[:8]) + (f" and {len(healthy) - 8} more" if len(healthy) > 8 else "")
    return f"Nothing to do on {names}."
