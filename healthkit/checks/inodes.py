"""Can every mounted disk hold more files? A disk with space and no inodes is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import critical_above, judge, not_applicable
from healthkit.findings import Finding
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 2
LOCAL = False

METRIC = "inodes_used_ratio"


def check(context: Context) -> Iterator[Finding]:
    """Share of inodes in use now on every mount that has a fixed number of them, against `limits.inodes`."""
    mounts = context.latest(METRIC)
    if not mounts and context.latest("disk_used_ratio"):
        yield not_applicable("inodes", "disks", "no mounted file system has a fixed number of inodes")
    elif not mounts:
        yield context.unmeasured("inodes", "disks", METRIC)
    limit = context.config.limits.inodes
    for mount, used in sorted(mounts.items()):
        severity = judge(used.value, limit, critical_above(limit))
        yield Finding(
            "inodes",
            severity,
            mount,
            f"{quantity(used.value, 'ratio')} of the inodes in use; the limit is {quantity(limit, 'ratio')}",
            value=used.value,
            unit="ratio",
            evidence={"threshold": limit, "critical": critical_above(limit), "source": f"samples: {METRIC}"},
            hint=f"See where the files are: du --inodes -x --max-depth=2 {mount} | sort -n | tail."
            if severity.exit_code
            else "",
            ts=used.ts,
        )
