"""The rhythm of the week: how busy the busiest hosts are by hour and weekday."""

from __future__ import annotations

import calendar
import math
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from healthkit import display
from healthkit.quantities import quantity
from healthkit.schema import rate_unit, title
from healthkit.sections import courses
from healthkit.sections.section import Section

if TYPE_CHECKING:
    import numpy as np

    from healthkit.reviews import Review

    Array = np.ndarray[Any, np.dtype[np.float64]]

METRIC = "cpu_busy_ratio"
DAYS = 28
"""Days of samples that are read at most, up to the end of the period: four of each weekday."""
LEVELS = 5
"""Shades. Fewer are told apart more surely."""


def hours(review: Review, *, most: int = 3) -> Section:
    """Mean of each hour of the week, of the *most* busiest hosts: only of those are samples read, not daily statistics."""
    p95 = courses.percentiles(review, METRIC, 95)
    hosts = [host for (host, _), _ in sorted(p95.items(), key=lambda item: (-courses.rank(item[1]), item[0]))][:most]
    grids = _grids(review, hosts)
    zone = review.config.timezone
    charts, lines, data = [], [], []
    for host in hosts:
        if host not in grids:
            lines.append(f"{host}: unknown, its samples of these days are not kept any more")
            charts.append(f"<p>{display.text(lines[-1])}.</p>")
            continue
        sentence = f"{host}: {_sentence(grids[host], zone)}"
        lines.append(sentence)
        charts.append(_drawing(host, grids[host], sentence))
        data.append({"host": host, "mean": grids[host].tolist()})
    if not hosts:
        text = f"{title(METRIC)} was not measured."
        return Section("hours", f"<p>{text}</p>", text, {"rows": []})
    html = f'<div class="charts">{"".join(charts)}</div>'
    return Section("hours", html, "\n".join(lines), {"metric": METRIC, "timezone": zone, "rows": data})


def _grids(review: Review, hosts: list[str]) -> dict[str, Array]:
    """Mean by weekday and hour, (7, 24), NaN = not measured, of each host that has samples."""
    import numpy as np

    from healthkit import store

    if not hosts:
        return {}
    start = max(review.period.start, review.until - timedelta(days=DAYS))
    samples = store.load(review.home, hosts=hosts, metrics=[METRIC], start=start, end=review.until)
    samples = samples.dropna(subset=["value"])
    local = samples["ts"].dt.tz_convert(ZoneInfo(review.config.timezone))
    names = samples["host"].astype(str)
    means = samples["value"].groupby([names, local.dt.day_of_week, local.dt.hour]).mean()
    found: dict[str, Array] = {}
    keys = (means.index.get_level_values(level) for level in range(3))
    for host, day, hour, value in zip(*keys, means, strict=True):
        found.setdefault(str(host), np.full((7, 24), math.nan))[day, hour] = value
    return found


def _sentence(grid: Array, zone: str) -> str:
    import numpy as np

    day, hour = np.unravel_index(int(np.nanargmax(grid)), grid.shape)
    unit = rate_unit(METRIC)
    busiest = f"{calendar.day_abbr[int(day)]} {int(hour):02d}:00 to {int(hour) + 1:02d}:00 {zone}"
    missing = int(np.isnan(grid).sum())
    gap = f"; {missing} of 168 hours not measured" if missing else ""
    low = f", quietest hour {quantity(float(np.nanmin(grid)), unit)}" if missing < grid.size - 1 else ""
    return f"busiest {busiest} at {quantity(float(np.nanmax(grid)), unit)}{low}{gap}"


def _stretches(true: list[bool]) -> list[tuple[int, int]]:
    """First, and one past the last, of each run of True."""
    edges = [i for i, (one, other) in enumerate(pairwise([False, *true, False])) if one != other]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _drawing(host: str, grid: Array, sentence: str) -> str:
    """One path for each shade, one line for neighbouring hours of it, which its dashes part. Not measured stays empty."""
    import numpy as np

    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    shades = (np.where(np.isfinite(grid), grid, low) - low) / ((high - low) or 1)
    steps = np.minimum((shades * LEVELS).astype(int), LEVELS - 1)
    paths = []
    for level in range(LEVELS):
        here = (steps == level) & np.isfinite(grid)
        squares = "".join(
            f"M{first} {day}h{end - first - 1 or ''}.9"
            for day, row in enumerate(here)
            for first, end in _stretches(row.tolist())
        )
        if squares:
            paths.append(f'<path opacity="{0.12 + 0.88 * level / (LEVELS - 1):.2f}" d="{squares}"/>')
    days = "".join(f'<text x="-.25" y="{i + 0.65}" text-anchor="end">{calendar.day_abbr[i]}</text>' for i in range(7))
    clock = "".join(f'<text x="{hour}" y="7.6">{hour:02d}</text>' for hour in range(0, 24, 6))
    return (
        f'<figure class="chart"><figcaption>{display.text(host)}: {display.text(title(METRIC))}</figcaption>'
        f'<svg class="heat" viewBox="-1.6 0 25.6 7.9" role="img" aria-label="{display.text(sentence)}">'
        f'<g transform="translate(0 .45)">{"".join(paths)}</g>{days}{clock}</svg><p class="note">{display.text(sentence)}.</p></figure>'
    )
