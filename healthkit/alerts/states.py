"""The state of an alert: inactive, pending, firing, resolved; and how one evaluation takes it to the next.

Pure: the rule, the state before, what was measured and the time give the state after. A condition that could not be told
changes nothing: an alert that fires goes on firing, one that does not stays silent, and both say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from healthkit.alerts.conditions import Truth

if TYPE_CHECKING:
    from healthkit.alerts.names import Names
    from healthkit.alerts.rules import Rule

Status = Literal["inactive", "pending", "firing", "resolved"]
APART = timedelta(hours=1)
"""Measurements further apart than this need no second one to be believed."""


@dataclass(frozen=True)
class Alert:
    """One rule on one host, as it stands."""

    name: str
    host: str
    status: Status = "inactive"
    severity: str = "warning"
    message: str = ""
    """What it says, with the values of when it last held."""
    since: datetime | None = None
    """When it came into this status, UTC."""
    starts: datetime | None = None
    """When it began to fire; of the last time it did. Tells one time from the next."""
    told: datetime | None = None
    """When somebody was last told that it fires; None if nobody was, because of a silence."""
    turning: datetime | None = None
    """Since when the condition (while it fires: its end) holds without a break; None while it does not."""
    runs: int = 0
    """Measurements that it holds for so."""
    measured: datetime | None = None
    """Time of the newest measurement looked at."""
    unknown: str = ""
    """Why the condition could not be told the last time; empty if it could."""

    @property
    def active(self) -> bool:
        """Whether it fires."""
        return self.status == "firing"


def advance(rule: Rule, before: Alert | None, names: Names, *, host: str, now: datetime) -> Alert:
    """The state after one evaluation.

    Args:
        rule: The rule.
        before: The state before; None for the first evaluation.
        names: What was measured.
        host: Whose alert it is.
        now: The time, UTC.
    """
    alert = replace(before or Alert(rule.name, host, since=now), severity=rule.severity)
    conditions = rule.conditions()
    values = names.values
    asked = conditions["clear"] if alert.active and "clear" in conditions else conditions["condition"]
    truth = asked.evaluate(values)
    if truth is Truth.UNKNOWN:
        missing = asked.missing(values)
        why = "; ".join(f"{name}: {names.why(name)}" for name in missing) or "its values cannot be compared or computed"
        return replace(alert, unknown=why, turning=None, runs=0)
    turning = truth is Truth.TRUE
    if alert.active and "clear" not in conditions:
        turning = not turning
    if alert.active and conditions["condition"].evaluate(values) is Truth.TRUE:
        alert = replace(alert, message=rule.say(_with_device(rule, names)))
    measured = _measured(rule, names, now)
    alert = _count(replace(alert, unknown=""), turning=turning, measured=measured, now=now)
    if not turning:
        idle: Status = "inactive" if alert.status == "pending" else alert.status
        return replace(alert, status=idle, since=now if idle != alert.status else alert.since, measured=measured)
    ready = _is_ready(rule, alert, before, measured, now)
    at_once = not alert.active and "at_once" in conditions and conditions["at_once"].evaluate(values) is Truth.TRUE
    alert = replace(alert, measured=measured)
    if ready or at_once:
        return _turn(rule, alert, names, now)
    if alert.active or alert.status == "pending":
        return alert
    return replace(alert, status="pending", since=now, message=rule.say(_with_device(rule, names)))


def is_due(rule: Rule, alert: Alert, now: datetime) -> bool:
    """Whether somebody should be told, or told again, that it fires."""
    told = alert.told
    # Told in the future: the clock was set back, and the interval cannot be counted.
    return alert.active and (told is None or told > now or now - told >= timedelta(seconds=rule.repeat))


def _count(alert: Alert, *, turning: bool, measured: datetime, now: datetime) -> Alert:
    """For how long and how many measurements the change holds."""
    if not turning:
        return replace(alert, turning=None, runs=0)
    fresh = measured != alert.measured  # not "later": the clock may have been set back
    since = min(alert.turning or now, now)
    return replace(alert, turning=since, runs=alert.runs + 1 if fresh or not alert.runs else alert.runs)


def _is_ready(rule: Rule, alert: Alert, before: Alert | None, measured: datetime, now: datetime) -> bool:
    """Held long enough, on enough measurements; one is enough where they are further apart than `APART`."""
    since = alert.turning or now
    if not alert.active and now - since < timedelta(seconds=rule.lasting):
        return False
    earlier = before.measured if before else None
    apart = (earlier is not None and measured - earlier > APART) or now - since > APART
    return alert.runs >= rule.runs or apart


def _turn(rule: Rule, alert: Alert, names: Names, now: datetime) -> Alert:
    """From firing to resolved, or from anything else to firing."""
    if alert.active:
        return replace(alert, status="resolved", since=now, turning=None, runs=0)
    message = rule.say(_with_device(rule, names))
    return replace(
        alert, status="firing", since=now, starts=now, told=None, turning=None, runs=0, message=message
    )  # `starts` is when it was said to fire, not when it was first suspected


def _measured(rule: Rule, names: Names, now: datetime) -> datetime:
    """Time of the newest value that the condition is about."""
    used = rule.conditions()["condition"].names
    return max((names.known[name].at for name in used if name in names.known), default=now)


def _with_device(rule: Rule, names: Names) -> dict[str, float | str]:
    """The values, and `device`: that of the condition's first name which has one."""
    used = (names.known[name] for name in rule.conditions()["condition"].names if name in names.known)
    device = next((known.device for known in used if known.device), "")
    return {"device": device, **names.values}
