"""The questions of the security audit: those of the checks about security, and those that take too long for a check.

A module of this folder is one question, in the form of a check (`healthkit.checks`); `COMPONENT` is a section of the
audit. Each is required: an audit that could not look has not been passed.
"""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from functools import cache
from importlib import import_module

from healthkit import checks
from healthkit.checks import Question

SHARED = {
    "updates": ("updates", 1),
    "ports": ("network", 2),
    "logins": ("logins", 1),
    "certificates": ("certificates", 1),
    "vulnerabilities": ("dependencies", 1),
}
"""Checks that answer a question of the audit already: its section, and its weight there."""
SHARES: dict[str, float] = {
    "updates": 20,
    "permissions": 25,
    "network": 15,
    "logins": 10,
    "certificates": 10,
    "application": 10,
    "dependencies": 10,
}
"""What each section weighs in the security score."""
TITLES = {
    "updates": "System security updates",
    "permissions": "Users and permissions",
    "network": "Network",
    "logins": "Authentication log",
    "certificates": "Certificates",
    "application": "Configuration and secrets",
    "dependencies": "Python packages",
}
"""Of the sections, in their order; the eighth is the score."""
LIMIT = 79.0
"""What a critical or unknown answer leaves at most: below the score from which the runbook raises an alarm."""


@cache
def questions() -> dict[str, Question]:
    """Every question of the audit, by name."""
    shared = {
        name: replace(checks.load(name), component=section, weight=weight, required=True)
        for name, (section, weight) in SHARED.items()
    }
    here = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    own = {name: _own(name) for name in sorted(here)}
    return shared | own


def _own(name: str) -> Question:
    module = import_module(f"{__name__}.{name}")
    weight = getattr(module, "WEIGHT", 1)
    return Question(name, module.COMPONENT, weight, required=True, local=True, cap=100, ask=module.check)
