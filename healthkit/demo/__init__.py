"""A simulated fleet with known truth: for a first look, and for tests that must know the right answer.

Web, database and cache hosts with the rhythm of a day and of a week and autocorrelated noise; and in it, once each, what
reports are read for: a disk that fills, a deployment that cost CPU, a day without data, an outage, a certificate that
runs out, a reboot. `demo_truth` says where, when and how much.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from healthkit.demo.truth import GROUP, ROLES, DemoTruth, demo_truth, host_names

if TYPE_CHECKING:
    from healthkit.demo.homes import demo_data, write_demo

__all__ = ["GROUP", "ROLES", "DemoTruth", "demo_data", "demo_truth", "host_names", "write_demo"]


def __getattr__(name: str) -> Any:
    if name in {"demo_data", "write_demo"}:  # they need pandas
        return getattr(import_module("healthkit.demo.homes"), name)
    msg = f"module 'healthkit.demo' has no attribute {name!r}"
    raise AttributeError(msg)
