"""What was measured, and what could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted
from healthkit.sections import courses
from healthkit.sections.folding import fold, who
from healthkit.sections.section import Section
from healthkit.sections.sentences import share

if TYPE_CHECKING:
    from healthkit.reviews import Review

GOOD = 0.98
"""Hosts watched at least so much are folded into one line."""


def coverage(review: Review, *, most: int = 50) -> Section:
    """Coverage of each host that has gaps, days without samples, every question without an answer; at most *most* rows each."""
    gaps = _gaps(review)
    rows = [
        (
            display.host(hosts[0]) if len(hosts) == 1 else display.text(who(hosts, review.hosts)),
            measured,
            display.text(days),
        )
        for (measured, days), hosts in list(gaps.items())[:most]
    ]
    full = len(review.hosts) - sum(map(len, gaps.values()))
    unknown = review.findings.of(Severity.UNKNOWN)
    html = (
        display.table(["Host", "Measured", "Days without a sample"], rows, numeric=(1,), caption="Coverage")
        if rows
        else ""
    )
    lines = [
        f"{who(hosts, review.hosts)}: {measured} measured; days without a sample: {days}"
        for (measured, days), hosts in list(gaps.items())[:most]
    ]
    if full:
        which = who(review.hosts, review.hosts) if full == len(review.hosts) else f"{full} of {len(review.hosts)} hosts"
        note = f"Measured at least {share(GOOD)} of the time: {which}."
        html += f'<p class="note">{note}</p>'
        lines.append(note)
    if note := _not_asked(review):
        html += f'<p class="note">{display.text(note)}</p>'
        lines.append(note)
    if unknown:
        folds = fold(unknown)
        rest = [(who(row.hosts, review.hosts), row.subject, row.message) for row in folds[:most]]
        items = "".join(f"<li>{display.text(a)} <b>{display.text(b)}</b>: {display.text(c)}</li>" for a, b, c in rest)
        left = (
            counted(len(folds) - most, "more is in the JSON of this report.", "more are in the JSON of this report.")
            if len(folds) > most
            else ""
        )
        told = counted(
            len(unknown), "question was asked, and could not be told", "questions were asked, and could not be told"
        )
        html += f"<details><summary>{told}</summary><ul>{items}</ul>{f'<p>{left}</p>' if left else ''}</details>"
        lines += [
            f"{told}:",
            *(f"- {hosts} {subject}: {said}" for hosts, subject, said in rest),
            *([left] if left else []),
        ]
    data = {"hosts": review.host_coverage, "unknown": [f.as_dict() for f in unknown]}
    return Section(
        "coverage", html or "<p>Nothing was measured.</p>", "\n".join(lines) or "Nothing was measured.", data
    )


def _gaps(review: Review) -> dict[tuple[str, str], list[str]]:
    """The hosts with gaps, least measured first, by what is said of them: how much, and the days without a sample."""
    found: dict[tuple[str, str], list[str]] = {}
    for host, measured in sorted(review.host_coverage.items(), key=lambda item: item[1]):
        if measured < GOOD:
            days = ", ".join(courses.empty_days(review, host)) or "none"
            found.setdefault((share(measured), days), []).append(host)
    return found


def _not_asked(review: Review) -> str:
    """Of hosts elsewhere only samples are known: what that leaves out is no part of their score."""
    from healthkit import checks

    elsewhere = [host for host in review.hosts if host != review.here]
    if not elsewhere:
        return ""
    local = ", ".join(name.replace("_", " ") for name in checks.names() if checks.load(name).local)
    return (
        f"Judged by samples alone: {who(elsewhere, review.hosts)}. What is asked on the machine itself is in its own reports "
        f"and no part of the score here: {local}."
    )
