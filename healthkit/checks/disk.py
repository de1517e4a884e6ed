"""Is there space on every mounted disk? As `df` counts: what only root may use is not free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import critical_above, judge
from healthkit.findings import Finding
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 5
REQUIRED = True
LOCAL = False


def check(context: Context) -> Iterator[Finding]:
    """Share in use now of every mount, against `limits.disk`."""
    metric = "disk_used_ratio"
    mounts = context.latest(metric)
    if not mounts:
        yield context.unmeasured("disk", "disks", metric)
    limit = context.config.limits.disk
    left = context.latest("disk_available_bytes")
    for mount, used in sorted(mounts.items()):
        severity = judge(used.value, limit, critical_above(limit))
        free = f", {quantity(left[mount].value, 'bytes')} left" if mount in left else ""
        yield Finding(
            "disk",
            severity,
            mount,
            f"{quantity(used.value, 'ratio')} in use{free}; the limit is {quantity(limit, 'ratio')}",
            value=used.value,
            unit="ratio",
            evidence={
                "threshold": limit,
                "critical": critical_above(limit),
                "available_bytes": left[mount].value if mount in left else None,
                "source": f"samples: {metric}",
            },
            hint=f"See what is large: du -xh --max-depth=2 {mount} | sort -h | tail." if severity.exit_code else "",
            ts=used.ts,
        )
