"""When will a disk be full, if it goes on growing as in the last four weeks?

A median line, for a warning in time; `healthkit show forecast` tells the same with intervals and seasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit.findings import Finding, Severity
from healthkit.quantities import digits, quantity, when

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 2
LOCAL = False

METRIC = "disk_used_ratio"
DAYS = 28
NEEDED = 7
"""Days measured that it takes to speak of growth."""


def check(context: Context) -> Iterator[Finding]:
    """Days until every mount is full: what is free over the median of all pairwise slopes.

    Source: Sen (1968), JASA 63, 1379-1389: a clean-up or a single large file does not move the median.
    """
    mounts = context.latest(METRIC)
    if not mounts:
        yield context.unmeasured("headroom", "disks", METRIC)
        return
    history = context.history
    since = context.now - timedelta(days=DAYS)
    history = history[(history["metric"] == METRIC) & (history["date"] >= since)].dropna(subset=["last"])
    for mount, used in sorted(mounts.items()):
        yield _judge(context, mount, used.value, history[history["device"] == mount])


def _judge(context: Context, mount: str, used: float, days: pd.DataFrame) -> Finding:
    n = int(days["date"].nunique())
    if n < NEEDED:
        why = f"{n} of the {NEEDED} days measured that it takes to tell growth"
        return Finding("headroom", Severity.UNKNOWN, mount, why, evidence={"n": n, "needed": NEEDED})
    slope = _median_slope(days)
    left = (1 - used) / slope if slope > 0 else float("inf")
    warning = context.config.limits.days_to_full
    severity = Severity.CRITICAL if left < warning / 4 else Severity.WARNING if left < warning else Severity.OK
    known = left < 3650
    full = when(context.now + timedelta(days=left), now=context.now) if known else ""
    return Finding(
        "headroom",
        severity,
        mount,
        f"{quantity(1, 'ratio')} full in {digits(left)} days, about {full}, at the growth of the last {n} days"
        if known
        else f"not full within ten years, at the growth of the last {n} days"
        if slope > 0
        else "does not grow",
        value=left if known else None,
        unit="days",
        evidence={
            "threshold": warning,
            "critical": warning / 4,
            "n": n,
            "used_ratio": used,
            "slope_ratio_per_day": slope,
            "source": f"daily statistics: {METRIC}",
        },
        hint=f"Free space or enlarge {mount} before that; see healthkit show forecast." if severity.exit_code else "",
    )


def _median_slope(days: pd.DataFrame) -> float:
    """Ratio per day, over real days: a day without measurement is a gap, not a step."""
    import numpy as np

    day = ((days["date"] - days["date"].min()).dt.total_seconds() / 86400).to_numpy(np.float64)
    value = days["last"].to_numpy(np.float64)
    early, late = np.triu_indices(len(value), 1)
    apart = day[late] - day[early]
    rise = (value[late] - value[early])[apart != 0]
    return float(np.median(rise / apart[apart != 0]))
