"""Numbers with their unit, as people read them."""

from __future__ import annotations

import math

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def quantity(value: float, unit: str = "") -> str:
    """The value with three significant digits, in the unit that people use for it.

    Ratios become per cent, bytes powers of 1024 (IEC 80000-13), short times milliseconds.

    >>> quantity(0.8312, "ratio"), quantity(3.2e9, "bytes"), quantity(0.0123, "seconds"), quantity(1234.5)
    ('83.1 %', '2.98 GiB', '12.3 ms', '1234')
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "unbounded"
    if unit == "ratio":
        return f"{_three(100 * value)} %"
    base, _, per = unit.partition("/")
    tail = f"/{per}" if per else ""
    if base == "bytes":
        power = min(len(_BINARY) - 1, int(math.log(abs(value), 1024))) if abs(value) >= 1 else 0
        return f"{_three(value / 1024**power)} {_BINARY[power]}{tail}"
    if base == "seconds" and 0 < abs(value) < 1:
        return f"{_three(1000 * value)} ms{tail}"
    name = {"seconds": "s", "celsius": "°C", "1": ""}.get(base, base)
    return f"{_three(value)} {name}{tail}".strip() if name else f"{_three(value)}{tail}"


def _three(value: float) -> str:
    """Three significant digits, and all digits before the point, without exponent where it can be avoided."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-4:
        return f"{value:.3g}"
    if size >= 100:
        return f"{value:.0f}"
    text = f"{value:.{2 - math.floor(math.log10(size))}f}" if size else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text
