"""The verdict in plain words, and in one: what needs a hand and why, what was down, what fills next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from healthkit.findings import Findings, Severity
from healthkit.quantities import counted, quantity
from healthkit.sections import courses

if TYPE_CHECKING:
    from healthkit.reviews import Review

ENOUGH = 0.8
"""Coverage below which a period has no verdict: the state is `unknown`, never `healthy`."""


def state(review: Review) -> str:
    """`healthy`, `attention`, `critical` or `unknown`.

    What is critical is critical however little was measured; but nothing is healthy that was not watched.
    """
    if review.findings.worst is Severity.CRITICAL:
        return "critical"
    if review.coverage < ENOUGH:
        return "unknown"
    states = {score.state for score in review.scores.values()}
    if review.findings.worst is Severity.WARNING:
        states.add("attention")
    return next((s for s in ("critical", "unknown", "attention") if s in states), "healthy")


def sentence(review: Review) -> str:
    """The verdict in plain words."""
    if not review.hosts:
        return f"Nothing was measured in {review.period}, so nothing can be said about it."
    critical, warnings = review.findings.of(Severity.CRITICAL), review.findings.of(Severity.WARNING)
    words = []
    if critical:
        words.append(f"{_affected(review, critical)} action now: {_first(review, critical)}.")
    elif warnings:
        words.append(f"{_affected(review, warnings)} attention: {_first(review, warnings)}.")
    if review.coverage < ENOUGH:
        measured = share(review.coverage)
        only = measured.capitalize() if measured.startswith("less") else f"Only {measured}"
        words.append(f"{only} of {_name(review)} was measured: too little to call anything healthy.")
    elif not words:
        words.append(_calm(review))
    words += [*_down(review), *_next(review, (critical or warnings)[:1])]
    return " ".join(words)


def _calm(review: Review) -> str:
    """Nothing was found; whether that means that all is well depends on what could be asked."""
    from healthkit.checks import applicable

    who = review.hosts[0] if len(review.hosts) == 1 else f"any of {len(review.hosts)} hosts"
    unknown = review.findings.of(Severity.UNKNOWN)
    asked = sum(applicable(finding) for finding in review.findings)
    if state(review) == "healthy":
        rest = f"; {len(unknown)} of {counted(asked, 'question')} could not be answered" if unknown else ""
        return f"Nothing needs a hand on {who}{rest}."
    if not unknown:
        return f"Nothing needs a hand on {who}, but the score is low: see what it is made of."
    return (
        f"No trouble was found on {who}, but {len(unknown)} of {counted(asked, 'question')} could not be answered: "
        f"{unknown[0].subject}: {_open(unknown[0].message)}."
    )


def _down(review: Review) -> list[str]:
    """The service that was down longest."""
    rows = courses.of_metric(review.rollup, "http_up")
    rows = rows[rows["mean"] < 1]
    if rows.empty:
        return []
    seconds = (1 - rows["mean"]) * rows["coverage"] * 86400
    total = seconds.groupby([rows["host"].astype(str), rows["device"].astype(str)]).sum().sort_values(ascending=False)
    (host, service), longest = total.index[0], float(total.iloc[0])
    more = f", and {counted(len(total) - 1, 'more service')}" if len(total) > 1 else ""
    return [f"Service {service} on {host} was down for {quantity(longest, 'seconds')}{more}."]


def _next(review: Review, told: Findings) -> list[str]:
    """What fills first, with its day and the 80 % interval, unless what was *told* says so."""
    from healthkit.capacity import tells

    row = next((row for row in review.capacity.rows if row.days is not None), None)
    if row is None or any(tells(finding, row) for finding in told):
        return []
    if row.state == "over":
        return [f"{row.name} is at {quantity(row.value, row.unit)}, limit {quantity(row.limit, row.unit)}."]
    return [f"Next to reach its limit: {row.name}, {quantity(row.limit, row.unit)} on {row.crossing}."]


def _affected(review: Review, findings: Findings) -> str:
    hosts = {finding.host for finding in findings}
    if len(review.hosts) == 1:
        return f"{review.hosts[0]} needs"
    return f"{len(hosts)} of {len(review.hosts)} hosts {'needs' if len(hosts) == 1 else 'need'}"


def _first(review: Review, findings: Findings) -> str:
    first, more = findings[0], len(findings) - 1
    where = f"{first.host} " if first.host and len(review.hosts) > 1 else ""
    tail = f", and {more} more" if more else ""
    return f"{where}{first.subject}: {_open(first.message)}{tail}"


def _name(review: Review) -> str:
    unit = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}[review.cadence]
    return f"the {unit} so far" if review.so_far else f"the {unit}"


def share(ratio: float) -> str:
    """Of the time: a minute of a quarter is not told in exponents."""
    return quantity(ratio, "ratio") if ratio >= 0.001 or ratio == 0 else "less than 0.1\u00a0%"


def _open(message: str) -> str:
    """Without the full stop at its end, and without a list's trailing dots."""
    return re.sub(r"[,\s]*(\.+|\u2026)\Z", "", message)
