"""Findings with what was seen, so that a reader can judge for themselves."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Severity
from healthkit.jsons import plain
from healthkit.quantities import counted, digits, quantity, utc
from healthkit.sections.folding import Fold, fold, who
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healthkit.reviews import Review

OTHERS = 60
"""Lines of what the others of a row say."""


def evidence(review: Review, *, most: int = 40) -> Section:
    """Every finding worth a look, folded; at most *most*, and how many are left out is said. What is fine is counted."""
    from healthkit.checks import applicable

    folds = fold(f for f in review.findings if f.severity is not Severity.OK and applicable(f))
    worth, left = folds[:most], max(len(folds) - most, 0)
    fine = len(review.findings.of(Severity.OK))
    note = counted(fine, "answer was fine.", "answers were fine.")
    note = f"{counted(left, 'more is', 'more are')} in the JSON of this report. {note}" if left else note
    html = "".join(_details(row, review.hosts) for row in worth) + f'<p class="note">{note}</p>'
    text = "\n".join([*(_line(row, review.hosts) for row in worth), note])
    return Section("evidence", html, text, {"fine": fine, "shown": len(worth)})


def _line(row: Fold, all_hosts: Sequence[str]) -> str:
    """What was seen; what follows from it is among what needs a hand."""
    finding = row.first
    seen = ", ".join(f"{name} {_seen(value)}" for name, value in finding.evidence.items())
    named = f"{who(row.hosts, all_hosts)}: {finding.check}: {finding.severity.glyph}\u00a0{finding.severity.value}: {row.subject}"
    return f"{named}: {seen or row.message}"


def _details(row: Fold, all_hosts: Sequence[str]) -> str:
    """What was seen of the one that speaks for the row; of the others, what each says."""
    finding = row.first
    pairs = [("Check", display.text(finding.check))]
    if finding.value is not None:
        pairs.append(("Value", display.text(quantity(finding.value, finding.unit))))
    if finding.ts is not None:
        pairs.append(("Measured", display.text(utc(finding.ts))))
    pairs += [(name, display.text(_short(value))) for name, value in finding.evidence.items()]
    others: dict[str, list[str]] = {}
    for other in row.findings[1:]:
        others.setdefault(f"{other.subject}: {other.message}", []).append(other.host)
    if others:
        said = [f"{who(list(dict.fromkeys(hosts)), all_hosts)} {words}" for words, hosts in others.items()]
        said[OTHERS:] = [f"and {len(said) - OTHERS} more"] if len(said) > OTHERS else []
        pairs.append(("Likewise", "<br>".join(map(display.text, said))))
    if finding.hint:
        pairs.append(("What to do", display.text(finding.hint)))
    head = f"{display.badge(finding.severity)} {display.text(who(row.hosts, all_hosts))} <b>{display.text(row.subject)}</b> "
    return f"<details><summary>{head}{display.text(row.message)}</summary>{display.definitions(pairs)}</details>"


def _seen(value: object) -> str:
    """On a line of text, of many things how many; they are in the JSON of this report."""
    return str(len(value)) if isinstance(value, list | tuple | dict) else _short(value)


def _short(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return digits(value)
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
