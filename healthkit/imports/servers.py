"""Asking an HTTP API for JSON, with a token that goes nowhere else."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import msgspec

from healthkit.errors import ParameterError, SourceError

Kind = TypeVar("Kind", bound=msgspec.Struct)
_TOO_MUCH = frozenset({413, 422, 503, 504})
"""Answers that asking for less may change: too many samples, or not in time."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a Prometheus answers."""

    url: str
    token_file: str | None = None
    """Whose first line is sent as a bearer token; mode 0600."""
    timeout: float = 120
    """Seconds for each step of a request."""

    def ask(self, path: str, kind: type[Kind], parameters: Sequence[tuple[str, str]] = ()) -> Kind:
        """An answer as a *kind* of `msgspec.Struct`.

        Raises:
            TooMuchError: The same for less may work.
            SourceError: The server cannot be reached or refuses.
            ConfigError: The file of the token cannot be used.
            ParameterError: The address is none, or has a password in it.
        """
        from healthkit.config import read_secret

        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ParameterError(f"{self.url!r}: write http://prometheus:9090")
        if parts.username or parts.password:
            raise ParameterError("an address with a password is seen by everybody on this host: use --token-file")
        request = Request(f"{self.url.rstrip('/')}{path}", urlencode(parameters).encode(), method="POST")  # noqa: S310 - the scheme was looked at
        if not parameters:
            request.data, request.method = None, "GET"
        request.add_header("User-Agent", "healthkit")
        if self.token_file:
            request.add_unredirected_header("Authorization", f"Bearer {read_secret(Path(self.token_file))}")
        try:
            with _OPENER.open(request, timeout=self.timeout) as answer:
                return msgspec.json.decode(answer.read(), type=kind)
        except HTTPError as error:
            with error:
                said = _reason(error.read(10_000))
            refusal = TooMuchError if error.code in _TOO_MUCH else SourceError
            raise refusal(f"answered {error.code}{said and f': {said}'}", source=self.url) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"this is no answer of a Prometheus: {error}", source=self.url) from error
        except URLError as error:
            raise SourceError(f"cannot be reached: {error.reason}", source=self.url) from None
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"the answer broke off: {type(error).__name__} {error}", source=self.url) from None


class TooMuchError(SourceError):
    """The server would not answer for so much at once."""


class _NoRedirects(HTTPRedirectHandler):
    """A token must not go to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(ProxyHandler({}), _NoRedirects())


def _reason(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(said.get("error", ""))[:300] if isinstance(said, dict) else ""
