"""A hundred other services, through Apprise; needs the extra `apprise`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from healthkit.alerts.notifications import NotDeliveredError

if TYPE_CHECKING:
    from healthkit.alerts.notifications import Notification, Transport

_TYPES = {"info": "info", "warning": "warning"}


def transport(urls: Sequence[str]) -> Transport:
    """What sends to all of *urls*, which hold passwords and are never shown."""

    def send(notification: Notification) -> None:
        try:
            import apprise
        except ImportError:
            raise NotDeliveredError("Apprise is not installed: pip install 'project-healthkit[apprise]'") from None
        service = apprise.Apprise()
        refused = [place for place, url in enumerate(urls, 1) if not service.add(url)]
        if refused:
            raise NotDeliveredError(
                f"alerting.apprise: address {refused[0]} is none that Apprise knows", permanent=True
            )
        resolved = notification.status == "resolved"
        kind = "success" if resolved else _TYPES.get(notification.severity, "failure")
        title = f"{notification.host} {notification.name}: {notification.status}"
        if not service.notify(body=notification.message, title=title, notify_type=kind):
            raise NotDeliveredError("Apprise could not deliver it to every address")

    return send
