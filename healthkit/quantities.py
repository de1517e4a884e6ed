"""Numbers for people: one rounding rule, a unit on each.

Three significant digits, binary prefixes for bytes, per cent for ratios, and the word `unknown` for what was not
measured: never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

NBSP = "\u00a0"
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_COUNTS = ("", "k", "M", "G", "T", "P", "E")


def quantity(value: float | None, unit: str = "") -> str:
    r"""*value* in base *unit*, as text.

    Args:
        value: In the base unit; None or NaN = not measured.
        unit: `ratio`, `bytes`, `seconds`, `days`, `celsius`, any of them `/s`, `1/s`, or empty.

    >>> quantity(0.8732, "ratio"), quantity(3 * 2**30, "bytes"), quantity(0.0312, "seconds"), quantity(None, "bytes")
    ('87.3\xa0%', '3\xa0GiB', '31.2\xa0ms', 'unknown')
    >>> quantity(240, "1/s"), quantity(72.9e6, "1/s")
    ('240\xa0/s', '72.9\xa0M/s')
    """
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    base, _, per = unit.partition("/")
    rate = f"/{per}" if per else ""
    if base == "ratio":
        return f"{digits(value * 100)}{NBSP}%{rate}"
    if base == "bytes":
        return _prefixed(value, 1024, _BYTES) + rate
    if base == "seconds" and not rate:
        return _duration(value)
    if base == "celsius":
        return f"{digits(value)}{NBSP}°C{rate}"
    if base in ("", "1"):
        text = _prefixed(value, 1000, _COUNTS) if abs(value) >= 1e5 else digits(value)
        return f"{text}{'' if text[-1].isalpha() else NBSP}{rate}" if rate else text
    return f"{digits(value)}{NBSP}{base}{rate}"


def counted(number: int, noun: str, several: str = "") -> str:
    """A number and what it counts, with whatever agrees with it.

    Args:
        number: How many.
        noun: Of one.
        several: Of any other number; by default with an s.

    >>> counted(1, "host"), counted(0, "answer"), counted(2, "host needs", "hosts need")
    ('1 host', '0 answers', '2 hosts need')
    """
    return f"{number} {noun if number == 1 else several or noun + 's'}"


def listed(names: Sequence[object], most: int) -> str:
    """The first *most* names, and how many more there are.

    >>> listed(["db-1", "db-2", "web-1"], 2), listed(["db-1"], 2)
    ('db-1, db-2 and 1 more', 'db-1')
    """
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")


def difference(value: float | None, unit: str = "") -> str:
    r"""A change: with its sign; ratios in percentage points.

    >>> difference(0.031, "ratio"), difference(-2**20, "bytes")
    ('+3.1\xa0points', '-1\xa0MiB')
    """
    if value is None or math.isnan(value):
        return "unknown"
    sign = "+" if value >= 0 else "-"
    if unit == "ratio":
        return f"{sign}{digits(abs(value) * 100)}{NBSP}points"
    return sign + quantity(abs(value), unit)


def chance(p_value: float) -> str:
    """A p-value with its sign; below one in ten thousand nobody knows the noise well enough to say more.

    >>> chance(0.0312), chance(3e-90)
    ('p = 0.031', 'p < 0.0001')
    """
    return f"p = {p_value:.2g}" if p_value >= 1e-4 else "p < 0.0001"


def covered(share: float) -> str:
    """A share of the time in whole per cent: 100 only where nothing is missing, 0 only where there is nothing.

    >>> covered(0.943), covered(0.9999), covered(1.0), covered(0.0001)
    ('94%', '99%', '100%', '1%')
    """
    return f"{share if share in (0, 1) else min(max(share, 0.01), 0.99):.0%}"


def digits(value: float) -> str:
    """Three significant digits, without exponent for what people read every day.

    >>> digits(1234.5), digits(0.012345), digits(99.96), digits(0.0), digits(3e300)
    ('1234', '0.0123', '100', '0', '3.00e+300')
    """
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    text = f"{value:.3g}"
    return text if "e" not in text else f"{value:.0f}"


def when(moment: datetime, *, now: datetime | None = None) -> str:
    """A date as people write it; with the year when it is not the running one.

    >>> when(datetime(2027, 2, 3, tzinfo=UTC), now=datetime(2026, 11, 23, tzinfo=UTC))
    '3 Feb 2027'
    """
    text = f"{moment.day} {moment:%b}"
    return text if now is not None and now.year == moment.year else f"{text} {moment.year}"


def utc(moment: datetime) -> str:
    """Date and minute, UTC.

    >>> utc(datetime(2026, 11, 23, 6, 5, tzinfo=UTC))
    '2026-11-23 06:05 UTC'
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _prefixed(value: float, step: int, prefixes: tuple[str, ...]) -> str:
    power = 0
    while abs(value) >= step * 0.9995 and power < len(prefixes) - 1:
        value /= step
        power += 1
    return f"{digits(value)}{NBSP}{prefixes[power]}".rstrip(NBSP)


def _duration(seconds: float) -> str:
    size = abs(seconds)
    for limit, factor, name in (
        (1e-3, 1e6, "µs"),
        (1, 1e3, "ms"),
        (120, 1, "s"),
        (7200, 1 / 60, "min"),
        (172800, 1 / 3600, "h"),
    ):
        if size < limit and size > 0:
            return f"{digits(seconds * factor)}{NBSP}{name}"
    return f"0{NBSP}s" if size == 0 else f"{digits(seconds / 86400)}{NBSP}days"
