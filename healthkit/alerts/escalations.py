"""Telling people of incidents: that one began, goes on, is over; and the clock that calls whoever is on call."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from healthkit import incidents
from healthkit.alerts.notifications import ESCALATED, Notification
from healthkit.alerts.rounds import say
from healthkit.errors import ParameterError
from healthkit.findings import Severity
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.config import Config
    from healthkit.incidents import Incident

NAME = "Incident"


def tell(
    home: Path, incident: Incident, text: str, transports: Collection[str], *,
    now: datetime, name: str = NAME, status: Literal["firing", "resolved"] = "firing",
) -> None:  # fmt: skip
    """Write a notification down for every transport.

    Raises:
        StoreError: It cannot be kept.
    """
    message = f"{incident.name}: {text}"
    ends = now if status == "resolved" else now + timedelta(days=1)
    labels = {"incident": incident.name}
    about = Notification(name, incident.host, status, incident.severity, message, now, incident.opened, ends, labels)
    say(home, about, transports)


def escalate(
    home: Path, config: Config, incident: Incident, why: str, transports: Collection[str], *, now: datetime
) -> Incident:
    """Call whoever is on call; the incident with that in its timeline, saved.

    The timeline is written first: a crash in between is seen in it, and the clock calls again.
    """
    person = config.incidents.on_call
    who = ", ".join(filter(None, (person.name, person.contact, *person.mail)))
    text = f"{why}: {incident.title}. On call: {who or 'nobody is configured (incidents: on_call)'}"
    incident = incident.add("escalated", text, at=now)
    incidents.save(home, incident)
    tell(home, incident, text, transports, now=now, name=ESCALATED)
    return incident


def resolve(home: Path, incident: Incident, text: str, transports: Collection[str], *, now: datetime) -> Incident:
    """Say that everything answers again."""
    incident = incident.add("resolved", text, at=now, resolved=now)
    incidents.save(home, incident)
    told = [NAME, *([ESCALATED] if incident.when("escalated") else [])]
    for name in told:
        tell(home, incident, f"over: {text}", transports, now=now, name=name, status="resolved")
    return incident


def watch(home: Path, config: Config, transports: Collection[str], *, now: datetime | None = None) -> list[Incident]:
    """What the schedule does: see which open incidents are over, and escalate those that are not and should be.

    The clock counts from the opening, the acknowledgement or the last escalation, whichever is latest, and is read from
    the incidents' files: it survives restarts of the host.

    Returns:
        The incidents that it changed.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    changed = []
    for incident in incidents.every(home):
        if incident.status != "open" or incident.host != config.host:
            continue
        down = _down(home, config, incident)
        if incident.services and not down:
            changed.append(resolve(home, incident, "every service answers again", transports, now=now))
            continue
        since = incident.when("acknowledged", "escalated", "reopened") or incident.opened
        since = incident.opened if since > now else since  # the clock was set back
        if (now - since).total_seconds() >= config.incidents.escalate_after:
            word = "acknowledged, but not over" if incident.acknowledged else "neither acknowledged nor over"
            why = f"{word} after {quantity(max((now - incident.opened).total_seconds(), 0), 'seconds')}"
            changed.append(escalate(home, config, incident, why, transports, now=now))
    return changed


def _down(home: Path, config: Config, incident: Incident) -> list[str]:
    """What of its services is not well, or cannot be told."""
    from healthkit.checks import Context
    from healthkit.checks.services import moment

    services = tuple(service for service in config.services if service.name in incident.services)
    seconds = max((float(service.timeout) for service in services), default=0) + 10
    context = Context(home=home, config=config, deadline=time.monotonic() + seconds)
    found = list(moment(context, services))
    missing = sorted(set(incident.services) - {service.name for service in services})
    return [f.subject for f in found if f.severity is not Severity.OK] + missing


def acknowledge(home: Path, name: str, who: str, *, now: datetime) -> Incident:
    """Somebody is at it: the clock begins anew.

    Raises:
        ParameterError: There is none of this name, or it is closed.
    """
    incident = _unclosed(home, name)
    incident = incident.add("acknowledged", f"by {who or 'somebody'}", at=now, acknowledged=now)
    incidents.save(home, incident)
    return incident


def close(
    home: Path, name: str, *, resolution: str, cause: str, who: str, transports: Collection[str], now: datetime
) -> Incident:
    """Say how it ended.

    Raises:
        ParameterError: There is none of this name, or it is closed already.
    """
    incident = _unclosed(home, name)
    if incident.status == "open":
        incident = resolve(home, incident, f"closed by {who or 'somebody'}", transports, now=now)
    flat = [
        " ".join("".join(c if c.isprintable() else " " for c in text).split())[:1000] for text in (resolution, cause)
    ]
    text = f"by {who or 'somebody'}: {flat[0]}"
    incident = incident.add("closed", text, at=now, closed=now, resolution=flat[0], cause=flat[1])
    incidents.save(home, incident)
    return incident


def _unclosed(home: Path, name: str) -> Incident:
    incident = incidents.load(home, name)
    if incident.closed:
        raise ParameterError(f"{name} is closed since {incident.closed:%Y-%m-%d %H:%M} UTC")
    return incident
