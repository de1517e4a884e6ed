"""Honest health reports for servers.

The front door: every public name, loaded when it is first used (PEP 562), so that `import healthkit` costs no pandas.
Everything not listed here is free to change.

>>> import healthkit as hk
>>> hk.Period.parse("2026-W47").start.isoformat()
'2026-11-16T00:00:00+00:00'
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healthkit.checks import check
    from healthkit.demo import demo_data
    from healthkit.detections import anomalies
    from healthkit.findings import Finding, Findings, Severity
    from healthkit.forecasts import Forecast, forecast
    from healthkit.periods import Period
    from healthkit.procedures import Run, run
    from healthkit.quantiles import Percentiles, percentiles
    from healthkit.reviews import Review, review
    from healthkit.schema import Metric, Reading, Sample
    from healthkit.scores import HealthScore, health_score
    from healthkit.store import load, load_rollup, select
    from healthkit.trends import Trend, trend

_HOME_OF = {
    "Finding": "findings",
    "Findings": "findings",
    "Forecast": "forecasts",
    "HealthScore": "scores",
    "Metric": "schema",
    "Percentiles": "quantiles",
    "Period": "periods",
    "Reading": "schema",
    "Review": "reviews",
    "Run": "procedures",
    "Sample": "schema",
    "Severity": "findings",
    "Trend": "trends",
    "anomalies": "detections",
    "check": "checks",
    "demo_data": "demo",
    "forecast": "forecasts",
    "health_score": "scores",
    "load": "store",
    "load_rollup": "store",
    "percentiles": "quantiles",
    "review": "reviews",
    "run": "procedures",
    "select": "store",
    "trend": "trends",
}

__all__ = [
    "Finding",
    "Findings",
    "Forecast",
    "HealthScore",
    "Metric",
    "Percentiles",
    "Period",
    "Reading",
    "Review",
    "Run",
    "Sample",
    "Severity",
    "Trend",
    "anomalies",
    "check",
    "demo_data",
    "forecast",
    "health_score",
    "load",
    "load_rollup",
    "percentiles",
    "review",
    "run",
    "select",
    "trend",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOME_OF:
        return getattr(import_module(f"healthkit.{_HOME_OF[name]}"), name)
    msg = f"module 'healthkit' has no attribute {name!r}"
    raise AttributeError(msg)


@cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # e-mail parsers and all: 5 MB in a resident process

    try:
        return version("project-healthkit")
    except PackageNotFoundError:  # run from a bare checkout
        return "0+unknown"


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
