"""Order of Debian's version numbers. Source: deb-version(7)."""

from __future__ import annotations

import re
from itertools import zip_longest

_PART = re.compile(r"(\D*)(\d*)", re.ASCII)


def newer(version: str, than: str) -> bool:
    """Whether one version is later than another.

    >>> newer("1.0-10", "1.0-9"), newer("1.0~rc1", "1.0"), newer("1:0.1", "9.9")
    (True, False, True)
    """
    return _key(version) > _key(than)


class _Text:
    """A part without digits: `~` before the end, the end before letters, letters before all else."""

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        self._key = [-1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 256 for char in text]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and self._key == other._key

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: _Text) -> bool:
        pairs = zip_longest(self._key, other._key, fillvalue=0)
        return next((mine < theirs for mine, theirs in pairs if mine != theirs), False)


def _key(version: str) -> tuple[int, list[tuple[_Text, int]], list[tuple[_Text, int]]]:
    epoch, colon, rest = version.partition(":")
    upstream, _, revision = (rest if colon else version).rpartition("-") if "-" in version else (rest or epoch, "", "")
    return int(epoch) if colon and epoch.isdigit() else 0, _split(upstream), _split(revision)


def _split(text: str) -> list[tuple[_Text, int]]:
    return [(_Text(letters), int(number or 0)) for letters, number in _PART.findall(text)]
