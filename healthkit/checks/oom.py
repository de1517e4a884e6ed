"""Has the kernel killed a process because memory ran out?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import stretch
from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 2
LOCAL = False

METRIC = "oom_kills_total"
CRITICAL = 3
"""Kills in 24 hours from which it is no longer an accident."""


def check(context: Context) -> Iterator[Finding]:
    """How far the kernel's counter grew in the last 24 hours; a counter that starts again counts from zero."""
    latest = context.latest(METRIC)
    if not latest:
        yield context.unmeasured("oom", "out of memory", METRIC)
        return
    window = context.window(METRIC)
    counter = window["value"]
    grown = counter.diff()
    kills = float(grown.where(grown >= 0, counter).iloc[1:].sum())
    severity = Severity.OK if kills == 0 else Severity.WARNING if kills < CRITICAL else Severity.CRITICAL
    yield Finding(
        "oom",
        severity,
        "out of memory",
        f"{kills:g} processes killed for lack of memory over {stretch(window)}",
        value=kills,
        evidence={"threshold": 0, "critical": CRITICAL, "n": len(counter), "source": f"samples: {METRIC}"},
        hint="See which and why: journalctl -k --grep 'Out of memory'." if kills else "",
        ts=next(iter(latest.values())).ts,
    )
