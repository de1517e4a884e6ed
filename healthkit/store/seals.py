"""A checksum over every byte of a Parquet file, which Parquet itself does not have.

Page checksums leave out page headers and the footer, and one flipped bit there is enough to read other values, to skip
rows, or to keep a decoder busy for minutes. So a file of the store says under `groups` where each of its row groups ends
and what its CRC-32 is, and under `seal` the CRC-32 of all that follows the last one, computed with eight dashes in its own
place. The seal is checked before the footer is parsed, and a row group before it is decoded.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

MAGIC = b"PAR1"
_OPEN = b"--------"
_SEAL = re.compile(rb'\{"seal": "([0-9a-f]{8})"')


class SealedStream:
    """A binary stream that a Parquet writer writes to, and that seals what it writes."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._size = 0
        self._crc = 0
        self._rest: bytearray | None = None
        self.groups: list[tuple[int, int]] = []
        """End and CRC-32 of each row group so far."""

    def write(self, data: Any) -> int:
        """Write bytes through; after `facts` keep them for `seal`."""
        size = memoryview(data).nbytes
        self._size += size
        if self._rest is not None:
            self._rest += data
        else:
            self._crc = zlib.crc32(data, self._crc)
            self._stream.write(data)
        return size

    def end_group(self) -> None:
        """A row group is complete."""
        self.groups.append((self._size, self._crc))
        self._crc = 0

    def facts(self, facts: dict[str, Any]) -> str:
        """What the footer is to hold; nothing but the footer follows."""
        self._rest = bytearray()
        return json.dumps({"seal": _OPEN.decode(), "groups": self.groups} | facts)

    def seal(self) -> None:
        """Write the footer with its checksum."""
        rest = self._rest or bytearray()
        crc = f"{zlib.crc32(rest):08x}".encode()
        self._stream.write(bytes(rest.replace(b'{"seal": "' + _OPEN, b'{"seal": "' + crc, 1)))

    def tell(self) -> int:
        """Bytes written."""
        return self._size

    def flush(self) -> None:
        """Nothing is kept back that could be written now."""

    def close(self) -> None:
        """Leave the stream to whoever opened it."""

    def readable(self) -> bool:
        """Never."""
        return False

    def seekable(self) -> bool:
        """Never."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True


def footer_size(end: bytes) -> int:
    """Bytes of the footer, with its length and the closing magic, from the last eight bytes of a file.

    Raises:
        ValueError: It is no Parquet file, or cut off.
    """
    if len(end) != 8 or end[4:] != MAGIC:
        raise ValueError("it does not end as a Parquet file")
    return int.from_bytes(end[:4], "little") + 8


def unseal(footer: bytes) -> dict[str, Any]:
    """The facts in a footer that is as it was written.

    Raises:
        ValueError: It is not, or was never sealed.
    """
    seal = _SEAL.search(footer)
    if seal is None:
        raise ValueError("it has no seal")
    start, end = seal.span(1)
    if zlib.crc32(footer[:start] + _OPEN + footer[end:]) != int(seal[1], 16):
        raise ValueError("its footer is not what was written")
    facts: dict[str, Any] = json.JSONDecoder().raw_decode(footer[seal.start() :].decode("utf-8", "replace"))[0]
    return facts


def unsealed_version(footer: bytes) -> int:
    """The schema version that a footer without a seal of ours speaks of; 0 if of none."""
    said = re.search(rb'"schema": ?(\d{1,9})\b', footer)
    return int(said[1]) if said and not _SEAL.search(footer) else 0
