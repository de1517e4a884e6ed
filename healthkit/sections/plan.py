"""The capacity plan: what to buy and by when, what grows, and how much of it could be planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.quantities import quantity
from healthkit.reviews import ALL
from healthkit.schema import title
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from healthkit.reviews import Review


def plan(review: Review, *, most: int = 20) -> Section:
    """Of the newest run of `capacity_plan`; at most *most* purchases."""
    run = review.runs.last("capacity_plan")
    if run is None:
        return recorded.missing(review, "plan", "capacity_plan")
    steps = ("history", "growth", "forecast", "purchases")
    told = [recorded.sentence(step["message"]) for name in steps if (step := run.step(name))]
    bought = list(run.evidence("purchases").get("purchases", ()))
    if review.scope != ALL:
        told.append("The plan is of every host with samples here; what to buy is listed of those under review.")
        bought = [one for one in bought if one["host"] in review.hosts]
    if made_up := run.evidence("history").get("simulated", ()):
        told.append(f"Simulated hosts, which do not exist, are in the plan: {', '.join(made_up[:8])}.")
    kept = run.evidence("record").get("path", "")
    lines = [recorded.head(run), *told, *(f"{one['sentence']}." for one in bought[:most])]
    lines += [f"Kept in {kept}."] if kept else []
    html = recorded.paragraph(lines[0], muted=True) + recorded.listing(told)
    if bought:
        heads = ["By", "Host", "What", "Today", "Add", "Enough until"]
        html += display.table(
            heads, [_cells(one) for one in bought[:most]], numeric=(3, 4), caption="What to buy, and by when"
        )
    if kept:
        html += recorded.paragraph(lines[-1], muted=True)
    return Section("plan", html, "\n".join(lines), {"known": True, "purchases": bought, "path": kept})


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    what = f"{title(one['metric'])} {one['device']}".strip()
    add = quantity(one["more"], one["unit"]) if one["more"] is not None else f"to {one['share']:.2g} times"
    return (
        one["by"],
        display.host(one["host"]),
        display.text(what),
        quantity(one["size"], one["unit"]),
        add,
        one["until"],
    )
