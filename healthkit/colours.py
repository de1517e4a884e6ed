"""Colours of a page, and whether text in them can be read."""

from __future__ import annotations

LIGHT, DARK = ("#ffffff", "#f5f7f9"), ("#12181f", "#1a222b")
"""The grounds that text stands on, by scheme: `display.STYLE`'s paper and soft."""
READABLE = 4.5
"""The least contrast of text (WCAG 2.2, 1.4.3)."""


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21.

    Args:
        one: `#rrggbb`.
        other: The same.

    Source: WCAG 2.2, relative luminance and contrast ratio.

    >>> round(contrast("#ffffff", "#000000"), 1)
    21.0
    """
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def least_contrast(colour: str, grounds: tuple[str, ...]) -> float:
    """The contrast of a colour with the ground on which it is read worst."""
    return min(contrast(colour, ground) for ground in grounds)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
