"""What is measured: metrics, readings, samples, and the meaning of their names.

Names follow Prometheus: base units as a suffix (`_bytes`, `_seconds`, `_ratio` from 0 to 1), `_total` for counters. The
name alone tells unit, kind and bounds, so a metric that somebody else's collector writes needs no registration.
Source: https://prometheus.io/docs/practices/naming/

The collectors import this module and nothing above it: standard library only.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from healthkit.errors import ParameterError

SCHEMA_VERSION = 1
COLUMNS = ("ts", "host", "metric", "device", "value")
"""The five columns of every sample, for ever: a new collector never changes a schema."""

Kind = Literal["gauge", "counter"]
_NAME = re.compile(r"[a-z_:][a-z0-9_:]*\Z")
_UNITS = ("bytes", "seconds", "ratio", "celsius", "days")


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that a collector measures.

    Raises:
        ParameterError: The name breaks the naming rule, or `_total` and kind disagree.
    """

    name: str
    """Lower-case, base unit as a suffix: `disk_used_bytes`."""
    kind: Kind
    """`gauge`: may go up and down. `counter`: only grows, and starts again at a reset."""
    help: str
    """One sentence for people."""

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ParameterError(f"metric name {self.name!r}: use lower-case letters, digits and _")
        if kind(self.name) != self.kind:
            raise ParameterError(f"metric {self.name}: a counter ends in _total, a gauge does not")

    @property
    def unit(self) -> str:
        """`bytes`, `seconds`, `ratio`, ... or empty for a plain number; of a counter: of what it counts."""
        return unit(self.name)

    @property
    def limits(self) -> tuple[float, float]:
        """What the value can never be below and above."""
        return limits(self.name)


class Reading(NamedTuple):
    """What a collector yields."""

    metric: str
    value: float
    device: str = ""


class Sample(NamedTuple):
    """A reading with its time and host: one row of the store."""

    ts: int
    """Milliseconds since 1970-01-01 UTC."""
    host: str
    metric: str
    device: str
    """The disk, mount, NIC, URL or file that the sample is about; empty for the host as a whole."""
    value: float


def kind(metric: str) -> Kind:
    """Counter or gauge, by name.

    >>> kind("network_receive_bytes_total")
    'counter'
    """
    return "counter" if metric.endswith("_total") else "gauge"


def unit(metric: str) -> str:
    """The base unit in a metric's name; empty for a plain number.

    >>> unit("disk_used_ratio"), unit("network_receive_bytes_total"), unit("load1")
    ('ratio', 'bytes', '')
    """
    last = metric.removesuffix("_total").rpartition("_")[2]
    return last if last in _UNITS else ""


def rate_unit(metric: str) -> str:
    """The unit of a metric's values as `load` returns them: counters become rates per second.

    Seconds per second are a ratio: CPU seconds of one core, say.

    >>> rate_unit("network_receive_bytes_total"), rate_unit("disk_io_seconds_total"), rate_unit("disk_used_bytes")
    ('bytes/s', 'ratio', 'bytes')
    """
    base = unit(metric)
    if kind(metric) == "gauge":
        return base
    return "ratio" if base == "seconds" else f"{base}/s" if base else "1/s"


def limits(metric: str) -> tuple[float, float]:
    """Bounds that no value of this metric, and so no forecast of it, can leave.

    >>> limits("disk_used_ratio"), limits("disk_used_bytes")
    ((0.0, 1.0), (0.0, inf))
    """
    base = unit(metric)
    if base == "celsius" or metric in SIGNED:
        return (-math.inf, math.inf)
    return (0.0, 1.0) if base == "ratio" else (0.0, math.inf)


SIGNED = frozenset({"clock_offset_seconds", "tls_certificate_left_days"})
"""Metrics that may be negative although their unit is not."""


SIMULATED = "host_simulated"
"""1 in every tick of a host that does not exist: whatever is made of its samples says so."""


def title(metric: str) -> str:
    """The name for people: without underscores and unit.

    >>> title("memory_available_bytes")
    'Memory available'
    """
    words = metric.removesuffix("_total")
    base = unit(metric)
    words = (words.removesuffix(f"_{base}") if base else words).replace("_", " ")
    for name in ("cpu", "io", "tls", "http", "oom", "psi"):
        words = re.sub(rf"\b{name}\b", {"io": "I/O"}.get(name, name.upper()), words)
    return words[:1].upper() + words[1:]
