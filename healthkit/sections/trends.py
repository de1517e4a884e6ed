"""Trends of the period: which daily numbers moved by more than chance, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.errors import StoreError
from healthkit.movements import MONTH, Movement, daily_scores, movements
from healthkit.quantities import counted, difference
from healthkit.schema import title
from healthkit.sections.recorded import paragraph
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review


def trends(review: Review, *, most: int = 30) -> Section:
    """Significant ones as a table, at most *most*; the rest is counted, and so is what could not be told."""
    found, note = _movements(review)
    moved = [one for one in found if one.significant]
    unclear = [one for one in found if one.ambiguous and not one.unknown]
    unknown = [one for one in found if one.unknown]
    judged = len(found) - len(unknown)
    counts = (
        f"{len(moved)} of {judged} series moved by more than chance; {len(unclear)} stepped or rose, which cannot be told apart."
        if judged
        else ""
    )
    few = f"Of {len(unknown)} series there are too few days to tell." if unknown else ""
    html = display.table(
        ["Host", "What", f"Change in {MONTH} days", "95 % interval", "Days"],
        [_cells(one) for one in moved[:most]],
        numeric=(2, 3, 4),
        caption="Trends beyond chance",
    ) if moved else ""  # fmt: skip
    notes = [
        counts,
        few,
        note,
        counted(len(moved) - most, "more is not listed here.", "more are not listed here.")
        if len(moved) > most
        else "",
    ]
    notes = [one for one in notes if one] or ["No series of these hosts was measured."]
    html += "".join(paragraph(one, muted=True) for one in notes)
    text = "\n".join([*(f"{one}." for one in moved[:most]), *notes])
    return Section("trends", html, text, {"rows": [one.as_dict() for one in found]})


def _movements(review: Review) -> tuple[list[Movement], str]:
    """Of the whole days of the period so far, and what is to be said of the scores."""
    end = review.until.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (end - review.period.start).days
    if days < 1:
        return [], "No whole day of the period is over."
    note = ""
    try:
        scores = daily_scores(review.home, end=end, days=days)
    except StoreError as error:
        scores, note = {}, f"The scores cannot be read: {error}."
    scores = {host: row for host, row in scores.items() if host in review.hosts}
    if not note:
        missing = sum(host not in scores for host in review.hosts)
        hosts = counted(missing, "host")
        note = f"Of {hosts} no daily score is on record: healthkit check keeps it." if missing else ""
    return movements(review.rollup, end=end, days=days, scores=scores), note


def _cells(one: Movement) -> tuple[str, ...]:
    what = (
        f'<span title="{display.text(one.metric)}">{display.text(title(one.metric))}</span> {display.text(one.device)}'
    )
    change, low, high = (difference(v * MONTH, one.unit) for v in (one.slope, one.lower, one.upper))
    if one.beside:
        change += f'<br><span class="muted">{display.text(one.beside.strip())}</span>'
    return display.host(one.host), what, change, f"{low} to {high}", str(one.n)
