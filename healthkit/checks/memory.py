"""Is there memory left for new work? Judged by what is available: caches that can be given back are not in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import critical_above, judge, stretch
from healthkit.findings import Finding
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 4
REQUIRED = True
LOCAL = False


def check(context: Context) -> Iterator[Finding]:
    """Mean over the last hour of 1 - available / total, against `limits.memory`.

    Source: proc(5), MemAvailable: an estimate of what can be had without swapping.
    """
    metric = "memory_used_ratio"
    if not context.latest(metric):
        yield context.unmeasured("memory", "memory", metric)
        return
    window = context.window(metric, within=context.hour)
    limit = context.config.limits.memory
    mean = float(window["value"].mean())
    severity = judge(mean, limit, critical_above(limit))
    left = context.latest("memory_available_bytes").get("")
    available = f", {quantity(left.value, 'bytes')} available" if left else ""
    yield Finding(
        "memory",
        severity,
        "memory",
        f"{quantity(mean, 'ratio')} in use over {stretch(window)}{available}; the limit is {quantity(limit, 'ratio')}",
        value=mean,
        unit="ratio",
        evidence={
            "threshold": limit,
            "critical": critical_above(limit),
            "n": len(window),
            "peak": float(window["value"].max()),
            "available_bytes": left.value if left else None,
            "source": f"samples: {metric}",
        },
        hint="Find what grows (ps --sort=-rss; the trend of program_memory_bytes)." if severity.exit_code else "",
        ts=window["ts"].iloc[-1].to_pydatetime(),
    )
