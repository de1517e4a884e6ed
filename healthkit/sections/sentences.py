"""The verdict in plain words, and in one: what needs a hand and why, what was down, what fills next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from healthkit.findings import Findings, Severity
from healthkit.quantities import counted, quantity
from healthkit.sections import courses
from healthkit.sections.folding import who

if TYPE_CHECKING:
    from healthkit.reviews import Review

ENOUGH = 0.8
"""Coverage below which a period has no verdict: the state is `unknown`, never `healthy`."""
LEAST = 0.001
"""The least share that is told as a number."""


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
    blind = _blind(review) if warnings and not critical and state(review) == "unknown" else ""
    words = [blind] if blind else []
    if critical:
        words.append(f"{_affected(review, critical)} action now: {_first(review, critical)}.")
    elif warnings:
        words.append(f"{_affected(review, warnings)} attention: {_first(review, warnings)}.")
    if review.coverage < ENOUGH:
        words.append(
            f"{_only(review.coverage)} of {_name(review)} was measured{_silent(review)}: too little to call anything healthy."
        )
    elif not words:
        words.append(_calm(review))
    words += [*_down(review), *_next(review, (critical or warnings)[:1])]
    return " ".join(words)


def _only(coverage: float) -> str:
    return (
        "Nothing" if coverage == 0 else share(coverage).capitalize() if coverage < LEAST else f"Only {share(coverage)}"
    )


def _silent(review: Review) -> str:
    """Of one host, the days without a sample, where they are few spans."""
    days = courses.empty_days(review, review.hosts[0]) if len(review.hosts) == 1 and review.coverage else []
    return f", nothing on {', '.join(days)}" if 0 < len(days) <= 3 else ""


def _blind(review: Review) -> str:
    """Where the questions are that had to be answered, and were not: that outweighs a warning, and is said before it."""
    required = Findings(f for f in review.findings.of(Severity.UNKNOWN) if f.required)
    if not required:
        return ""
    where = who(list(dict.fromkeys(finding.host for finding in required)), review.hosts)
    asked = counted(len(required), "required question")
    return f"{asked} about {where} could not be answered: {required[0].subject}: {ending(required[0].message)}."


def _calm(review: Review) -> str:
    """Nothing was found; whether that means that all is well depends on what could be asked."""
    from healthkit.checks import applicable

    where = review.hosts[0] if len(review.hosts) == 1 else f"any of {len(review.hosts)} hosts"
    unknown = review.findings.of(Severity.UNKNOWN)
    asked = sum(applicable(finding) for finding in review.findings)
    if state(review) == "healthy":
        rest = f"; {len(unknown)} of {counted(asked, 'question')} could not be answered" if unknown else ""
        return f"Nothing needs a hand on {where}{rest}."
    if not unknown:
        return f"Nothing needs a hand on {where}, but the score is low: see what it is made of."
    return (
        f"No trouble was found on {where}, but {len(unknown)} of {counted(asked, 'question')} could not be answered: "
        f"{unknown[0].subject}: {ending(unknown[0].message)}."
    )


def _down(review: Review) -> list[str]:
    """The service that was down longest; before all others one that was not up again."""
    import pandas as pd

    rows = courses.of_metric(review.rollup, "http_up")
    rows = rows[rows["n"] > 0].sort_values("date")
    seconds = (1 - rows["mean"]) * rows["coverage"] * 86400
    names = [rows["host"].astype(str), rows["device"].astype(str)]
    down = pd.DataFrame({"seconds": seconds, "up": rows["last"]}).groupby(names).agg({"seconds": "sum", "up": "last"})
    down = down[down["seconds"] > 0].sort_values(["up", "seconds"], ascending=[True, False])
    if down.empty:
        return []
    (host, service), longest = down.index[0], float(round(down["seconds"].iloc[0]))
    still = " and not up again at the end" if down["up"].iloc[0] < 1 else ""
    more = f", and {counted(len(down) - 1, 'more service')}" if len(down) > 1 else ""
    return [f"Service {service} on {host} was down for {quantity(longest, 'seconds')}{still}{more}."]


def _next(review: Review, told: Findings) -> list[str]:
    """What fills first, with its day and the 80 % interval, unless what was *told* says so."""
    from healthkit.capacity import tells

    row = next((row for row in review.capacity.rows if row.days is not None), None)
    if row is None or any(tells(finding, row) for finding in told):
        return []
    if row.state == "over":
        return [f"{row.excess}."]
    return [f"Next to reach its limit: {row.name}, {quantity(row.limit, row.unit)} on {row.crossing}."]


def _affected(review: Review, findings: Findings) -> str:
    hosts = {finding.host for finding in findings}
    if len(review.hosts) == 1:
        return f"{review.hosts[0]} needs"
    if len(hosts) == len(review.hosts):
        return f"{who(sorted(hosts), review.hosts).capitalize()} need"
    return f"{len(hosts)} of {len(review.hosts)} hosts {'needs' if len(hosts) == 1 else 'need'}"


def _first(review: Review, findings: Findings) -> str:
    first, more = findings[0], len(findings) - 1
    where = f"{first.host} " if first.host and len(review.hosts) > 1 else ""
    tail = f", and {more} more" if more else ""
    return f"{where}{first.subject}: {ending(first.message)}{tail}"


def _name(review: Review) -> str:
    unit = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}[review.cadence]
    return f"the {unit} so far" if review.so_far else f"the {unit}"


def share(ratio: float) -> str:
    """Of the time: a minute of a quarter is not told in exponents."""
    return quantity(ratio, "ratio") if ratio >= LEAST or ratio == 0 else f"less than {quantity(LEAST, 'ratio')}"


def ending(message: str) -> str:
    """Without the full stop at its end, and without a list's trailing dots."""
    return re.sub(r"[,\s]*(\.+|\u2026)\Z", "", message)
