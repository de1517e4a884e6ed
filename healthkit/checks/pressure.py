"""Does work stand still for lack of CPU, memory or I/O? The kernel's pressure stall information."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.checks._context import judge_mean, not_applicable, stretch
from healthkit.findings import Finding
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
LOCAL = False

LIMITS = {
    "cpu_pressure_some_ratio": (0.5, 0.8, "some task waited for a CPU"),
    "memory_pressure_full_ratio": (0.05, 0.2, "all tasks waited for memory"),
    "io_pressure_full_ratio": (0.2, 0.5, "all tasks waited for I/O"),
}
"""Share of time: warning, critical, and what it means."""


def check(context: Context) -> Iterator[Finding]:
    """Mean over the last hour of each pressure.

    Source: https://docs.kernel.org/accounting/psi.html
    """
    if context.local and not context.path("/proc/pressure").is_dir():
        yield not_applicable("pressure", "pressure", "this kernel does not tell (no /proc/pressure)")
        return
    for metric, (warning, critical, meaning) in LIMITS.items():
        if not context.latest(metric):
            yield context.unmeasured("pressure", metric.partition("_")[0], metric)
            continue
        window = context.window(metric, within=context.hour)
        mean = float(window["value"].mean())
        severity = judge_mean(window, warning, critical)
        yield Finding(
            "pressure",
            severity,
            metric.partition("_")[0],
            f"{meaning} {quantity(mean, 'ratio')} of {stretch(window)}; the limit is {quantity(warning, 'ratio')}",
            value=mean,
            unit="ratio",
            evidence={"threshold": warning, "critical": critical, "n": len(window), "source": f"samples: {metric}"},
            hint="Work stands still: reduce what runs at the same time, or add capacity." if severity.exit_code else "",
            ts=window["ts"].iloc[-1].to_pydatetime(),
        )
