"""A configured brand on a page: name, logo, colours. The logo is put into the page, which fetches nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ConfigError

if TYPE_CHECKING:
    from healthkit.config import Brand

LARGEST = 64 * 1024
"""Bytes of a logo: it is in every page."""
_KINDS = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"RIFF", "webp"))


def logo(brand: Brand) -> str:
    """The logo as a data URI, which an `<img>` shows and never runs; empty for none.

    Raises:
        ConfigError: It cannot be read, is no image, or is too large.
    """
    if brand.logo is None:
        return ""
    try:
        data = Path(brand.logo).read_bytes()
    except OSError as error:
        raise ConfigError(f"reports.brand.logo cannot be read: {error}") from error
    kind = next((kind for start, kind in _KINDS if data.startswith(start)), "")
    if not kind and b"<svg" in data[:1000]:
        kind = "svg+xml"
    if not kind or len(data) > LARGEST:
        raise ConfigError(
            f"reports.brand.logo: {brand.logo}: not a PNG, JPEG, WebP or SVG of at most {LARGEST // 1024} KiB"
        )
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def style(brand: Brand) -> str:
    """CSS that puts the brand's colours in the place of ours; empty where they are ours."""
    from healthkit.config import Brand as Default

    if (brand.accent, brand.accent_dark) == (Default().accent, Default().accent_dark):
        return ""
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{--accent:{brand.accent_dark}}}}}"
    return f":root{{--accent:{brand.accent}}}{dark}"
