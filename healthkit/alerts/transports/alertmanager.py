"""Prometheus Alertmanager, API v2.

Alertmanager forgets an alert at its `endsAt`, so while one fires that lies beyond the next time that it is told; an alert
that is over is posted again with the same labels and the time of its end.
Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from healthkit.alerts.transports.webhook import post

if TYPE_CHECKING:
    from healthkit.alerts.notifications import Notification, Transport


def transport(url: str, *, timeout: float = 10) -> Transport:
    """What posts to `<url>/api/v2/alerts`.

    Args:
        url: Base address of the Alertmanager.
        timeout: Seconds for each step of a try.
    """

    def send(notification: Notification) -> None:
        post(f"{url.rstrip('/')}/api/v2/alerts", [alert(notification)], headers={}, timeout=timeout)

    return send


def alert(notification: Notification) -> dict[str, object]:
    """A notification as a `postableAlert`: labels tell one alert from another, annotations do not."""
    labels = {
        **notification.labels,
        "alertname": notification.name,
        "severity": notification.severity,
        "instance": notification.host,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": notification.message},
        "startsAt": rfc3339(notification.starts),
        "endsAt": rfc3339(notification.ends),
    }


def rfc3339(when: datetime) -> str:
    """A time as RFC 3339 writes it, UTC, in milliseconds.

    >>> rfc3339(datetime(2026, 11, 23, 6, 0, tzinfo=UTC))
    '2026-11-23T06:00:00.000Z'
    """
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
