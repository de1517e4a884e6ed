"""One round: judge every rule, remember the states, and write down whom to tell what.

`look` does that; handing the notifications over (`notifications.deliver`) is another step, so that a server that hangs
delays nothing. While healthkit's own database cannot be used there are no states: rules then fire without waiting, and
each is told once a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from healthkit.alerts.logs import Silence, keep_alerts, read_alerts, read_silences
from healthkit.alerts.names import names
from healthkit.alerts.notifications import Delivered, Notification, queue
from healthkit.alerts.rules import Rule, load_rules
from healthkit.alerts.states import Alert, advance, is_due
from healthkit.config import Duration
from healthkit.errors import StoreError
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.config import Config

FORGETFUL = "alertmanager"
"""The transport that is told on every round: after a restart Alertmanager knows of no alert."""
_BRIEF = 0.5
"""Seconds that a record waits for a lock of the database: in the spool it is as safe, and whoever sends is in a hurry."""
MARGIN = timedelta(hours=25)
"""How long beyond its repetition an alert holds: a daily round, and an hour."""


@dataclass(frozen=True)
class Round:
    """What one round found."""

    alerts: tuple[Alert, ...]
    """Every rule's state, in the order of the file."""
    notifications: tuple[Notification, ...]
    """What was written down to be told."""
    silences: tuple[Silence, ...]
    """Silences that hold now or will."""
    problem: str = ""
    """Why states could not be kept; empty if they could."""


def look(home: Path, config: Config, transports: Collection[str], *, now: datetime | None = None) -> Round:
    """Judge every rule once.

    Args:
        home: The home.
        config: Its configuration.
        transports: Names of the transports that notifications are kept for.
        now: The time, UTC.

    Raises:
        ConfigError: `alerts.yaml` cannot be used.
        StoreError: A notification, or a state, can be kept nowhere.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    rules = load_rules(home)
    with State(home, timeout=1) as state:
        try:
            before, silences = read_alerts(state, config.host, now=now), tuple(read_silences(state, now=now))
        except StoreError as error:
            state.problem = state.problem or str(error)
        if state.problem:
            before, silences = {}, ()
            rules = tuple(msgspec.structs.replace(rule, runs=1, lasting=Duration(0)) for rule in rules)
        seen = names(home, config, state, now=now)
        after, told, ongoing = [], [], []
        for rule in rules:
            old = before.get(rule.name, (0, None))[1]
            alert = advance(rule, old, seen, host=config.host, now=now)
            notification = _notification(rule, old, alert, now, forgetful=bool(state.problem))
            quiet = any(silence.covers(rule.name, now) for silence in silences)
            if notification is not None and not quiet:
                queue(home, notification, transports)
                alert = replace(alert, told=now)
                told.append(notification)
            elif alert.active and alert.told is not None and not quiet:
                ongoing.append(_message(rule, alert, alert.told, alert.starts or alert.told, reminder=True))
            after.append(alert)
        _remind(home, ongoing, transports)
        # Only now: a crash in between tells somebody twice, the other order would tell nobody.
        gone = _withdrawn(before, rules, now)
        keep_alerts(state, before, [*after, *gone], now=now)
        return Round(tuple(after), tuple(told), silences, state.problem)


def say(home: Path, notification: Notification, transports: Iterable[str]) -> None:
    """Tell something that no rule watches: it is written down, and in the log of alerts.

    Raises:
        StoreError: It cannot be kept anywhere.
    """
    queue(home, notification, transports)
    detail = {"labels": dict(notification.labels)}
    values = {k: getattr(notification, k) for k in ("name", "host", "severity", "status", "message")}
    with State(home, timeout=_BRIEF) as state:
        state.record("alerts", {"ts": notification.at, **values, "detail": detail})


def record(home: Path, outcomes: Sequence[Delivered], *, now: datetime) -> None:
    """Keep what became of notifications: what arrived, was refused, or was tried in vain.

    Raises:
        StoreError: Neither the database nor the spool can be written.
    """
    outcomes = [o for o in outcomes if not (o.notification.reminder and o.status == "delivered")]
    if not outcomes:
        return
    rows = [
        {
            "ts": now,
            "name": outcome.notification.name,
            "host": outcome.notification.host,
            "transport": outcome.transport,
            "status": outcome.status,
            "detail": {"key": outcome.notification.key, "tries": outcome.tries, "reason": outcome.reason},
        }
        for outcome in outcomes
    ]
    with State(home, timeout=_BRIEF) as state:
        state.record_all("notifications", rows)


def _notification(
    rule: Rule, before: Alert | None, alert: Alert, now: datetime, *, forgetful: bool
) -> Notification | None:
    """What is to be told of this alert now, if anything."""
    over = alert.status == "resolved" and before is not None and before.active and alert.told is not None
    if not over and not is_due(rule, alert, now):
        return None
    at, starts = now, alert.starts or now
    if forgetful:  # the same event all day, so that it is told once
        at = starts = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return _message(rule, alert, at, starts, over=now if over else None)


def _message(
    rule: Rule, alert: Alert, at: datetime, starts: datetime, *, over: datetime | None = None, reminder: bool = False
) -> Notification:
    return Notification(
        name=alert.name,
        host=alert.host,
        status="resolved" if over else "firing",
        severity=alert.severity,
        message=alert.message,
        at=at,
        starts=starts,
        ends=over or at + timedelta(seconds=rule.repeat) + MARGIN,
        labels=rule.labels,
        reminder=reminder,
    )


def _remind(home: Path, ongoing: Iterable[Notification], transports: Collection[str]) -> None:
    """Tell the forgetful transport what goes on; nothing is piled up for one that is down."""
    if FORGETFUL in transports and not any((home / "notifications" / FORGETFUL).glob("*.json")):
        for notification in ongoing:
            queue(home, notification, [FORGETFUL])


def _withdrawn(before: dict[str, tuple[int, Alert]], rules: Iterable[Rule], now: datetime) -> list[Alert]:
    """Alerts whose rule is gone from the file: nothing watches them any more."""
    there = {rule.name for rule in rules}
    lost = [alert for name, (_, alert) in before.items() if name not in there and alert.status in {"firing", "pending"}]
    return [replace(alert, status="inactive", since=now, turning=None, runs=0) for alert in lost]
