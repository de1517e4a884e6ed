"""One period of one host or a fleet, loaded once: what every section of a report reads.

Reports read the rollup, never all samples: the period and the one before for the metrics that people look at, and a
longer history for what can run full.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import ParameterError
from healthkit.periods import CADENCES, Cadence, Period
from healthkit.schema import SIMULATED

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.capacity import Capacity
    from healthkit.config import Config
    from healthkit.events import Event
    from healthkit.findings import Findings
    from healthkit.incidents import Incident
    from healthkit.ledger import Ledger
    from healthkit.logbook import Logbook
    from healthkit.scores import HealthScore

HISTORY = timedelta(days=400)
"""How far back forecasts look: a year, and a month to see the season turn."""
RECENT = timedelta(days=8)
"""How long after a period its report may still look at the machine itself."""
CAPACITY = ("disk_used_ratio", "inodes_used_ratio", "memory_used_ratio", "swap_used_ratio")
"""Metrics that can run full."""
SHOWN = (SIMULATED, "cpu_busy_ratio", "http_up", "http_response_seconds", "collector_up", *CAPACITY)
"""Metrics whose daily course a report shows."""
ALL = "all hosts"
"""The scope of a review for which no host was named."""


@dataclass(frozen=True)
class Review:
    """A period under review.

    Findings, score and capacity are worked out when a section first asks for them.
    """

    home: Path
    cadence: Cadence
    period: Period
    now: datetime
    """When the review was made, UTC."""
    hosts: tuple[str, ...]
    """Hosts under review, sorted; empty where there are no samples at all."""
    config: Config
    scope: str
    """What was asked for: `all hosts`, or their names."""
    history: pd.DataFrame
    """Rollup rows of `SHOWN`, from `HISTORY` before the end of the period to its end."""

    @cached_property
    def known(self) -> dict[Any, Any]:
        """What sections have worked out that others need too."""
        return {}

    @property
    def so_far(self) -> bool:
        """Whether the period is still running."""
        return not self.period.ended(self.now)

    @property
    def until(self) -> datetime:
        """Up to when it can have been measured: the end of the period, or now."""
        return min(self.period.end, self.now)

    @cached_property
    def simulated(self) -> tuple[str, ...]:
        """Hosts under review that do not exist."""
        marked = set(self.history.loc[self.history["metric"] == SIMULATED, "host"].astype(str))
        return tuple(host for host in self.hosts if host in marked)

    @cached_property
    def rollup(self) -> pd.DataFrame:
        """The period's part of `history`."""
        return self.during(self.period)

    @cached_property
    def before(self) -> pd.DataFrame:
        """The previous period's part of `history`."""
        return self.during(self.period.previous())

    def during(self, period: Period) -> pd.DataFrame:
        """A period's part of `history`."""
        date = self.history["date"]
        return self.history[(date >= period.start) & (date < period.end)]

    @cached_property
    def host_coverage(self) -> dict[str, float]:
        """Share of the period, so far, in which each host was watched at all: of its best-covered metric, per day."""
        elapsed = max((self.until - self.period.start) / timedelta(days=1), 1e-9)
        best = self.rollup.groupby(["host", "date"], observed=True)["coverage"].max()
        total = best.groupby(level="host", observed=True).sum() / elapsed
        return {host: min(float(total.get(host, 0.0)), 1.0) for host in self.hosts}

    @property
    def coverage(self) -> float:
        """Mean of `host_coverage`; 0 without hosts."""
        return sum(self.host_coverage.values()) / len(self.hosts) if self.hosts else 0.0

    @cached_property
    def findings(self) -> Findings:
        """What the checks say, and a warning of each limit that is expected to be reached before the next such report."""
        from healthkit.capacity import approaches
        from healthkit.findings import Findings

        within = min(self.period.days, self.config.limits.days_to_full)
        return Findings([*self.checked, *approaches(self.capacity, self.checked, within=within)])

    @cached_property
    def checked(self) -> Findings:
        """What the checks say, which makes the score: of this machine as it is, of every other host by its samples at the end of the period."""
        from healthkit.checks import check
        from healthkit.findings import Findings

        found = [check(self.home, config=self.config, now=self.now)] if self.here else []
        others = [host for host in self.hosts if host != self.here]
        samples, history = self._judged(others)
        found += [
            check(self.home, host=h, config=self.config, now=self.until, samples=samples(h), history=history(h))
            for h in others
        ]
        return Findings(finding for findings in found for finding in findings)

    def _judged(self, hosts: list[str]) -> tuple[Callable[[str], pd.DataFrame], Callable[[str], pd.DataFrame]]:
        """Newest samples, and daily statistics, of each of these hosts: read once for all of them."""
        from healthkit import store
        from healthkit.checks import HISTORY as DAILY
        from healthkit.checks import RECENT as NEWEST

        samples = store.load(self.home, hosts=hosts, start=self.until - NEWEST, end=self.until, rates=False)
        history = store.load_rollup(self.home, hosts=hosts, start=self.until - DAILY, end=self.until)

        def by_host(frame: pd.DataFrame) -> Callable[[str], pd.DataFrame]:
            parts = {str(host): part for host, part in frame.groupby("host", observed=True)}
            return lambda host: parts.get(host, frame.iloc[:0])

        return by_host(samples), by_host(history)

    @property
    def here(self) -> str:
        """The host that this runs on, if it is under review and the period is not long past; else empty."""
        host = self.config.host
        return host if host in self.hosts and self.now - self.until <= RECENT else ""

    @cached_property
    def scores(self) -> dict[str, HealthScore]:
        """The score of each host."""
        from healthkit.findings import Findings
        from healthkit.scores import health_score

        return {
            host: health_score(Findings(f for f in self.checked if f.host == host), weights=self.config.weights)
            for host in self.hosts
        }

    @cached_property
    def previous(self) -> dict[str, Any] | None:
        """What is on record of this report a period ago; None if nothing is, or it cannot be read."""
        from healthkit.errors import StoreError
        from healthkit.state import State

        label = self.period.previous().label
        try:
            with State(self.home) as state:
                found = state.records("reports", limit=1, name=self.cadence, period=label, scope=self.scope)
        except StoreError:
            return None
        return found[0] if found else None

    @cached_property
    def runs(self) -> Logbook:
        """Procedures that ran in the period, or soon after it, when its own reviews run: newest first.

        Of all hosts, also of one that only reports on others and has no samples of its own; else of those asked for.
        """
        from healthkit.logbook import logbook

        hosts = () if self.scope == ALL else self.hosts
        return logbook(self.home, since=self.period.start, until=min(self.now, self.period.end + RECENT), hosts=hosts)

    @cached_property
    def happened(self) -> tuple[Event, ...] | None:
        """What happened here as far back as `history` reaches, oldest first; None if the records cannot be read."""
        from healthkit.errors import StoreError
        from healthkit.events import events

        try:
            return events(self.home, start=self.period.end - HISTORY, end=self.until, hosts=self.hosts)
        except StoreError:
            return None

    @property
    def events(self) -> tuple[Event, ...] | None:
        """What happened in the period (`healthkit annotate`), oldest first; None if the records cannot be read."""
        if self.happened is None:
            return None
        return tuple(event for event in self.happened if event.at >= self.period.start)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """Incidents that were opened in the period, or before it and not resolved by then: newest first."""
        from healthkit.incidents import every

        found = [i for i in every(self.home) if i.opened < self.until and (not self.hosts or i.host in self.hosts)]
        return tuple(i for i in found if (i.resolved or i.closed or self.until) >= self.period.start)

    @cached_property
    def ledger(self) -> Ledger | None:
        """How earlier forecasts turned out; None while the records cannot be read."""
        from healthkit.errors import StoreError
        from healthkit.ledger import score

        try:
            whole = self.history if self.scope == ALL else None  # other hosts' forecasts are due as well
            return score(self.home, rollup=whole, now=self.until)
        except StoreError:
            return None

    @cached_property
    def capacity(self) -> Capacity:
        """Days until each resource is full, over all hosts."""
        from healthkit.capacity import capacity

        factor = self.ledger.factor if self.ledger is not None else 1.0
        return capacity(
            self.history, limits=self.config.limits, growth=self.config.growth, now=self.until, factor=factor
        )

    @cached_property
    def predictions(self) -> dict[str, list[Any]]:
        """What `capacity` predicts, for the ledger to hold us to: columns and rows."""
        from healthkit.ledger import pack, predictions

        return pack(predictions(self.capacity))


def review(
    home: str | os.PathLike[str] | None = None,
    cadence: Cadence = "weekly",
    *,
    period: str = "",
    hosts: str | Sequence[str] = "",
    now: datetime | str | None = None,
) -> Review:
    """Load a period for a report.

    Args:
        home: Directory with metrics and configuration; empty: `$HEALTHKIT_HOME`.
        cadence: `weekly`, `monthly` or `quarterly`.
        period: Its label, such as `2026-W47`; empty: the newest ended period with samples, else the running one.
        hosts: Names of hosts or of configured groups, or one text with commas; empty: every host with samples in the history.
        now: Time of the review, for reruns and tests: aware, or ISO 8601 text with a zone; empty: the clock.

    Raises:
        ParameterError: Another cadence's label, a period that has not begun, or a host nobody has heard of.
        ConfigError: The configuration cannot be used.
    """
    from healthkit import config, fleets, store

    if cadence not in CADENCES:
        raise ParameterError(f"cadence {cadence!r}: one of {', '.join(CADENCES)}")
    place = config.home(home or None)
    settings = config.load_config(place)
    moment = _moment(now)
    chosen = Period.asked(cadence, period, moment) if period else _newest(place, cadence, moment)
    wanted = [name.strip() for name in (hosts.split(",") if isinstance(hosts, str) else hosts) if name.strip()]
    named = fleets.members(wanted, store.hosts(place), settings.groups) if wanted else ()
    scope = ", ".join(wanted) or ALL
    asked = {"home": place, "cadence": cadence, "period": chosen, "now": moment}
    if part := fleets.find(asked, named, scope):
        return part
    history = store.load_rollup(
        place, hosts=named or None, metrics=SHOWN, start=chosen.end - HISTORY, end=min(chosen.end, moment)
    )
    seen = named or tuple(sorted(set(history["host"].astype(str))))
    return fleets.keep(Review(place, cadence, chosen, moment, seen, settings, scope, history))


def _moment(now: datetime | str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(now) if isinstance(now, str) and now else now or datetime.now(UTC)
    except ValueError as error:
        raise ParameterError(f"now {now!r}: write 2026-11-23T02:00Z") from error
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ParameterError(f"now {now!r} has no time zone: write 2026-11-23T02:00Z")
    return moment.astimezone(UTC)


def _newest(home: Path, cadence: Cadence, now: datetime) -> Period:
    """The newest ended period with samples, else the running one."""
    from healthkit import store

    inventory = store.info(home)
    if inventory.newest is None or inventory.oldest is None:
        return Period.of(cadence, now)
    oldest, newest = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (inventory.oldest, inventory.newest))
    period = Period.of(cadence, newest)
    while period.end > oldest:
        if period.ended(now) and len(store.load_rollup(home, period=period, metrics=SHOWN)):
            return period
        period = period.previous()
    return Period.of(cadence, now)
