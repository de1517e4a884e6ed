"""What joins alerts with the outbox of the reports: one round of rules, and handing over what waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from healthkit.errors import ConfigError, StoreError

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from healthkit.alerts.notifications import Delivered, Notification, Transport
    from healthkit.alerts.rounds import Round
    from healthkit.config import Config


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller waits for servers; what did not arrive by then is tried on the next round."""

    seconds: float = 60
    """For all of them together."""
    tries: int = 3
    """How often each is tried."""
    timeout: float | None = None
    """Seconds of one try, where that is less than configured."""


PATIENT = Patience()
BRIEF = Patience(seconds=1.5, tries=1, timeout=1.5)
"""Of a command that must be back within five seconds."""


def transports(
    home: Path, config: Config, *, timeout: float | None = None, at_once: bool = False
) -> dict[str, Transport]:
    """Every configured transport, by name.

    Args:
        home: Whose outbox keeps mail.
        config: The configuration.
        timeout: Seconds of one try, where that is less than configured.
        at_once: Mail that the outbox has to keep for another try counts as not delivered.
    """
    from healthkit.alerts.transports import configured

    if timeout is not None:
        mail = msgspec.structs.replace(config.mail, timeout=min(timeout, config.mail.timeout))
        alerting = msgspec.structs.replace(config.alerting, timeout=min(timeout, config.alerting.timeout))
        config = msgspec.structs.replace(config, mail=mail, alerting=alerting)

    def send_mail(message: EmailMessage, recipients: tuple[str, ...]) -> str:
        from healthkit.reports import outbox

        delivery = outbox.send(home, config, message, recipients)
        # What the outbox queued is safe there: it retries for days. Only what every recipient refused failed.
        kept = () if at_once else delivery.queued
        return "" if delivery.sent or kept else "; ".join([*delivery.refused.values(), *delivery.queued.values()])

    return configured(config, send_mail)


def say(
    home: Path, config: Config, message: str, *, severity: str, name: str, labels: Mapping[str, str]
) -> list[Delivered]:
    """Say something that no rule watches: written down first, for every transport and in the log, then tried briefly.

    Raises:
        ConfigError: A secret of a transport cannot be read.
        StoreError: It could be kept nowhere, and no transport took it at once.
    """
    from healthkit.alerts import rounds
    from healthkit.alerts.notifications import Notification

    now, began = datetime.now(UTC), time.monotonic()
    text = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    ends = now + timedelta(days=1)
    ways = transports(home, config, timeout=BRIEF.timeout)
    notification = Notification(name, config.host, "firing", severity, text, now, now, ends, labels)
    try:
        rounds.say(home, notification, ways)
    except StoreError:
        told = list(_at_once(ways, notification))
        if not any(outcome.status == "delivered" for outcome in told):
            raise
        return told
    if not ways:
        return []
    left = max(BRIEF.seconds - (time.monotonic() - began), 0.5)  # a locked database may have taken its share
    return hand_over(home, config, patience=replace(BRIEF, seconds=left))


def _at_once(ways: Mapping[str, Transport], notification: Notification) -> Iterator[Delivered]:
    """What nothing can be written down of, on a full disk say, is tried all the same."""
    from healthkit.alerts.notifications import Delivered, NotDeliveredError

    for name, transport in ways.items():
        try:
            transport(notification)
            yield Delivered(name, notification, "delivered", tries=1)
        except (NotDeliveredError, OSError) as error:
            yield Delivered(name, notification, "refused", f"it could not be kept, and: {error}", tries=1)


def hand_over(home: Path, config: Config, *, patience: Patience = PATIENT) -> list[Delivered]:
    """Deliver what waits, and keep what became of it."""
    from healthkit.alerts import notifications, rounds

    now = datetime.now(UTC)
    ways = transports(home, config, timeout=patience.timeout)
    outcomes = notifications.deliver(home, ways, now=now, seconds=patience.seconds, tries=patience.tries)
    rounds.record(home, outcomes, now=now)
    return outcomes


def hand_over_soon(home: Path) -> None:
    """Try for a few seconds to deliver what a procedure had to say; the schedule sees to the rest."""
    from healthkit.alerts import notifications
    from healthkit.config import load_config

    if notifications.waiting(home):
        try:
            hand_over(home, load_config(home), patience=BRIEF)
        except ConfigError as error:  # of a procedure for an emergency: what it found is still to be shown
            log.warning("nobody was told, the notifications wait: %s", error)


def look(home: Path, config: Config, *, patience: Patience = PATIENT) -> tuple[Round, list[Delivered]]:
    """One round of all rules and incidents, and delivery of what they had to say, mail of reports included."""
    from healthkit.alerts import escalations, rounds
    from healthkit.procedures import alone
    from healthkit.procedures._locks import BusyError

    ways = transports(home, config)
    found = rounds.look(home, config, ways)
    if any((home / "logs" / "incidents").glob("INC-*.json")):
        try:
            with alone(home, "incident"):
                escalations.watch(home, config, ways)
        except BusyError as error:  # somebody is at it this moment; the next round looks again
            log.info("incidents are not watched now: %s", error)
    outcomes = hand_over(home, config, patience=patience)
    if patience is PATIENT and any((home / "outbox").glob("*.eml")):
        from healthkit import reports

        reports.flush_outbox(home, config=config)
    return found, outcomes
