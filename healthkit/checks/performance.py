"""Is the host slower or busier than it used to be? The last 24 hours against its own four weeks before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit.findings import Finding, Severity
from healthkit.quantities import quantity
from healthkit.schema import title, unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from healthkit.checks import Context

COMPONENT = "trend"
LOCAL = False

METRICS = ("cpu_busy_ratio", "memory_used_ratio", "http_response_seconds")
FLOOR = {"cpu_busy_ratio": 0.05, "memory_used_ratio": 0.05, "http_response_seconds": 0.05}
"""A rise smaller than this is nobody's business, however steady the past was."""
NEEDED = 14
"""Days of history that it takes to know what is usual."""
GROWTH = 1.2
"""The runbook's factor: less than that is not a rise."""


def check(context: Context) -> Iterator[Finding]:
    """The 95th percentile of the last 24 hours against the daily 95th percentiles of the four weeks before.

    Worse means above 1.2 times their median and above median + 3 robust standard deviations (1.4826 MAD), and by a
    step that matters. Never critical: a rise is a question, the limits of the other checks are the answer.
    """
    history = context.history
    before = context.now - timedelta(hours=24)
    for metric in METRICS:
        devices = context.latest(metric)
        if not devices and metric != "http_response_seconds":
            yield context.unmeasured("performance", title(metric), metric)
        past = history[(history["metric"] == metric) & (history["date"] < before - timedelta(days=1))]
        for device in sorted(devices):
            p95 = float(context.window(metric, device=device)["value"].quantile(0.95))
            yield _judge(metric, device, p95, _daily_p95(past[past["device"] == device]))


def _daily_p95(past: pd.DataFrame) -> np.ndarray:
    """Of each day; the quantile grid has 21 points, 0 to 1 by 0.05."""
    import numpy as np

    return np.array([grid[19] for grid in past["q"]], dtype=float)


def _judge(metric: str, device: str, p95: float, past: np.ndarray) -> Finding:
    import numpy as np

    subject = f"{title(metric)} {device}".strip()
    past = past[np.isfinite(past)]
    if len(past) < NEEDED:
        why = f"{len(past)} of the {NEEDED} days measured that it takes to know what is usual"
        evidence = {"n": len(past), "needed": NEEDED}
        return Finding("performance", Severity.UNKNOWN, subject, why, evidence=evidence)
    median = float(np.median(past))
    spread = 1.4826 * float(np.median(np.abs(past - median)))
    limit = max(GROWTH * median, median + 3 * spread, median + FLOOR[metric])
    worse = p95 > limit
    base = unit(metric)
    return Finding(
        "performance",
        Severity.WARNING if worse else Severity.OK,
        subject,
        f"95th percentile of the last 24 hours is {quantity(p95, base)}, usual is {quantity(median, base)}",
        value=p95,
        unit=base,
        evidence={
            "threshold": limit,
            "median": median,
            "robust_sd": spread,
            "n": len(past),
            "source": f"daily statistics: {metric}",
        },
        hint="See when it began (healthkit show trend) and what was changed then (healthkit annotate)."
        if worse
        else "",
    )
