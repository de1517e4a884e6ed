"""Performance of each host over the period: score, response time, CPU and memory, with average and extremes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.errors import StoreError
from healthkit.quantities import counted, digits, quantity
from healthkit.sections import courses, crowds
from healthkit.sections.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.reviews import Review

TARGET = 85.0
"""The runbook's target of the score."""
METRICS = {"cpu": "cpu_busy_ratio", "memory": "memory_used_ratio", "response": "http_response_seconds"}


@dataclass(frozen=True, slots=True)
class Spread:
    """What the values of one thing were in the period."""

    average: float
    least: float
    most: float
    p95: float
    """Merged from the days' quantiles, so never above `most`."""
    n: int
    """Values measured."""
    device: str = ""


def performance(review: Review, *, most: int = 50) -> Section:
    """One row a host, of responses its slowest service; at most *most* hosts, and what was not measured is unknown."""
    spreads = {name: spread(review, metric) for name, metric in METRICS.items()}
    scores, unknown = kept_scores(review)
    rows: dict[str, list[str]] = {}
    lines, data = [], []
    for host in crowds.crowd(review, most=most):
        mine = {name: found.get(host) for name, found in spreads.items()}
        cells = [_score(scores.get(host)), *(_cell(name, one) for name, one in mine.items())]
        rows[host] = [display.host(host), *(display.text(cell) for cell in cells)]
        lines.append(f"{host}: score {cells[0]}; CPU {cells[1]}; memory {cells[2]}; response {cells[3]}")
        data.append({"host": host, "score": scores.get(host), **{name: _plain(one) for name, one in mine.items()}})
    heads = ["Host", "Score of daily checks", "CPU", "Memory", "Slowest service"]
    html = crowds.table(review, heads, rows, caption="Performance of the period")
    notes = [f"Scores of daily checks are unknown: {unknown}."] if unknown else []
    notes += (
        [f"{counted(len(review.hosts) - most, 'more host is', 'more hosts are')} in the samples, not in this table."]
        if len(review.hosts) > most
        else []
    )
    html += "".join(f'<p class="note">{display.text(note)}</p>' for note in notes)
    return Section("performance", html, "\n".join([*lines, *notes]) or "Nothing was measured.", {"rows": data})


def spread(review: Review, metric: str) -> dict[str, Spread]:
    """Of every host; of several devices the one whose 95th percentile is highest."""
    rows = courses.of_metric(review.rollup, metric)
    rows = rows[rows["n"] > 0]
    p95 = courses.percentiles(review, metric, 95)
    found: dict[str, Spread] = {}
    for host, (device, value) in courses.by_host(p95).items():
        mine = rows[(rows["host"] == host) & (rows["device"] == device)]
        found[host] = _spread(mine, value, device)
    return found


def _spread(rows: pd.DataFrame, p95: float, device: str) -> Spread:
    n = rows["n"].to_numpy(dtype=float)
    average = float((rows["mean"].to_numpy() * n).sum() / n.sum())
    return Spread(average, float(rows["min"].min()), float(rows["max"].max()), p95, int(n.sum()), device)


def kept_scores(review: Review) -> tuple[dict[str, dict[str, float]], str]:
    """Average, least and number of the scores of full checks in the period by host; why there are none, if it is known."""
    from healthkit.state import State

    try:
        with State(review.home, timeout=2) as state:
            rows = state.records("health_reports", since=review.period.start, until=review.until, cadence=None)
    except StoreError as error:
        return {}, str(error)
    by_host: dict[str, list[float]] = {}
    for row in rows:
        if row["overall_score"] is not None and row["host"] in review.hosts:
            by_host.setdefault(row["host"], []).append(float(row["overall_score"]))
    found = {
        host: {"average": sum(v) / len(v), "least": min(v), "most": max(v), "n": len(v)} for host, v in by_host.items()
    }
    return found, "" if found else "no full check of the period is on record here (healthkit check)"


def _score(kept: Mapping[str, float] | None) -> str:
    if kept is None:
        return "unknown"
    n = counted(round(kept["n"]), "check")
    if kept["least"] == kept["most"]:
        return f"{digits(kept['average'])}, {n}"
    return f"{digits(kept['average'])} on average, {digits(kept['least'])} to {digits(kept['most'])}, {n}"


def _cell(name: str, one: Spread | None) -> str:
    if one is None:
        return "unknown"
    unit = "seconds" if name == "response" else "ratio"
    numbers = (
        f"{quantity(one.average, unit)} on average, p95 {quantity(one.p95, unit)}, peak {quantity(one.most, unit)}"
    )
    return f"{one.device}: {numbers}" if one.device else numbers


def _plain(one: Spread | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"average": one.average, "min": one.least, "max": one.most, "p95": one.p95, "n": one.n, "device": one.device}
