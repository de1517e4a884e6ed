"""Observe: one file a collector, each yields readings.

A collector is a module in this folder with

- a docstring whose first line says what it measures,
- `METRICS`, a tuple of every `Metric` it may yield,
- `collect(...)`, which yields one `Reading` a value; whatever it looks at comes in by argument, with a default,
- where it keeps something from tick to tick (descriptors, counters, running probes): `watch(world)`, which returns a
  callable that yields the readings of one tick. Without it, the resident loop calls `collect()`.

Adding a collector is adding a file: nothing registers it. Collectors import `healthkit.schema`, `healthkit.errors`,
psutil and the standard library, so that the resident process stays small.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

from healthkit.errors import ParameterError

_NOT_COLLECTORS = {
    "answers",
    "bells",
    "certificates",
    "children",
    "mounts",
    "probes",
    "procfs",
    "resident",
    "schedules",
    "worlds",
}

__all__ = ["load", "names"]


def names() -> list[str]:
    """Names of all collectors, sorted; none is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_COLLECTORS)


def load(name: str) -> ModuleType:
    """The module of a collector.

    Raises:
        ParameterError: There is no collector of that name.
    """
    if name not in names():
        raise ParameterError(f"no collector {name!r}: there are {', '.join(names())}")
    return import_module(f"{__name__}.{name}")
