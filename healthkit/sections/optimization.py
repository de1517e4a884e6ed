"""What could run better: recommendations with the number each comes from, databases, configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.quantities import quantity
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review

_STEPS = {
    "optimization_review": ("trends", "resources", "databases", "configuration"),
    "database_maintenance": ("look", "after"),
    "configuration_review": ("application", "healthkit"),
}


def optimization(review: Review, *, most: int = 20) -> Section:
    """Of the newest runs of the optimisation review, the database maintenance and the configuration review."""
    html, lines = "", []
    runs = {name: review.runs.last(name) for name in _STEPS}
    main = runs["optimization_review"]
    advice = list(main.evidence("recommendations").get("recommendations", ())) if main else []
    if advice:
        rows = [
            (
                display.text(one["subject"]),
                display.text(one["text"]),
                quantity(one["value"], one["unit"]),
                display.text(one["do"]),
            )
            for one in advice[:most]
        ]
        html += display.table(["What", "Why", "Number", "Do"], rows, numeric=(2,), caption="Recommendations")
        lines += [f"{one['subject']}: {one['text']}: {one['do']}." for one in advice[:most]]
    for name, steps in _STEPS.items():
        run = runs[name]
        told = [recorded.unknown(review, name)]
        if run is not None:
            told = [
                recorded.head(run),
                *(recorded.sentence(f"{step['name']}: {step['message']}") for n in steps if (step := run.step(n))),
            ]
            told += [f"{f.subject}: {f.message}." for f in run.findings if f.severity.exit_code][:most]
        html += recorded.listing(told)
        lines += told
    if main is not None:
        count = f"{len(advice)} recommendations, each from the number beside it."
        html, lines = recorded.paragraph(count) + html, [count, *lines]
    return Section("optimization", html, "\n".join(lines), {"known": main is not None, "recommendations": advice})
