"""What could run better: recommendations with the number each comes from, databases, configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.movements import count
from healthkit.quantities import counted, quantity
from healthkit.reviews import ALL
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.logbook import RecordedRun
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
    advice = _advice(review, main) if main else []
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
    for name, run in runs.items():
        told = _told(review, run, _STEPS[name], most) if run else [recorded.unknown(review, name)]
        html += recorded.listing(told)
        lines += told
    if main is not None:
        first = f"{counted(len(advice), 'recommendation')}, each from the number beside it."
        html, lines = recorded.paragraph(first) + html, [first, *lines]
    return Section("optimization", html, "\n".join(lines), {"known": main is not None, "recommendations": advice})


def _advice(review: Review, run: RecordedRun) -> list[dict[str, Any]]:
    found = run.evidence("recommendations").get("recommendations", ())
    return [one for one in found if _concerns(review, one["host"])]


def _told(review: Review, run: RecordedRun, steps: Sequence[str], most: int) -> list[str]:
    """How it ended, what its steps said, and what is wrong."""
    said = [recorded.sentence(f"{name}: {_message(review, step)}") for name in steps if (step := run.step(name))]
    bad = [f for f in run.findings if f.severity.exit_code and _concerns(review, f.host)]
    return [recorded.head(run), *said, *(f"{f.subject}: {f.message}." for f in bad[:most])]


def _concerns(review: Review, host: str) -> bool:
    """Whether it is of a host under review: the machine that keeps the samples of many looks at all of them."""
    return review.scope == ALL or host in review.hosts


def _message(review: Review, step: Mapping[str, Any]) -> str:
    """What a step said; of trends, what it says of the hosts under review."""
    series = step["evidence"].get("series")
    if review.scope == ALL or not series:
        return str(step["message"])
    return count([one for one in series if one["host"] in review.hosts], step["evidence"]["days"])
