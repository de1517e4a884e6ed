"""Data as JSON can say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def plain(data: Any) -> Any:
    """*data* with what JSON cannot say turned into what it can: NaN, NaT and infinities become null, times ISO 8601.

    >>> plain({"p95": float("nan"), "hosts": ("a", "b")})
    {'p95': None, 'hosts': ['a', 'b']}
    """
    if isinstance(data, Mapping):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple, set, frozenset)):
        return [plain(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, datetime):
        return data.isoformat() if data == data else None  # noqa: PLR0124 - NaT, as NaN, is not itself
    if hasattr(data, "tolist"):  # of NumPy or pandas
        return plain(data.tolist())
    return data if isinstance(data, (str, int, float, bool, type(None))) else str(data)
