"""What needs a hand: findings that are not fine, worst first, healthy hosts folded away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted, listed
from healthkit.sections.crowds import busy
from healthkit.sections.folding import Fold, fold, who
from healthkit.sections.section import Section
from healthkit.sections.sentences import ENOUGH

if TYPE_CHECKING:
    from healthkit.reviews import Review


CALM, SILENT = "Nothing to do on", "Too little was measured to tell of"


def attention(review: Review, *, most: int = 50) -> Section:
    """The ranked list, one row for what several hosts share or one remedy answers; at most *most* rows, and how many are left out is said."""
    wanted = [f for f in review.findings if f.severity in (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)]
    folds = fold(wanted)
    shown = [(row, who(row.hosts, review.hosts)) for row in folds[:most]]
    left = max(len(folds) - most, 0)
    asked = busy(review)
    quiet = [host for host in review.hosts if host not in asked]
    healthy = [host for host in quiet if review.host_coverage[host] >= ENOUGH]
    silent = [host for host in quiet if host not in healthy]
    rows = [
        (
            display.badge(row.first.severity),
            display.host(hosts),
            f"<b>{display.text(row.subject)}</b> {display.text(row.message)}",
            display.text(row.first.hint),
        )
        for row, hosts in shown
    ]
    html = (
        display.table(["Severity", "Host", "What", "What to do"], rows, caption="Findings, worst first") if rows else ""
    )
    more = [counted(left, "more is not listed here.", "more are not listed here.")] if left else []
    folded = [(words, names) for words, names in ((CALM, healthy), (SILENT, silent)) if names]
    html += "".join(f'<p class="note">{note}</p>' for note in [*more, *(_folded(*one, display.host) for one in folded)])
    notes = [*more, *(_folded(*one) for one in folded)]
    text = "\n".join([*(_line(row, hosts) for row, hosts in shown), *notes])
    data = {"rows": [_as_dict(row, hosts) for row, hosts in shown], "left_out": left, "healthy": healthy}
    return Section("attention", html or "<p>Nothing.</p>", text or "Nothing.", data)


def _line(row: Fold, hosts: str) -> str:
    severity = row.first.severity
    return f"{hosts}: {severity.glyph} {severity.value}: {row.subject}: {row.message}\n    {row.first.hint}".rstrip()


def _as_dict(row: Fold, hosts: str) -> dict[str, Any]:
    return row.first.as_dict() | {"host": hosts, "subject": row.subject, "message": row.message}


def _folded(words: str, hosts: list[str], shown: Callable[[str], str] = str) -> str:
    """The hosts, each as *shown*: on the page no name is broken at its hyphen."""
    return f"{words} {listed([shown(host) for host in hosts], 8)}."
