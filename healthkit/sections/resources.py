"""Resources of each host: the period's 95th percentile beside the course of the last weeks."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.charts import sparkline
from healthkit.quantities import counted, quantity
from healthkit.schema import rate_unit, title
from healthkit.sections import courses, crowds
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review

COLUMNS = ("cpu_busy_ratio", "memory_used_ratio", "disk_used_ratio", "http_response_seconds")
DAYS = 28


def resources(review: Review, *, most: int = 200) -> Section:
    """One row a host: p95 of CPU, memory, its fullest disk and its slowest service; at most *most* hosts."""
    first = (review.until - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    p95 = {m: courses.percentiles(review, m, 95) for m in COLUMNS}
    worst = {m: courses.by_host(values) for m, values in p95.items()}
    lines = {m: courses.daily(review.history, m, "p95", first, DAYS) for m in COLUMNS}
    hosts = crowds.crowd(review, most=most)
    rows: dict[str, list[str]] = {}
    plain, data = [], []
    for host in hosts:
        cells, words, numbers = [display.host(host)], [], {}
        for metric in COLUMNS:
            device, value = worst[metric].get(host, ("", math.nan))
            shown = quantity(value, rate_unit(metric))
            name = f"{title(metric)}{f' of {device}' if device else ''}"
            if math.isnan(value):
                cells.append(f'<span class="muted">{shown}</span>')
            else:
                line = _course(list(lines[metric].get((host, device), ())), rate_unit(metric))
                where = f' <span class="muted">{display.text(device)}</span>' if device else ""
                cells.append(f"{shown}{where}<br>{line}")
            words.append(f"{name} {shown}")
            numbers[metric] = {"device": device, "p95": value}
        rows[host] = cells
        plain.append(f"{host}: " + ", ".join(words))
        data.append({"host": host, **numbers})
    heads: list[str | tuple[str, str]] = ["Host", *((f"{title(metric)}, p95", metric) for metric in COLUMNS)]
    html = crowds.table(review, heads, rows, caption="95th percentiles of the period by host")
    if left := len(review.hosts) - len(hosts):
        note = f"{counted(left, 'more host is', 'more hosts are')} in the data, not in this table."
        html += f'<p class="note">{note}</p>'
    return Section("resources", html, "\n".join(plain), {"rows": data})


def _course(values: list[float], unit: str) -> str:
    measured = [value for value in values if math.isfinite(value)]
    if not measured:
        return ""
    return sparkline(values, alt=f"{DAYS} days, {quantity(min(measured), unit)} to {quantity(max(measured), unit)}")
