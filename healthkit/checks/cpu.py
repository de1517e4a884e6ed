"""Is there CPU time to spare? Busy time with everything in it, steal, and waiting for disks.

Busy is 1 - idle - iowait over the whole interval between two samples, so that system and stolen time count; `top`'s
first `us` figure knows neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import critical_above, judge_mean, stretch
from healthkit.findings import Finding
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 4
REQUIRED = True
LOCAL = False

IOWAIT = (0.3, 0.6)
"""Share of time with all work waiting for a disk: warning, critical."""
STEAL = (0.1, 0.3)
"""Share of time that the hypervisor gave to others: warning, critical."""


def check(context: Context) -> Iterator[Finding]:
    """Mean over the last hour of busy, iowait and steal, against `limits.cpu` and fixed limits."""
    limit = context.config.limits.cpu
    asked = (
        ("busy", "cpu_busy_ratio", (limit, critical_above(limit)), "Find the process (top, pidstat); scale, or tune."),
        ("waiting for disks", "cpu_iowait_ratio", IOWAIT, "Find what reads and writes (iotop, pidstat -d)."),
        ("stolen", "cpu_steal_ratio", STEAL, "The hypervisor is overcommitted: move the machine or take a larger one."),
    )
    for name, metric, (warning, critical), hint in asked:
        window = context.window(metric, within=context.hour)
        if not context.latest(metric):
            if metric == "cpu_busy_ratio":
                yield context.unmeasured("cpu", "CPU", metric)
            continue
        mean = float(window["value"].mean())
        severity = judge_mean(window, warning, critical)
        yield Finding(
            "cpu",
            severity,
            f"CPU {name}",
            f"{quantity(mean, 'ratio')} of the time over {stretch(window)}; the limit is {quantity(warning, 'ratio')}",
            value=mean,
            unit="ratio",
            evidence={
                "threshold": warning,
                "critical": critical,
                "n": len(window),
                "peak": float(window["value"].max()),
                "source": f"samples: {metric}",
            },
            hint=hint if severity.exit_code else "",
            ts=window["ts"].iloc[-1].to_pydatetime(),
        )
