"""Does the host live on swap?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import critical_above, judge, not_applicable
from healthkit.findings import Finding
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
LOCAL = False


def check(context: Context) -> Iterator[Finding]:
    """Swap in use now, against `limits.swap`. A host without swap has nothing to judge."""
    total = context.latest("swap_total_bytes").get("")
    if total is not None and total.value == 0:
        yield not_applicable("swap", "swap", "this host has no swap")
        return
    used = context.latest("swap_used_ratio").get("")
    if used is None:
        yield context.unmeasured("swap", "swap", "swap_used_ratio")
        return
    limit = context.config.limits.swap
    severity = judge(used.value, limit, critical_above(limit))
    yield Finding(
        "swap",
        severity,
        "swap",
        f"{quantity(used.value, 'ratio')} of the swap is in use; the limit is {quantity(limit, 'ratio')}",
        value=used.value,
        unit="ratio",
        evidence={"threshold": limit, "critical": critical_above(limit), "source": "samples: swap_used_ratio"},
        hint="Pages are on disk that were in use once: see what is large (smem -t) and the memory pressure."
        if severity.exit_code
        else "",
        ts=used.ts,
    )
