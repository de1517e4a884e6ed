"""Is the clock right? Certificates, logs, backups and every age in this report hang on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import judge
from healthkit.findings import Finding, Severity
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"
LOCAL = False

OFFSET = (0.5, 10.0)
"""Seconds off: warning, critical."""
HINT = "Install and start chrony or systemd-timesyncd, and let it reach a time server."


def check(context: Context) -> Iterator[Finding]:
    """Whether the kernel's clock is synchronised, and how far it is off."""
    synchronised = context.latest("clock_synchronised").get("")
    if synchronised is None:
        yield context.unmeasured("clock", "clock", "clock_synchronised")
    else:
        good = synchronised.value >= 1
        yield Finding(
            "clock",
            Severity.OK if good else Severity.WARNING,
            "synchronised",
            "the kernel says it is" if good else "the kernel says it is not",
            value=synchronised.value,
            evidence={"threshold": 1, "source": "samples: clock_synchronised"},
            hint="" if good else HINT,
            ts=synchronised.ts,
        )
    offset = context.latest("clock_offset_seconds").get("")
    if offset is not None:
        severity = judge(abs(offset.value), *OFFSET)
        yield Finding(
            "clock",
            severity,
            "offset",
            f"{quantity(offset.value, 'seconds')} off",
            value=offset.value,
            unit="seconds",
            evidence={"threshold": OFFSET[0], "critical": OFFSET[1], "source": "samples: clock_offset_seconds"},
            hint=HINT if severity.exit_code else "",
            ts=offset.ts,
        )
