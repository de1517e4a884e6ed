"""Limits that are reached soon: a finding of each, so that a report that has a date also weighs it.

Checks judge what was measured, and alone make the score. A forecast costs no points; it is a warning, because whoever reads
that nothing needs a hand does not look for a date further down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from healthkit.capacity.resources import RESOURCES
from healthkit.findings import Finding, Severity
from healthkit.quantities import quantity
from healthkit.schema import title

if TYPE_CHECKING:
    from healthkit.capacity.results import Capacity
    from healthkit.capacity.rows import CapacityRow

CHECK = "forecast"
"""What such a finding is of: no check has this name."""
_OF = {resource.metric: resource for resource in RESOURCES}


def approaches(plan: Capacity, known: Iterable[Finding], *, within: float) -> Iterator[Finding]:
    """A warning of every limit that is expected to be reached, unless a check warns of the same resource already.

    Args:
        plan: The forecasts.
        known: What the checks say.
        within: Days.
    """
    bad = [finding for finding in known if finding.severity in (Severity.CRITICAL, Severity.WARNING)]
    for row in plan.rows:
        if row.state == "reaches" and (row.days or 0) <= within and not any(_warns(one, row) for one in bad):
            yield _finding(row)


def tells(finding: Finding, row: CapacityRow) -> bool:
    """Whether *finding* says of this resource that its limit is or will be reached."""
    same = finding.host == row.host and row.device in ("", finding.subject)
    return same and (
        finding.check == _OF[row.metric].limit
        or (finding.check == CHECK and finding.evidence.get("metric") == row.metric)
    )


def _warns(finding: Finding, row: CapacityRow) -> bool:
    """Whether a check says so; of a disk also the one that counts days until it is full."""
    full = finding.check == "headroom" and row.metric == "disk_used_ratio"
    return tells(finding, row) or (full and finding.host == row.host and finding.subject == row.device)


def _finding(row: CapacityRow) -> Finding:
    name = title(row.metric)
    subject = row.device or name
    what = f"{name} expected" if row.device else "expected"
    return Finding(
        CHECK,
        Severity.WARNING,
        subject,
        f"{what} to reach the limit, {quantity(row.limit, row.unit)}, on {row.crossing}",
        value=row.days,
        unit="days",
        evidence={
            "metric": row.metric,
            "threshold": row.limit,
            "now": row.value,
            "days_lower": row.days_lower,
            "days_upper": row.days_upper,
            "interval": "80 %",
            "points": "none: the score is of what was measured",
        },
        hint=_OF[row.metric].remedy.format(subject),
        host=row.host,
    )
