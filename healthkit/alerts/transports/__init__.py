"""The ways to tell somebody: one module each, whose `transport(...)` makes what takes a notification.

`configured` says which ones a configuration asks for. Mail is handed over by a function of the caller: the outbox belongs
to the reports, which lie outside this package.
"""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import TYPE_CHECKING

from healthkit.alerts.transports import alertmanager, apprise, mail, webhook

if TYPE_CHECKING:
    from healthkit.alerts.notifications import Transport
    from healthkit.config import Config

SendMail = Callable[[EmailMessage, tuple[str, ...]], str]
"""Hands a message to the outbox for these addresses; returns why it was refused, or nothing."""


def names(config: Config) -> tuple[str, ...]:
    """The transports that a configuration asks for; no secret is read."""
    alerting = config.alerting
    asked = {
        "mail": config.mail.recipients.operators or config.incidents.on_call.mail,
        "webhook": alerting.webhook,
        "alertmanager": alerting.alertmanager,
        "apprise": alerting.apprise,
    }
    return tuple(name for name, there in asked.items() if there)


def configured(config: Config, send_mail: SendMail) -> dict[str, Transport]:
    """The transports of a configuration, by name.

    Raises:
        ConfigError: A secret cannot be read.
    """
    alerting = config.alerting
    found: dict[str, Transport] = {}
    if config.mail.recipients.operators or config.incidents.on_call.mail:
        found["mail"] = mail.transport(config, send_mail)
    if alerting.webhook:
        found["webhook"] = webhook.transport(alerting.webhook, token=alerting.token(), timeout=alerting.timeout)
    if alerting.alertmanager:
        found["alertmanager"] = alertmanager.transport(alerting.alertmanager, timeout=alerting.timeout)
    if alerting.apprise:
        found["apprise"] = apprise.transport(alerting.apprise)
    return found
