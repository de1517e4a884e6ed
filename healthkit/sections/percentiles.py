"""Percentiles of the period, merged from the quantiles of its days, with the period before beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.quantities import counted, quantity
from healthkit.schema import rate_unit, title
from healthkit.sections import courses
from healthkit.sections.recorded import paragraph
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review

METRICS = ("cpu_busy_ratio", "memory_used_ratio", "http_response_seconds")
PERCENTS = (50, 90, 95, 99)


def percentiles(review: Review, *, most: int = 60) -> Section:
    """One row a series: p50, p90, p95, p99, and p95 of the period before; busiest first, at most *most* rows."""
    rows, plain, data = [], [], []
    for metric in METRICS:
        unit = rate_unit(metric)
        now = {percent: courses.percentiles(review, metric, percent) for percent in PERCENTS}
        before = courses.period_percentile(review.before, metric, 95)
        for key in sorted(now[95], key=lambda key: -courses.rank(now[95][key])):
            host, device = key
            values = [now[percent][key] for percent in PERCENTS]
            cells = [*(quantity(value, unit) for value in values), quantity(before.get(key), unit)]
            rows.append((display.host(host), f"{display.text(title(metric))} {display.text(device)}", *cells))
            shown = ", ".join(f"p{p} {cell}" for p, cell in zip(PERCENTS, cells, strict=False))
            plain.append(f"{host} {title(metric)}{f' of {device}' if device else ''}: {shown}; p95 before {cells[-1]}")
            data.append({"host": host, "device": device, "metric": metric, "before": before.get(key),
                         **{f"p{p}": v for p, v in zip(PERCENTS, values, strict=True)}})  # fmt: skip
    if not rows:
        text = f"Unknown: none of {', '.join(title(m) for m in METRICS)} was measured in {review.period}."
        return Section("percentiles", paragraph(text), text, {"rows": []})
    heads = ["Host", "What", *(f"p{percent}" for percent in PERCENTS), "p95 before"]
    html = display.table(heads, rows[:most], numeric=(2, 3, 4, 5, 6), caption="Percentiles of the period")
    if len(rows) > most:
        html += paragraph(
            counted(
                len(rows) - most, "more is in the data, not in this table.", "more are in the data, not in this table."
            ),
            muted=True,
        )
    return Section("percentiles", html, "\n".join(plain[:most]), {"rows": data})
