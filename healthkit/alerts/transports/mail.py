"""Mail to the operators; an escalation goes to whoever is on call besides."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from healthkit.alerts.notifications import ESCALATED, NotDeliveredError
from healthkit.errors import HealthkitError

if TYPE_CHECKING:
    from healthkit.alerts.notifications import Notification, Transport
    from healthkit.alerts.transports import SendMail
    from healthkit.config import Config


def transport(config: Config, send_mail: SendMail) -> Transport:
    """What hands a notification to *send_mail* for the operators of *config*."""

    def send(notification: Notification) -> None:
        to = recipients(notification, config)
        if not to:
            return  # only escalations go to whoever is on call
        try:
            refused = send_mail(compose(notification, config), to)
        except (HealthkitError, OSError) as error:
            raise NotDeliveredError(str(error)) from error
        if refused:
            raise NotDeliveredError(refused, permanent=True)

    return send


def recipients(notification: Notification, config: Config) -> tuple[str, ...]:
    """Who gets it, each once."""
    called = config.incidents.on_call.mail if notification.name == ESCALATED else ()
    return tuple(dict.fromkeys((*config.mail.recipients.operators, *called)))


def compose(notification: Notification, config: Config) -> EmailMessage:
    """The message: everything in the subject, details below. Its Message-ID is the same for the same event."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", config.host).strip(".-") or "localhost"
    sender = config.mail.sender or f"healthkit@{host}"
    word = "resolved" if notification.status == "resolved" else notification.severity
    message = EmailMessage()
    message["Subject"] = _line(f"[{word}] {notification.host} {notification.name}: {notification.message}")[:150]
    message["From"] = sender
    message["To"] = ", ".join(recipients(notification, config))
    message["Date"] = format_datetime(notification.at)
    message["Message-ID"] = f"<alert.{notification.key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [
        _line(notification.message),
        "",
        f"Alert:    {_line(notification.name)}",
        f"Host:     {_line(notification.host)}",
        f"Severity: {notification.severity}",
        f"Status:   {notification.status}",
        f"Since:    {notification.starts:%Y-%m-%d %H:%M} UTC",
        *([f"Until:    {notification.ends:%Y-%m-%d %H:%M} UTC"] if notification.status == "resolved" else []),
        *(f"{_line(name)}: {_line(value)}" for name, value in notification.labels.items()),
        "",
        f"Not now: healthkit alert silence {_line(notification.name)} --for 2h --reason ...",
    ]
    message.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    return message


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).encode("utf-8", "replace").decode()
