"""What to do, in order: each recommendation with the number that it follows from, and none without one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, digits, quantity
from healthkit.sections.folding import who
from healthkit.sections.performance import METRICS, TARGET, kept_scores, spread
from healthkit.sections.section import Section
from healthkit.sections.sentences import ending

if TYPE_CHECKING:
    from healthkit.reviews import Review


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One thing to do."""

    severity: Severity
    """Of what it follows from."""
    do: str
    """What to do."""
    because: str
    """What it follows from, with the number."""
    hosts: tuple[str, ...]
    """Where."""
    source: str
    """The check, or the analysis, that said so."""


def recommendations(review: Review, *, most: int = 25) -> Section:
    """From findings that name a remedy, then from the period's averages against their limits; at most *most*."""
    found = [*_from_findings(review), *_from_averages(review)]
    shown, left = found[:most], max(len(found) - most, 0)
    rows = [
        (
            display.badge(one.severity),
            f"<b>{display.text(one.do)}</b>",
            display.text(one.because),
            _names(one.hosts, review, shown=display.host),
        )
        for one in shown
    ]
    html = (
        display.table(["Severity", "Do", "Because", "Host"], rows, caption="Recommendations, most urgent first")
        if rows
        else ""
    )
    note = _note(review, len(found), left)
    html += f'<p class="note">{display.text(note)}</p>'
    lines = [f"{one.severity.value}: {_names(one.hosts, review)}: {one.do} Because {one.because}." for one in shown]
    data = [
        {"severity": r.severity.value, "do": r.do, "because": r.because, "hosts": list(r.hosts), "source": r.source}
        for r in shown
    ]
    return Section("recommendations", html, "\n".join([*lines, note]), {"rows": data, "left_out": left})


def _from_findings(review: Review) -> Iterator[Recommendation]:
    """One row a remedy: of a check, on whatever hosts; of what could not be told, of whatever checks."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in review.findings:
        blind = finding.severity is Severity.UNKNOWN
        asks = finding.severity in (Severity.CRITICAL, Severity.WARNING)
        if finding.hint and (asks or (finding.required and blind)):
            groups.setdefault(("" if blind else finding.check, finding.hint), []).append(finding)
    for (_, hint), same in groups.items():
        hosts = tuple(dict.fromkeys(finding.host for finding in same if finding.host))
        yield Recommendation(same[0].severity, _sentence(hint), _because(same), hosts, same[0].check)


def _because(findings: list[Finding]) -> str:
    first, more = findings[0], len(findings) - 1
    told = first.value is None or not first.unit or _mentions_number(first.message)
    value = "" if told else f" ({quantity(first.value, first.unit)})"
    others = f", and {more} more like it" if more else ""
    return f"{first.subject}: {ending(first.message)}{value}{others}"


def _mentions_number(message: str) -> bool:
    return any(char.isdigit() for char in message)


def _from_averages(review: Review) -> Iterator[Recommendation]:
    """The runbook's weekly thresholds: the mean of CPU and memory, the 95th percentile of responses, the mean score."""
    limits = review.config.limits
    judged = (
        ("cpu", "average", limits.cpu, "ratio", "CPU", "See which programs use it (top), then scale or optimise."),
        ("memory", "average", limits.memory, "ratio", "memory", "Look for leaks, or add memory."),
        ("response", "p95", limits.response_seconds, "seconds", "response time", "See what the service waits for."),
    )
    for name, column, limit, unit, what, do in judged:
        for host, one in spread(review, METRICS[name]).items():
            value = float(getattr(one, column))
            enough = math.isfinite(one.p95)  # what is too little for a p95 is no average of a period either
            if enough and value > limit:
                where = f"{one.device}: " if one.device else ""
                word = "on average" if column == "average" else "at the 95th percentile"
                because = f"{where}{what} was {quantity(value, unit)} {word}, the limit is {quantity(limit, unit)}"
                yield Recommendation(Severity.WARNING, do, because, (host,), "performance")
    for host, kept in kept_scores(review)[0].items():
        if kept["average"] < TARGET:
            because = f"the health score was {digits(kept['average'])} on average of {counted(round(kept['n']), 'check')}, the target is {digits(TARGET)}"
            yield Recommendation(Severity.WARNING, "See what costs points: healthkit check.", because, (host,), "score")


def _sentence(hint: str) -> str:
    return hint if hint.endswith((".", "!", "?")) else f"{hint}."


def _names(hosts: tuple[str, ...], review: Review, *, shown: Callable[[str], str] = str) -> str:
    """The hosts, each as *shown*: in a table no name is broken at its hyphen."""
    if len(hosts) == len(review.hosts) > 1:
        return who(hosts, review.hosts)
    names = [shown(host) for host in hosts]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _note(review: Review, found: int, left: int) -> str:
    """Counts: what was answered, and what was not, so that a short list is not taken for good news."""
    answers = len(review.findings)
    blind = len(review.findings.of(Severity.UNKNOWN))
    more = f"; {left} of them {'is' if left == 1 else 'are'} not listed here" if left else ""
    advice, asked = counted(found, "recommendation"), counted(answers, "answer")
    return f"{advice} from {asked}{more}; {counted(blind, 'question')} could not be answered."
