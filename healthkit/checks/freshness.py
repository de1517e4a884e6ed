"""Is the host still being measured? Age of the newest sample, and gaps in the last 24 hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit.checks._context import RECENT
from healthkit.findings import Finding, Severity
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"
WEIGHT = 2
REQUIRED = True
LOCAL = False

STALE = timedelta(hours=1)
"""Age from which nothing that the samples say is about now."""
GAPS = 0.05
"""Share of the last 24 hours that may lie in gaps."""
HINT = "See whether the collector runs (systemctl status healthkit-collect) and can write (df, healthkit store verify)."


def check(context: Context) -> Iterator[Finding]:
    """Age against `collect.every`; gaps as time without a tick beyond three intervals, its own or the configured."""
    ticks = context.samples["ts"]
    ticks = ticks[(ticks > context.now - RECENT) & (ticks <= context.now)].drop_duplicates().sort_values()
    if ticks.empty:
        why = "no sample in the last 24 hours"
        yield Finding("freshness", Severity.UNKNOWN, "samples", why, evidence={"source": "samples"}, hint=HINT)
        return
    newest = ticks.iloc[-1].to_pydatetime()
    age = context.now - newest
    severity = Severity.OK if age <= context.fresh else Severity.WARNING if age <= STALE else Severity.CRITICAL
    yield Finding(
        "freshness",
        severity,
        "newest sample",
        f"{quantity(age.total_seconds(), 'seconds')} old",
        value=age.total_seconds(),
        unit="seconds",
        evidence={"threshold": context.fresh.total_seconds(), "critical": STALE.total_seconds(), "source": "samples"},
        hint=HINT if severity.exit_code else "",
        ts=newest,
    )
    apart = ticks.diff().iloc[1:]
    rhythm = float(apart.dt.total_seconds().median()) if len(apart) else 0.0  # cron may ask less often than configured
    usual = timedelta(seconds=3 * max(rhythm, float(context.config.collect.every)))
    missing = sum(apart[apart > usual] - usual / 3, timedelta())
    span = ticks.iloc[-1] - ticks.iloc[0]
    share = float(missing / span) if span else 0.0
    gaps = int((apart > usual).sum())
    yield Finding(
        "freshness",
        Severity.WARNING if share > GAPS else Severity.OK,
        "gaps",
        f"{gaps} in the last 24 hours, {quantity(share, 'ratio')} of the time",
        value=share,
        unit="ratio",
        evidence={"threshold": GAPS, "gaps": gaps, "span_seconds": span.total_seconds(), "source": "samples"},
        hint=HINT if share > GAPS else "",
    )
