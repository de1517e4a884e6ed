"""Findings that say the same thing, folded into one row: a dead collector is one row, not thirty.

What several hosts share is one row. So are the questions that could not be told for one and the same reason, which their
common remedy shows: whoever does what the hint says has the answers to all of them. Without a remedy it is the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from healthkit.findings import Finding, Severity
from healthkit.quantities import listed


@dataclass(frozen=True)
class Fold:
    """Findings that are one row."""

    findings: tuple[Finding, ...]
    """Worst first; at least one."""

    @property
    def first(self) -> Finding:
        """The one that speaks for all."""
        return self.findings[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Whose they are, in order, each once."""
        return tuple(dict.fromkeys(finding.host for finding in self.findings))

    @property
    def subject(self) -> str:
        """What the row is about."""
        kinds = self._kinds
        return self.first.subject if len(kinds) == 1 else f"{len(kinds)} questions"

    @property
    def message(self) -> str:
        """What is said of it; of several questions, what is said of one, and which the others are."""
        first, *others = self._kinds
        if not others:
            return self.first.message
        names = list(dict.fromkeys(subject for subject, _ in others))
        return f"{first[0]}: {first[1]}; likewise {listed(names, 6)}"

    @property
    def _kinds(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((finding.subject, finding.message) for finding in self.findings))


def fold(findings: Iterable[Finding]) -> list[Fold]:
    """Fold findings, in the order in which they come."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_key(finding), []).append(finding)
    return [Fold(tuple(group)) for group in groups.values()]


def _key(finding: Finding) -> tuple[object, ...]:
    if finding.severity is Severity.UNKNOWN:
        return (finding.severity, finding.hint or finding.message)
    return (finding.rank, finding.check, finding.subject, finding.message)


def who(hosts: Sequence[str], all_hosts: Sequence[str]) -> str:
    """Whom a row is about: names while they are few."""
    if len(hosts) == len(all_hosts) > 1:
        return "both hosts" if len(hosts) == 2 else f"all {len(hosts)} hosts"
    return ", ".join(hosts) if len(hosts) <= 4 else f"{', '.join(hosts[:3])} and {len(hosts) - 3} more"
