"""`--analyze-performance FILE`: a metrics file of a day, judged by the limits and by what is usual on this host."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.analyses import IMPORTED_SCORE
from healthkit.config import Config, load_config
from healthkit.errors import HealthkitError
from healthkit.findings import Finding, Findings, Severity
from healthkit.imports.daily_json import SERVICE, Daily, read
from healthkit.quantities import quantity
from healthkit.runbook.answers import lines
from healthkit.schema import title, unit

if TYPE_CHECKING:
    from argparse import Namespace

    import pandas as pd

HISTORY = timedelta(days=28)
"""What is usual is what was seen in so many days before the day of the file."""
NEEDED = 14
"""Days of it that it takes to say what is usual."""
GROWTH = 1.2
"""The runbook's factor: less than that is not a rise."""
_FLOOR = {"ratio": 0.05, "seconds": 0.05}
"""A rise smaller than this is nobody's business, by unit; of other numbers 1."""
_THRESHOLD = 80.0
"""The runbook's threshold of the score."""


def analyze_performance(home: Path, asked: Namespace) -> int:
    """One line a value, and its samples into the store. Exit code 1, naming the place, where the file is no metrics file."""
    config = load_config(home)
    service = config.services[0].name if config.services else SERVICE
    daily = read(asked.analyze_performance, service=service)
    try:
        past = _past(home, config.host, daily)
        _keep(home, config.host, daily)
    except (HealthkitError, OSError) as error:
        sys.stderr.write(f"healthkit: the store: {error}\n")
        past = {}
    findings = Findings([*_judged(daily, config, past), *_unknown(daily)])
    sys.stdout.write(lines(findings))
    worst = findings.of(Severity.WARNING, Severity.CRITICAL)
    told = len(findings) - len(findings.of(Severity.UNKNOWN))
    sys.stdout.write(
        f"{daily.at:%Y-%m-%d %H:%M}: {told} values measured, {len(worst)} of them unusual or above a limit\n"
    )
    return 0


def _keep(home: Path, host: str, daily: Daily) -> None:
    from healthkit.imports import bring_in

    bring_in(home, [daily.frame(host)])


def _past(home: Path, host: str, daily: Daily) -> dict[tuple[str, str], pd.Series[float]]:
    """Daily means before the day of the file, by metric and device."""
    from healthkit.store import load_rollup

    day = daily.at.replace(hour=0, minute=0, second=0, microsecond=0)
    metrics = sorted({metric for metric, _ in daily.measured})
    rows = load_rollup(home, hosts=[host], metrics=metrics, start=day - HISTORY, end=day)
    return {(str(m), str(d)): part["mean"] for (m, d), part in rows.groupby(["metric", "device"], observed=True)}


def _limits(config: Config) -> dict[str, float]:
    """Where a value becomes a warning; the share of user time alone is held to the limit of all of it."""
    limits = config.limits
    return {
        "cpu_user_ratio": limits.cpu,
        "memory_used_ratio": limits.memory,
        "disk_used_ratio": limits.disk,
        "http_response_seconds": limits.response_seconds,
    }


def _judged(daily: Daily, config: Config, past: dict[tuple[str, str], pd.Series[float]]) -> Iterator[Finding]:
    limits = _limits(config)
    for (metric, device), value in daily.measured.items():
        what = unit(metric)
        wrong = []
        if value > limits.get(metric, math.inf):
            wrong.append(f"above the limit of {quantity(limits[metric], what)}")
        if metric == IMPORTED_SCORE:
            wrong += [f"below the threshold of {_THRESHOLD:g}"] if value < _THRESHOLD else []
            usual = ""
        else:
            usual, unusual = _usual(past.get((metric, device)), value, what)
            wrong += [unusual] if unusual else []
        message = "; ".join(filter(None, [", ".join([quantity(value, what), *wrong]), usual]))
        severity = Severity.WARNING if wrong else Severity.OK
        yield Finding("performance", severity, f"{title(metric)} {device}".strip(), message, value=value, unit=what)


def _usual(days: pd.Series[float] | None, value: float, what: str) -> tuple[str, str]:
    """What is usual, in words, and how the value differs from it, if it does.

    The unusual begins above 1.2 times the median and three robust standard deviations (1.4826 MAD), and by a step that
    matters.
    """
    known = 0 if days is None else int(days.notna().sum())
    if days is None or known < NEEDED:
        return f"what is usual is not known: {known} of {NEEDED} days measured", ""
    median = float(days.median())
    spread = 1.4826 * float((days - median).abs().median())
    highest = max(GROWTH * median, median + 3 * spread, median + _FLOOR.get(what, 1.0))
    return f"usual is {quantity(median, what)}", "unusually much" if value > highest else ""


def _unknown(daily: Daily) -> Iterator[Finding]:
    for key, reason in daily.left_out.items():
        yield Finding("performance", Severity.UNKNOWN, key, reason)
