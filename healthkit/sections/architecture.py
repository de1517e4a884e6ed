"""The architecture review: its checklist, with what was measured beside each question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.quantities import counted
from healthkit.sections import recorded
from healthkit.sections.checklists import standing, when
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.checklists import Standing
    from healthkit.reviews import Review

NAME = "architecture"


def architecture(review: Review) -> Section:
    """Every item of the list `architecture`: state, owner, due date, sign-off, evidence."""
    from healthkit.checklists import Evidence

    items, problem = standing(review, NAME)
    if problem:
        return Section("architecture", recorded.paragraph(problem), problem, {"known": False})
    known = Evidence.of(review.home, now=when(review))
    counts = {word: sum(item.word == word for item in items) for word in ("done", "skipped", "open", "overdue")}
    total = (
        f"{items[0].period}: "
        + ", ".join(f"{n} {word}" for word, n in counts.items())
        + f", of {counted(len(items), 'item')}."
    )
    missing = known.missing(item.item for item in items)
    head = [total, _silent(missing)] if missing else [total]
    html, lines, group = "".join(map(recorded.paragraph, head)), head, ""
    for item in items:
        if item.item.group != group:
            group = item.item.group
            html += f"<h3>{display.text(group)}</h3>"
            lines.append(f"{group}:")
        evidence = known.sentences(item.item, without=missing)
        html += f'<p>{_mark(item)} <b>{display.text(item.item.text)}</b> <span class="muted">{display.text(_about(item))}</span></p>'
        html += recorded.listing(evidence)
        lines += [
            f"[{'x' if item.signed else ' '}] {item.item.text} ({_about(item)})",
            *(f"    {line}" for line in evidence),
        ]
    data = {
        "known": True,
        "counts": counts,
        "items": [item.as_dict() | {"evidence": known.sentences(item.item)} for item in items],
    }
    return Section("architecture", html, "\n".join(lines), data)


def _silent(procedures: list[str]) -> str:
    """What is not known because these did not run: once, and not beside each question."""
    from healthkit.checklists.evidence import REACH

    return f"Unknown: what these would tell, which did not run in {REACH.days} days: {', '.join(procedures)}. To run one: healthkit run NAME."


def _mark(item: Standing) -> str:
    return "☑" if item.signed else "☐"


def _about(item: Standing) -> str:
    """State, owner, due date or sign-off, and what was earlier."""
    told = [item.word, item.owner]
    told.append(f"signed by {item.who} on {item.signed:%Y-%m-%d}" if item.signed else item.day)
    return "; ".join(filter(None, (*told, item.note, f"before: {item.earlier}" if item.earlier else "")))
