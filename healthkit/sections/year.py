"""The year, month by month: score and coverage of the monthly reports, and what was used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.errors import StoreError
from healthkit.periods import Period
from healthkit.quantities import digits, quantity
from healthkit.schema import rate_unit, title
from healthkit.sections import courses, recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review

MONTHS = 12
METRICS = ("cpu_busy_ratio", "memory_used_ratio", "disk_used_ratio", "http_response_seconds")


def year(review: Review) -> Section:
    """One row a month that has a report or samples, oldest first; of the fleet the highest p95, and whose it is."""
    months, problem = _months(review), ""
    rows, lines, data = [], [], []
    try:
        reports = _reports(review)
    except StoreError as error:
        reports, problem = {}, f"The records of reports cannot be read: {error}."
    for month in months:
        rollup, report = review.during(month), reports.get(month.label, {})
        top = {metric: _top(courses.period_percentile(rollup, metric, 95)) for metric in METRICS}
        if not report and all(math.isnan(value) for *_, value in top.values()):
            continue
        score = digits(report["score"]) if report.get("score") is not None else "unknown"
        days = rollup["date"].nunique()
        shown = [
            " ".join(filter(None, (quantity(value, rate_unit(metric)), host, device)))
            for metric, (host, device, value) in top.items()
        ]
        rows.append((month.label, score, f"{days} of {month.days}", *(_cell(m, *found) for m, found in top.items())))
        named = "; ".join(f"{title(m)} {cell}" for m, cell in zip(METRICS, shown, strict=True))
        lines.append(f"{month.label}: score {score}; {days} of {month.days} days measured; {named}")
        data.append({"month": month.label, "score": report.get("score"), "days": days,
                     **{m: {"host": f"{h} {d}".strip(), "p95": v} for m, (h, d, v) in top.items()}})  # fmt: skip
    if not rows:
        text = (
            f"Unknown: neither a monthly report nor a sample of the {MONTHS} months up to {review.period} is on record."
        )
        return Section("year", recorded.paragraph(text), text, {"months": []})
    heads: list[str | tuple[str, str]] = [
        "Month",
        "Score",
        "Days measured",
        *((f"{title(metric)} p95", f"{metric}: the highest of all") for metric in METRICS),
    ]
    html = display.table(heads, rows, numeric=(1, 2), caption="The year by month")
    lines += [problem] if problem else []
    html += recorded.paragraph(problem, muted=True) if problem else ""
    return Section("year", html, "\n".join(lines), {"months": data})


def _months(review: Review) -> list[Period]:
    """The twelve months up to the end of the period so far, oldest first."""
    month = Period.of("monthly", review.until - review.period.start.resolution)
    found = [month]
    while len(found) < MONTHS:
        found.append(found[-1].previous())
    return found[::-1]


def _reports(review: Review) -> dict[str, dict[str, Any]]:
    """What is on record of the monthly reports of the same hosts, the newest of each month."""
    from healthkit.state import State

    with State(review.home) as state:
        rows = state.records("reports", name="monthly", scope=review.scope, until=review.now)
    return {row["period"]: row for row in reversed(rows)}


def _top(values: dict[tuple[str, str], float]) -> tuple[str, str, float]:
    """Host and device with the highest value, and the value."""
    known = {key: value for key, value in values.items() if math.isfinite(value)}
    key = max(known, key=lambda key: known[key], default=None)
    return (*key, values[key]) if key is not None else ("", "", math.nan)


def _cell(metric: str, host: str, device: str, value: float) -> str:
    """The value, and below it whose it is."""
    whose = f'<br>{display.host(host)} <span class="muted">{display.text(device)}</span>' if host else ""
    return f"{display.text(quantity(value, rate_unit(metric)))}{whose}"
