"""Could every collector measure? A collector that failed leaves UNKNOWN behind, not an old value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.findings import Finding, Severity
from healthkit.quantities import utc

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"
LOCAL = False

METRIC = "collector_up"


def check(context: Context) -> Iterator[Finding]:
    """The newest `collector_up` of every collector: 1 is OK, 0 is UNKNOWN, and so is none."""
    collectors = context.latest(METRIC)
    if not collectors:
        yield context.unmeasured("collectors", "collectors", METRIC)
    newest = context.window(METRIC).groupby("device", observed=True)["ts"].max()
    for name in sorted(set(newest.index) - set(collectors)):
        yield _unknown(name, f"has not reported since {utc(newest[name].to_pydatetime())}")
    for name, up in sorted(collectors.items()):
        if up.value < 1:
            yield _unknown(name, "failed at its last tick", up.value)
        else:
            yield Finding(
                "collectors",
                Severity.OK,
                name,
                "measured at its last tick",
                value=up.value,
                evidence={"threshold": 1, "source": f"samples: {METRIC}"},
                ts=up.ts,
            )


def _unknown(name: str, what: str, value: float | None = None) -> Finding:
    return Finding(
        "collectors",
        Severity.UNKNOWN,
        name,
        f"{what}: what it measures is not known",
        value=value,
        evidence={"threshold": 1, "source": f"samples: {METRIC}"},
        hint="Run it by hand to see why: healthkit collect NAME.",
    )
