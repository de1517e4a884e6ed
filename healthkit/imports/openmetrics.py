"""OpenMetrics 1.0 and Prometheus text with timestamps, by the parsers of Prometheus' own client library.

Sources: https://prometheus.io/docs/specs/om/open_metrics_spec/ , https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

import numpy as np

from healthkit.errors import SourceError
from healthkit.imports.arrivals import read_text
from healthkit.imports.node_exporter import translate
from healthkit.imports.series import RawSeries, to_frame

if TYPE_CHECKING:
    import pandas as pd
    from prometheus_client.core import Metric

    from healthkit.imports.series import Hosts

Dialect = Literal["openmetrics", "prometheus"]
AT_ONCE = 1_000_000
"""Samples held before they are written; an error in a smaller file leaves nothing half imported."""
_GROWING = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
_END = 1e11
"""Seconds since 1970 that are no time: the year 5138."""
_Key = tuple[str, tuple[tuple[str, str], ...], bool]


def read(
    file: TextIO,
    *,
    hosts: Hosts,
    dialect: Dialect | None = None,
    at: float | None = None,
    source: str = "",
    most: int = AT_ONCE,
) -> Iterator[pd.DataFrame]:
    """Samples of a text, under the names of the store.

    Args:
        file: The text.
        hosts: Whose a series is.
        dialect: How it is written; None: OpenMetrics if it ends in `# EOF`.
        at: Time of samples without one, seconds since 1970; None: they are refused.
        source: The file's name, for errors.
        most: Samples a frame at most.

    Raises:
        SourceError: Names the line.
    """
    lines = _Lines(read_text(file, source))
    parse = _parser(dialect or ("openmetrics" if lines.ends_in_eof else "prometheus"))
    samples: dict[_Key, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    held = seen = 0
    try:
        for family in parse(lines):
            for name, labels, value, timestamp, *_ in family.samples:
                counter = name.endswith(_GROWING.get(family.type, ())) or _says_so(family.type, name)
                ts, values = samples[name, tuple(sorted(labels.items())), counter]
                seen += 1
                ts.append(_milliseconds(timestamp, at, name))
                values.append(float(value))
                held += 1
            if held >= most:
                yield _frame(samples, hosts)
                samples.clear()
                held = 0
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # What the parsers raise is not always the ValueError that they promise.
        number = lines.of_sample(seen) if isinstance(error, _TimeError) else lines.number
        said = f"{error or 'cannot be understood'}: {lines.text(number)!r}"
        raise SourceError(said, source=source, line=number) from error
    if held:
        yield _frame(samples, hosts)


class _Lines:
    """Lines, and how far a parser has read."""

    def __init__(self, text: str) -> None:
        # Nothing but a line feed ends a line: labels may hold whatever else looks like it.
        self._lines = [f"{line}\n" for line in text.split("\n")]
        if self._lines[-1] == "\n":
            self._lines.pop()
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        for self.number, line in enumerate(self._lines, 1):  # noqa: B020 - the number is what an error wants to know
            yield line

    @property
    def ends_in_eof(self) -> bool:
        """Whether it says that it is whole, as OpenMetrics does."""
        return any(line.rstrip("\n") == "# EOF" for line in self._lines[-1:])

    def of_sample(self, wanted: int) -> int:
        """The line of a sample: a family is handed on as a whole, when the parser is beyond it already."""
        found = [n for n, line in enumerate(self._lines, 1) if line.strip() and not line.lstrip().startswith("#")]
        return found[wanted - 1]

    def text(self, number: int) -> str:
        """A line, short enough to be shown."""
        line = self._lines[number - 1].rstrip("\n") if 0 < number <= len(self._lines) else ""
        return line if len(line) <= 200 else f"{line[:200]}…"


class _TimeError(ValueError):
    """A sample's time is missing, or none."""


def _parser(dialect: Dialect) -> Callable[[Iterable[str]], Iterator[Metric]]:
    if dialect == "openmetrics":
        from prometheus_client.openmetrics.parser import text_fd_to_metric_families as parse
    else:
        from prometheus_client.parser import text_fd_to_metric_families as parse
    return cast("Callable[[Iterable[str]], Iterator[Metric]]", parse)


def _milliseconds(timestamp: Any, at: float | None, name: str) -> int:
    seconds = at if timestamp is None else float(timestamp)
    if seconds is None:
        raise _TimeError(f"{name} has no time: name one for all (--at)")
    if not abs(seconds) < _END:
        raise _TimeError(f"{name}: {seconds:g} is no time in seconds")
    return round(seconds * 1000)


def _says_so(kind: str, name: str) -> bool:
    """Whether a series of no known type is a counter by its name."""
    return kind in {"unknown", "untyped"} and name.endswith("_total")


def _frame(samples: dict[_Key, tuple[list[int], list[float]]], hosts: Hosts) -> pd.DataFrame:
    series: list[Any] = [
        RawSeries(name, dict(labels), counter, np.array(ts, dtype=np.int64), np.array(values, dtype=np.float64))
        for (name, labels, counter), (ts, values) in samples.items()
    ]
    return to_frame(translate(series, hosts))
