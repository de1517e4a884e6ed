"""Findings with what was seen, so that a reader can judge for themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Finding, Severity
from healthkit.jsons import plain
from healthkit.quantities import quantity, utc
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review


def evidence(review: Review, *, most: int = 60) -> Section:
    """Every finding worth a look, folded; at most *most*. What is fine is counted."""
    from healthkit.checks import applicable

    worth = [f for f in review.findings if f.severity is not Severity.OK and applicable(f)][:most]
    fine = len(review.findings.of(Severity.OK))
    note = f"{fine} {'answer was' if fine == 1 else 'answers were'} fine."
    html = "".join(_details(f) for f in worth) + f'<p class="note">{note}</p>'
    text = "\n".join([*(f"{f.host}: {f.check}: {f}" for f in worth), note])
    return Section("evidence", html, text, {"fine": fine, "shown": len(worth)})


def _details(finding: Finding) -> str:
    pairs = [("Check", display.text(finding.check))]
    if finding.value is not None:
        pairs.append(("Value", display.text(quantity(finding.value, finding.unit))))
    if finding.ts is not None:
        pairs.append(("Measured", display.text(utc(finding.ts))))
    pairs += [(name, display.text(_short(value))) for name, value in finding.evidence.items()]
    if finding.hint:
        pairs.append(("What to do", display.text(finding.hint)))
    head = f"{display.badge(finding.severity)} {display.text(finding.host)} <b>{display.text(finding.subject)}</b> "
    return f"<details><summary>{head}{display.text(finding.message)}</summary>{display.definitions(pairs)}</details>"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
