"""Where the numbers come from: enough to make the same report again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import healthkit
from healthkit import display
from healthkit.quantities import utc
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.reviews import Review


def provenance(review: Review) -> Section:
    """Period, version, parameters, rows read and their hash."""
    data = {
        "period": review.period.label,
        "from": review.period.start.isoformat(),
        "to": review.period.end.isoformat(),
        "reviewed": review.now.replace(microsecond=0).isoformat(),
        "hosts": list(review.hosts),
        "version": healthkit.__version__,
        "rows": len(review.history),
        "hash": _digest(review),
    }
    pairs = [
        ("Period", f"{review.period.label}: {utc(review.period.start)} to {utc(review.period.end)}"),
        ("Reviewed", utc(review.now)),
        ("Rollup rows read", str(data["rows"])),
        ("SHA-256 of them", str(data["hash"])[:16]),
        ("healthkit", healthkit.__version__),
    ]
    html = display.definitions((name, display.text(value)) for name, value in pairs)
    return Section("provenance", html, "\n".join(f"{name}: {value}" for name, value in pairs), data)


def _digest(review: Review) -> str:
    """Of the numbers that the report rests on: equal data, equal hash."""
    import pandas as pd

    plain = review.history.drop(columns="q")
    hashed = pd.util.hash_pandas_object(plain.astype({"host": str, "metric": str, "device": str}), index=False)
    return hashlib.sha256(hashed.to_numpy().tobytes()).hexdigest()
