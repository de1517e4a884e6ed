"""JSON by POST, to one address."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from healthkit.alerts.notifications import NotDeliveredError

if TYPE_CHECKING:
    from healthkit.alerts.notifications import Notification, Transport

_LATER = frozenset({408, 425, 429})
"""4xx that another try may change (RFC 9110, RFC 8470, RFC 6585)."""


def transport(url: str, *, token: str | None = None, timeout: float = 10) -> Transport:
    """What posts a notification's JSON to *url*.

    Args:
        url: http or https; never shown in full, as the path of many a hook is its password.
        token: Sent as a bearer token.
        timeout: Seconds for each step of a try.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(notification: Notification) -> None:
        post(url, notification.as_dict(), headers=headers, timeout=timeout)

    return send


def post(url: str, body: Any, *, headers: dict[str, str], timeout: float) -> None:
    """POST *body* as JSON.

    Raises:
        NotDeliveredError: The server could not be reached or did not say 2xx; another 4xx than 408, 425 and 429 is its
            last word.
    """
    where = urlsplit(url).hostname or "the server"
    content = json.dumps(body).encode()
    request = Request(url, content, {"Content-Type": "application/json", "User-Agent": "healthkit", **headers})  # noqa: S310 - the configuration allows http and https
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            answer.read(1024)
    except HTTPError as error:
        error.close()
        raise NotDeliveredError(
            f"{where} answered {error.code}", permanent=400 <= error.code < 500 and error.code not in _LATER
        ) from None
    except URLError as error:
        raise NotDeliveredError(f"{where}: {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise NotDeliveredError(f"{where}: {type(error).__name__}") from None


class _NoRedirects(HTTPRedirectHandler):
    """A redirected POST becomes a GET without its body, and a token must not go to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(ProxyHandler({}), _NoRedirects())
"""Without the proxies of the environment: cron's differs from a terminal's, and alerts go where the file says."""
