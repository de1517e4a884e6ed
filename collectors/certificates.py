"""When a TLS certificate ends: read from its DER bytes, trusted or not.

Python tells the fields of a certificate only after verifying it, and an expired one is exactly what has to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18
_VERSION = 0xA0


def not_after(der: bytes) -> datetime:
    """End of validity. Source: RFC 5280, section 4.1 (structure) and 4.1.2.5 (times).

    Raises:
        ValueError: Not a certificate.
    """
    try:
        (_, certificate), *_ = _parts(der)
        (_, signed), *_ = _parts(certificate)
        fields = [part for part in _parts(signed) if part[0] != _VERSION]  # version is optional, all others are not
        _, (tag, text) = _parts(fields[3][1])  # serial number, algorithm, issuer, validity: not before, not after
    except (IndexError, ValueError) as error:
        raise ValueError("not a certificate") from error
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are the 20th century
        text = (b"19" if text[:2] >= b"50" else b"20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a certificate: its validity is no time")
    return datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of every element. Source: ITU-T X.690, section 8.1."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size >= 0x80:
            octets = size & 0x7F
            size, at = int.from_bytes(der[at : at + octets], "big"), at + octets
        if at + size > len(der):
            raise ValueError("cut short")
        yield tag, der[at : at + size]
        at += size
