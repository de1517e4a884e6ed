"""Series with labels, as Prometheus has them, and how they become ours: host, metric, device.

- The host is a label, `instance` unless another is named, without its port; or the host that was given.
- A metric that has a name of ours gets it (`node_exporter`); every other one keeps its own.
- The store knows a counter by `_total`: one without gets it (`x_bucket` becomes `x_bucket_total`), and a gauge that has
  it is called `…_total_gauge`.
- The device is the label `device` where that is the only one left, else all of them: `cpu="0",mode="idle"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from healthkit.errors import SourceError
from healthkit.imports.arrivals import samples_frame

if TYPE_CHECKING:
    Times = np.ndarray[Any, np.dtype[np.int64]]
    Values = np.ndarray[Any, np.dtype[np.float64]]

_PORT = re.compile(r"\A(?P<host>\[[^\]]+\]|[^:\[\]]+):\d+\Z")


@dataclass(frozen=True, slots=True)
class RawSeries:
    """One series as the source has it."""

    name: str
    labels: Mapping[str, str]
    """Without the name."""
    counter: bool
    """Whether it only grows, and starts again at a reset."""
    ts: Times
    """Milliseconds since 1970 UTC."""
    numbers: Values

    def __str__(self) -> str:
        return f"{self.name}{{{notation(self.labels)}}}"


@dataclass(frozen=True, slots=True)
class Series:
    """One series as the store has it."""

    host: str
    metric: str
    device: str
    ts: Times
    numbers: Values
    source: str
    """What it was made of."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Whose a series is."""

    default: str
    """Of series without the label."""
    label: str = "instance"
    keep_port: bool = False
    """Whether `web-1:9100` and `web-1:8080` are two hosts."""

    def of(self, labels: Mapping[str, str]) -> str:
        """The host of a series.

        >>> Hosts("here").of({"instance": "web-1:9100"}), Hosts("here").of({"device": "sda"})
        ('web-1', 'here')
        """
        named = labels.get(self.label, "")
        with_port = None if self.keep_port else _PORT.match(named)
        return with_port["host"].strip("[]") if with_port else named or self.default


def notation(labels: Mapping[str, str]) -> str:
    r"""Labels as text, sorted by name.

    >>> notation({"mode": "idle", "cpu": "0"})
    'cpu="0",mode="idle"'
    """
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in labels.items()}
    return ",".join(f'{name}="{escaped[name]}"' for name in sorted(labels))


def own_name(name: str, *, counter: bool) -> str:
    """The name under which a series without a name of ours is kept.

    >>> own_name("http_seconds_bucket", counter=True), own_name("nodes_total", counter=False)
    ('http_seconds_bucket_total', 'nodes_total_gauge')
    """
    total = name.endswith("_total")
    if counter == total:
        return name
    return f"{name}_total" if counter else f"{name}_gauge"


def keep(one: RawSeries, hosts: Hosts) -> Series:
    """A series under its own name."""
    rest = {name: value for name, value in one.labels.items() if name != hosts.label}
    device = rest["device"] if [*rest] == ["device"] else notation(rest)
    metric = own_name(one.name, counter=one.counter)
    return Series(hosts.of(one.labels), metric, device, one.ts, one.numbers, str(one))


def to_frame(series: Iterable[Series], *, since: int | None = None) -> pd.DataFrame:
    """Samples of series, from *since* on (milliseconds).

    Raises:
        SourceError: Two series of the source would be one of the store's, with values for the same moment.
    """
    found = list(series)
    sizes = [len(one.ts) for one in found]
    ts: Times = np.concatenate([np.empty(0, dtype=np.int64), *(one.ts for one in found)])
    measured: Values = np.concatenate([np.empty(0), *(one.numbers for one in found)])
    columns = {
        name: pd.Categorical.from_codes(np.repeat(codes, sizes), pd.Index(names, dtype="str"))
        for name in ("host", "metric", "device")
        for codes, names in [pd.factorize(np.array([getattr(one, name) for one in found], dtype=object))]
    }
    frame = samples_frame({"ts": ts, **columns, "value": measured})
    number = np.repeat(np.arange(len(found)), sizes)
    if since is not None:
        frame, number = frame[ts >= since], number[ts >= since]
    _refuse_twins(frame, number, found)
    return frame


def _refuse_twins(frame: pd.DataFrame, number: Values | Times, found: list[Series]) -> None:
    keys = ["ts", "host", "metric", "device"]
    twins = frame[frame.duplicated(subset=keys, keep=False)]
    if twins.empty:
        return
    first = pd.Series(number, frame.index).loc[twins.index]
    groups = first.groupby([twins[key] for key in keys], observed=True)
    several = groups.transform("min") != groups.transform("max")
    if several.any():
        row = twins.iloc[int(several.to_numpy().argmax())]
        same = first[(twins[keys] == row[keys]).all(axis=1)]
        one, other = (found[int(at)].source for at in (same.min(), same.max()))
        raise SourceError(
            f"{one} and {other} would both be {row['metric']} of {row['host']}. "
            "Choose one (--match), or tell them apart (--keep-port)"
        )
