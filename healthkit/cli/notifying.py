"""What joins alerts with the outbox of the reports: one round of rules, and handing over what waits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from healthkit.alerts.notifications import Delivered, Transport
    from healthkit.alerts.rounds import Round
    from healthkit.config import Config


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


def hand_over(
    home: Path, config: Config, *, seconds: float = 60, tries: int = 3, timeout: float | None = None
) -> list[Delivered]:
    """Deliver what waits, and keep what became of it."""
    from healthkit.alerts import notifications, rounds

    now = datetime.now(UTC)
    ways = transports(home, config, timeout=timeout)
    outcomes = notifications.deliver(home, ways, now=now, seconds=seconds, tries=tries)
    rounds.record(home, outcomes, now=now)
    return outcomes


def look(home: Path, config: Config) -> tuple[Round, list[Delivered]]:
    """One round of all rules, and delivery of what it and earlier ones had to say, mail of reports included."""
    from healthkit.alerts import rounds

    found = rounds.look(home, config, transports(home, config))
    outcomes = hand_over(home, config)
    if any((home / "outbox").glob("*.eml")):
        from healthkit import reports

        reports.flush(home, config)
    return found, outcomes
