"""A fleet's review and those of its hosts: what was loaded and worked out once is not loaded again.

>>> from healthkit import fleets, reviews
>>> with fleets.kept():  # doctest: +SKIP
...     fleet = reviews.review(home, "weekly", now=now)
...     pages = [reviews.review(home, "weekly", hosts=host, now=now) for host in fleet.hosts]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

from healthkit.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.reviews import Review


class _Fleet:
    """A review of several hosts, divided."""

    def __init__(self, review: Review) -> None:
        self.review = review

    def part(self, hosts: tuple[str, ...], scope: str) -> Review:
        """The review of some of its hosts, with their share of everything that the whole has worked out."""
        from healthkit.findings import Findings

        whole = self.review
        mine = replace(whole, hosts=hosts, scope=scope, history=self._history(hosts))
        known: dict[str, Any] = {
            "findings": Findings(f for host in hosts for f in self._findings.get(host, ())),
            "scores": {host: whole.scores[host] for host in hosts},
            "ledger": whole.ledger,
            "known": {
                key: {series: value for series, value in values.items() if series[0] in hosts}
                for key, values in whole.known.items()
            },
            "capacity": whole.capacity.of(hosts),
            "happened": whole.happened
            and tuple(event for event in whole.happened if not event.host or event.host in hosts),
        }
        vars(mine).update(known)  # where `cached_property` looks first
        return mine

    def _history(self, hosts: tuple[str, ...]) -> pd.DataFrame:
        if len(hosts) == 1:
            return self._by_host.get(hosts[0], self.review.history.iloc[:0])
        return self.review.history[self.review.history["host"].isin(hosts)]

    @cached_property
    def _by_host(self) -> dict[str, pd.DataFrame]:
        return {str(host): rows for host, rows in self.review.history.groupby("host", observed=True, sort=False)}

    @cached_property
    def _findings(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for finding in self.review.findings:
            found.setdefault(finding.host, []).append(finding)
        return found


_KEPT: ContextVar[list[_Fleet] | None] = ContextVar("kept reviews", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Within, a review of hosts that are among those of an earlier one at the same time is a part of that one."""
    token = _KEPT.set([])
    try:
        yield
    finally:
        _KEPT.reset(token)


def keep(review: Review) -> Review:
    """Offer a review to later ones, where `kept` asks for it; returns it."""
    fleets = _KEPT.get()
    if fleets is not None and len(review.hosts) > 1:
        fleets.append(_Fleet(review))
    return review


def find(asked: Mapping[str, Any], hosts: tuple[str, ...], scope: str) -> Review | None:
    """The review of these hosts as a part of a kept one with the same home, cadence, period and time."""
    for fleet in _KEPT.get() or ():
        if all(getattr(fleet.review, name) == value for name, value in asked.items()) and hosts:
            if hosts == fleet.review.hosts and scope == fleet.review.scope:
                return fleet.review
            if set(hosts) <= set(fleet.review.hosts):
                return fleet.part(hosts, scope)
    return None


def members(wanted: Sequence[str], known: Sequence[str], groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The hosts that names of hosts and of groups mean, in the order of *wanted*, each once.

    Args:
        wanted: Names of hosts or groups; a host of a group's name comes first.
        known: Hosts there are.
        groups: Names of hosts, or patterns such as `web-*`, by name of the group.

    Raises:
        ParameterError: A name is neither, or a group has no member.

    >>> members(["db-1", "web"], ["db-1", "web-1", "web-2"], {"web": ["web-*"]})
    ('db-1', 'web-1', 'web-2')
    """
    found: dict[str, None] = {}
    missing = []
    for name in wanted:
        patterns = [name] if name in known else groups.get(name, ())
        hosts = [host for host in known if any(host == p or fnmatchcase(host, p) for p in patterns)]
        found |= dict.fromkeys(hosts)
        missing += [] if hosts else [name]
    if missing:
        some = f"; groups: {', '.join(sorted(groups))}" if groups else ""
        raise ParameterError(
            f"no samples of host {', '.join(sorted(missing))}; known: {', '.join(known) or 'none'}{some}"
        )
    return tuple(found)
