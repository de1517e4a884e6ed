"""What a Prometheus has kept: its HTTP API, one page of time after the other.

Values are those of `query_range` at the steps, which are multiples of the step since 1970, whatever the range: a second
import of another range meets the first one's samples. A series that went stale has no value there, and none here.
Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from healthkit.errors import ParameterError, SourceError
from healthkit.imports.node_exporter import translate
from healthkit.imports.series import Hosts, RawSeries, to_frame
from healthkit.imports.servers import Server, TooMuchError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

EVERYTHING = '{__name__=~".+"}'
_STEPS = 10_000
"""Points of a series in a page; Prometheus refuses more than 11 000."""
_DAY = 86_400


class _One(msgspec.Struct):
    metric: dict[str, str]
    points: list[tuple[float, str]] = msgspec.field(default_factory=list, name="values")
    histograms: list[Any] = msgspec.field(default_factory=list)


class _Matrix(msgspec.Struct):
    result: list[_One]


class _Answer(msgspec.Struct):
    data: _Matrix


class _Described(msgspec.Struct):
    type: str


class _Metadata(msgspec.Struct):
    data: dict[str, list[_Described]]


def read(
    server: Server,
    *,
    start: datetime,
    end: datetime,
    step: float = 60,
    matches: Sequence[str] = (),
    hosts: Hosts,
    steps: int = _STEPS,
) -> Iterator[pd.DataFrame]:
    """Samples of a time, a frame a page: a page ends with a UTC day at the latest.

    Args:
        server: Whom to ask.
        start: First moment, UTC.
        end: First moment that no longer belongs to it.
        step: Seconds between samples, a whole number.
        matches: Selectors such as `node_load1` or `{job="node"}`; none: every series.
        hosts: Whose a series is.
        steps: Steps a page at most.

    Raises:
        SourceError, ConfigError, ParameterError: As for `Server.ask`; a selector that is none.
    """
    if step < 1 or step != int(step):
        raise ParameterError(f"step {step:g}: whole seconds, at least 1")
    if end <= start:
        raise ParameterError(f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: nothing lies between")
    width = int(step)
    kinds = _kinds(server)
    first, last = -(-int(start.timestamp()) // width) * width, -(-int(end.timestamp()) // width) * width
    waiting = list(reversed(list(_pages(first, last, width, steps))))
    while waiting:
        begin, until = waiting.pop()
        try:
            # One step more before it: shares of time are what grew since the value before.
            series = _query(
                server, matches or [EVERYTHING], first=begin - width, last=until - width, width=width, kinds=kinds
            )
        except TooMuchError:
            middle = begin + (until - begin) // width // 2 * width
            if middle == begin:
                raise
            waiting += [(middle, until), (begin, middle)]
            continue
        frame = to_frame(translate(series, hosts), since=begin * 1000)
        log.info("%s: %d samples", datetime.fromtimestamp(begin, UTC), len(frame))
        yield frame


def _pages(first: int, last: int, width: int, steps: int) -> Iterator[tuple[int, int]]:
    """Ranges of whole steps, from one second up to another, which lie in one UTC day each."""
    while first < last:
        midnight = -(-((first // _DAY + 1) * _DAY) // width) * width
        until = min(first + width * steps, max(midnight, first + width), last)
        yield first, until
        first = until


def _query(
    server: Server, matches: Sequence[str], *, first: int, last: int, width: int, kinds: dict[str, str]
) -> list[RawSeries]:
    """Every series with a value from *first* to *last*, both included, once."""
    found: dict[tuple[tuple[str, str], ...], RawSeries] = {}
    for selector in matches:
        asked = [("query", selector), ("start", str(first)), ("end", str(last)), ("step", str(width))]
        for one in server.ask("/api/v1/query_range", _Answer, asked).data.result:
            key = tuple(sorted(one.metric.items()))
            if key not in found:
                found[key] = _series(server, selector, one, kinds)
    return list(found.values())


def _series(server: Server, selector: str, one: _One, kinds: dict[str, str]) -> RawSeries:
    labels = dict(one.metric)
    name = labels.pop("__name__", "")
    if not name:
        raise SourceError(f"{selector} selects no series but computes values: they have no name", source=server.url)
    if one.histograms:
        raise SourceError(f"{name} is a native histogram: leave it out (--match)", source=server.url)
    ts = np.rint(np.array([at for at, _ in one.points], dtype=np.float64) * 1000).astype(np.int64)
    values = np.array([text for _, text in one.points], dtype=object).astype(np.float64)
    return RawSeries(name, labels, _is_counter(name, kinds), ts, values)


def _kinds(server: Server) -> dict[str, str]:
    """The types that targets told; those that are gone told none, and the name has to do."""
    described = server.ask("/api/v1/metadata", _Metadata).data
    return {name: found[0].type for name, found in described.items() if found}


def _is_counter(name: str, kinds: dict[str, str]) -> bool:
    kind = kinds.get(name)
    if kind in {"counter", "gauge"}:
        return kind == "counter"
    for suffix in ("_bucket", "_count", "_sum"):
        if name.endswith(suffix) and kinds.get(name.removesuffix(suffix)) in {"histogram", "summary"}:
            return True
    return kind != "gaugehistogram" and name.endswith(("_total", "_bucket"))
