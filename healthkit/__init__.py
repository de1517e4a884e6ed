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
    from healthkit.findings import Finding, Findings, Severity
    from healthkit.periods import Period
    from healthkit.schema import Metric, Reading, Sample

_HOME_OF = {
    "Finding": "findings",
    "Findings": "findings",
    "Metric": "schema",
    "Period": "periods",
    "Reading": "schema",
    "Sample": "schema",
    "Severity": "findings",
}

__all__ = ["Finding", "Findings", "Metric", "Period", "Reading", "Sample", "Severity"]


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
