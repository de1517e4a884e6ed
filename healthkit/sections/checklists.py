"""The tasks that take people: what is open, what is overdue, and who signed off what."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.errors import ConfigError, StoreError
from healthkit.quantities import counted
from healthkit.reviews import RECENT
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.checklists import Standing
    from healthkit.reviews import Review


def checklists(review: Review) -> Section:
    """Every list, one row an item that is not done; those that are done are counted."""
    from healthkit.checklists import definitions

    try:
        names = list(definitions(review.home))
    except ConfigError as error:
        text = f"Unknown: the checklists cannot be read: {error}."
        return Section("checklists", recorded.paragraph(text), text, {"known": False})
    rows, lines, data = [], [], []
    for name in names:
        items, problem = standing(review, name)
        if problem:
            return Section("checklists", recorded.paragraph(problem), problem, {"known": False})
        done = sum(item.signed is not None for item in items)
        left = sorted((item for item in items if not item.signed), key=lambda item: item.due)
        first = f"{left[0].word}, {left[0].day}" if left else "nothing is open"
        period = items[0].period if items else ""
        rows.append(
            (display.text(name), period, f"{done} of {len(items)}", display.text(first), display.text(_earlier(items)))
        )
        lines.append(f"{name} {period}: {done} of {len(items)} signed off; {first}; {_earlier(items)}.")
        data += [item.as_dict() for item in items]
    heads = ["Checklist", "Period", "Signed off", "Next", "Last sign-off of an earlier period"]
    html = display.table(heads, rows, caption="Checklists")
    overdue = sum(one["state"] == "overdue" for one in data)
    unasked = sum(one["unasked"] for one in data)
    note = f"{overdue} of {counted(len(data), 'item')} {'is' if overdue == 1 else 'are'} overdue. To sign one off: healthkit checklist NAME --done ITEM."
    if unasked:
        note += f" {counted(unasked, 'is', 'are')} next due in a later period: nothing was on record here on their day of this one."
    return Section(
        "checklists", html + recorded.paragraph(note, muted=True), "\n".join([*lines, note]), {"items": data}
    )


def when(review: Review) -> datetime:
    """The moment that the review speaks of: when it is made, or soon after its period where it is made again later."""
    return min(review.now, review.period.end + RECENT)


def standing(review: Review, name: str) -> tuple[tuple[Standing, ...], str]:
    """The items of a list at the time of the review; or why they cannot be told."""
    from healthkit.checklists import definitions, standings

    try:
        return standings(review.home, name, definitions(review.home)[name], now=when(review)), ""
    except (StoreError, ConfigError, KeyError) as error:
        return (), f"Unknown: the checklist {name} cannot be told: {error}."


def _earlier(items: tuple[Standing, ...]) -> str:
    """The newest sign-off before."""
    known = [item.earlier for item in items if item.earlier]
    return known[0] if known else "no earlier sign-off"
