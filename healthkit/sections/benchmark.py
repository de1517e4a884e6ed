"""How fast the host is: what `host_benchmark` measured, and how that compares with an earlier quarter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.quantities import quantity
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from healthkit.reviews import Review


def benchmark(review: Review) -> Section:
    """Medians with the range of their rounds, load, and the difference from before."""
    run = review.runs.last("host_benchmark")
    if run is None:
        return recorded.missing(review, "benchmark", "host_benchmark")
    timings = [t for step in ("processor", "memory", "disk") for t in run.evidence(step).get("timings", ())]
    compared = {row["name"]: row for row in run.evidence("compare").get("compared", ())}
    told = [recorded.sentence(step["message"]) for name in ("load", "compare") if (step := run.step(name))]
    rows = [_cells(t, compared.get(t["name"])) for t in timings]
    html = recorded.paragraph(recorded.head(run), muted=True) + recorded.listing(told)
    if rows:
        heads = ["What", "Median", "Rounds", "Before", "Difference"]
        html += display.table(heads, rows, numeric=(1, 2, 3), caption="Host benchmark")
    lines = [recorded.head(run), *told, *(": ".join((row[0], "; ".join(row[1:]))) for row in rows)]
    return Section(
        "benchmark", html, "\n".join(lines), {"known": True, "timings": timings, "compared": list(compared.values())}
    )


def _cells(timing: Mapping[str, Any], row: Mapping[str, Any] | None) -> tuple[str, ...]:
    unit = timing["unit"]
    rounds = f"{quantity(timing['low'], unit)} to {quantity(timing['high'], unit)}"
    before = quantity(row["before"], unit) if row else "no earlier run"
    verdict = "cannot tell" if row is None else row["verdict"]
    if row is not None and verdict != "no difference":
        verdict = f"{verdict} by {abs(row['change']):.0%}"
    return display.text(timing["what"]), quantity(timing["median"], unit), rounds, before, verdict
