"""An HTTP/1 answer, read strictly: the end of the connection is never taken for the end of the head.

`http.client` takes it so, and brings the parsers of e-mail with it: 4 MB and most of the processor time of a probe.
Source: RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_HEAD = 1 << 16
"""Bytes of a head that are read at most."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: |\Z)")


class BadAnswer(ValueError):  # noqa: N818 - reads as the sentence it is
    """What came is no HTTP answer, or not all of it."""


class Answering:
    """The other side of a connection, which answers.

    Args:
        receive: Takes a number of bytes and returns at most so many; nothing at the end of the connection.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._left = b""

    def head(self) -> tuple[int, dict[bytes, bytes]]:
        """Status, and headers by lower-case name; answers with 1xx are passed over (section 9.3 of RFC 9110).

        Raises:
            BadAnswer: No HTTP/1, longer than 64 KiB, or cut short.
        """
        budget = _HEAD
        while True:
            first, *lines = self._lines(budget)
            match = _STATUS.match(first)
            if not match:
                raise BadAnswer(f"not an HTTP answer: {first[:40]!r}")
            budget -= len(first) + sum(map(len, lines))
            status = int(match[1])
            if status >= 200:
                pairs = (line.partition(b":") for line in lines)
                return status, {name.strip().lower(): value.strip() for name, _, value in pairs}

    def skip_body(self, status: int, headers: dict[bytes, bytes], limit: int) -> None:
        """Read the body, or its first *limit* bytes. Source: section 6.3.

        Raises:
            BadAnswer: It is cut short, or its length cannot be told.
        """
        if status in {204, 304}:
            return
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            self._skip_chunks(limit)
        elif b"content-length" in headers:
            self._skip(_size(headers[b"content-length"], 10), limit)
        else:
            size = len(self._left)
            while size < limit and (block := self._receive(_HEAD)):
                size += len(block)

    def _lines(self, budget: int) -> list[bytes]:
        lines = [self._line(budget)]
        while line := self._line(budget):
            budget -= len(line)
            lines.append(line)
        return lines

    def _line(self, budget: int) -> bytes:
        while b"\n" not in self._left:
            if len(self._left) > budget:
                raise BadAnswer("a head longer than 64 KiB")
            self._more()
        if budget <= 0:
            raise BadAnswer("a head longer than 64 KiB")
        line, _, self._left = self._left.partition(b"\n")
        return line.removesuffix(b"\r")

    def _more(self) -> None:
        block = self._receive(_HEAD)
        if not block:
            raise BadAnswer("the connection ended in the middle of the answer")
        self._left += block

    def _skip(self, size: int, limit: int) -> None:
        size = min(size, limit)
        while len(self._left) < size:
            size -= len(self._left)
            self._left = b""
            self._more()
        self._left = self._left[size:]

    def _skip_chunks(self, limit: int) -> None:
        """Source: section 7.1; the trailer need not be waited for."""
        while limit > 0:
            size = _size(self._line(_HEAD).partition(b";")[0].strip(), 16)
            if size == 0:
                return
            self._skip(size + len(b"\r\n"), limit)
            limit -= size


def _size(text: bytes, base: int) -> int:
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", text):
        raise BadAnswer(f"a body whose length is {text[:40]!r}")
    try:
        return int(text, base)
    except ValueError as error:
        raise BadAnswer(f"a body whose length is {text!r}") from error
