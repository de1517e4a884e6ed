"""Availability of each service, from the answers its probes got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.quantities import counted, quantity
from healthkit.sections import courses
from healthkit.sections.section import Section
from healthkit.sections.sentences import share

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.reviews import Review


FEW = 12
"""So many services are all listed; of more, those that were never down are one sentence."""
GOOD = 0.98
"""Share of the time that must have been probed for that."""


@dataclass(frozen=True, slots=True)
class _Service:
    host: str
    name: str
    up: float
    """Share of the probed time that answers were good, 0 to 1."""
    measured: float
    """Share of the period that was probed, 0 to 1."""
    down_seconds: float
    """Whole: shares of days multiplied are some 1e-12 off."""
    longest_seconds: float


def availability(review: Review) -> Section:
    """Up, downtime and longest outage; the time without probes is unknown and is said."""
    services = [_service(review, host, name, days) for (host, name), days in _by_service(review)]
    if not services:
        text = "No service is probed over HTTP, so nothing can be said about availability."
        return Section("availability", f"<p>{display.text(text)}</p>", text, {"rows": []})
    services.sort(key=lambda s: (s.up, s.host, s.name))
    rows, plain = [], []
    fine = [s for s in services if s.up == 1 and s.measured >= GOOD] if len(services) > FEW else []
    for s in services:
        if s in fine:
            continue
        cells = [
            _percent(s.up),
            quantity(s.down_seconds, "seconds") if s.down_seconds else "none",
            quantity(s.longest_seconds, "seconds") if s.longest_seconds else "none",
            share(s.measured),
        ]
        rows.append([display.text(s.name), display.host(s.host), *cells])
        plain.append(
            f"{s.name} on {s.host}: up {cells[0]}, down {cells[1]}, longest {cells[2]}, probed {cells[3]} of the time"
        )
    html = display.table(
        ["Service", "Host", "Up", "Down", "Longest outage", "Probed"],
        rows,
        numeric=(2, 3, 4, 5),
        caption="Availability",
    )
    if fine:
        plain.append(
            f"{len(fine)} of {counted(len(services), 'service')} {'was' if len(fine) == 1 else 'were'} never seen down, probed {quantity(GOOD, 'ratio')} of the time or more."
        )
        html = (html if rows else "") + f'<p class="note">{plain[-1]}</p>'
    data = [
        {"host": s.host, "service": s.name, "up": s.up, "measured": s.measured, "down_seconds": s.down_seconds,
         "longest_seconds": s.longest_seconds}
        for s in services
    ]  # fmt: skip
    return Section("availability", html, "\n".join(plain), {"rows": data})


def _by_service(review: Review) -> Any:
    rows = courses.of_metric(review.rollup, "http_up")
    rows = rows[rows["n"] > 0]
    return rows.groupby([rows["host"].astype(str), rows["device"].astype(str)], sort=True)


def _service(review: Review, host: str, name: str, days: pd.DataFrame) -> _Service:
    probed = float(days["coverage"].sum()) * 86400
    up = float((days["mean"] * days["coverage"]).sum() / days["coverage"].sum())
    elapsed = (review.until - review.period.start).total_seconds()
    longest = _longest_outage(review, host, name) if (days["min"] < 1).any() else 0.0
    return _Service(host, name, up, min(probed / elapsed, 1.0), float(round((1 - up) * probed)), longest)


def _longest_outage(review: Review, host: str, name: str) -> float:
    """Seconds from the first bad answer to the next good one, of the longest run; to its last one where none followed."""
    from healthkit import store

    samples = store.load(review.home, period=review.period, hosts=[host], metrics=["http_up"])
    series = samples[samples["device"] == name].sort_values("ts")
    longest, began = timedelta(0), None
    for ts, value in zip(series["ts"], series["value"], strict=True):
        if value < 1:
            began = ts if began is None else began
            longest = max(longest, ts - began)
        elif began is not None:
            longest, began = max(longest, ts - began), None
    return longest.total_seconds()


def _percent(ratio: float) -> str:
    """Availability keeps its nines: 99.98 % is not 100 %."""
    percent = ratio * 100
    return f"{percent:.3f}".rstrip("0").rstrip(".") + "\u00a0%" if percent > 99 else quantity(ratio, "ratio")
