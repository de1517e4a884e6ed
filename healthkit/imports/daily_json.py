"""The runbook's own metrics: `metrics/daily-YYYYMMDD.json`, one file a day with one value of each thing.

What the old scripts measured is imported under the name of what it is, which is not always what they called it:

- `cpu_usage` is the share of user time alone, of a moment: `cpu_user_ratio`, not how busy the processors were;
- `response_time` below a millisecond is what a refused connection looks like, so it says nothing, and is left out; of the
  others nobody knows the status of the answer;
- `active_processes` counts command lines that mention the service, that of the script which counts among them:
  `runbook_matching_processes`;
- `health_score` of files that healthkit did not answer followed other rules: `runbook_health_score`.

A file that is no JSON, as they were exactly when a host was busiest, is refused by its name, and the others are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

PATTERN = "daily-[0-9]*.json"
LARGEST = 1 << 20
"""Bytes; these files have a few hundred."""
REFUSED_CONNECTION = 0.001
"""Seconds: faster than any answer over HTTP, as slow as being refused."""
SERVICE = "project-health"
"""Device of the service's metrics, where the configuration names none."""


@dataclass(frozen=True, slots=True)
class Daily:
    """One file that was read."""

    path: Path
    at: datetime
    """When it was measured, UTC or with its zone."""
    measured: Mapping[tuple[str, str], float]
    """By metric and device."""
    left_out: Mapping[str, str]
    """Keys without a usable value, with the reason."""

    def frame(self, host: str) -> pd.DataFrame:
        """Its samples."""
        from healthkit.imports.arrivals import samples_frame

        names = list(self.measured)
        return samples_frame(
            {
                "ts": [round(self.at.timestamp() * 1000)] * len(names),
                "host": host,
                "metric": [metric for metric, _ in names],
                "device": [device for _, device in names],
                "value": list(self.measured.values()),
            }
        )


def daily_json(
    paths: Iterable[Path], *, host: str, service: str = SERVICE, refused: dict[Path, str]
) -> Iterator[pd.DataFrame]:
    """Samples of all files that can be read, those of many days in one frame.

    Args:
        paths: Files.
        host: Whose they are.
        service: Device of the service's metrics.
        refused: Gets the reason for every file that cannot be used.
    """
    import pandas as pd

    frames = []
    for path in paths:
        try:
            frames.append(read(path, service=service).frame(host))
        except SourceError as error:
            refused[path] = str(error)
    if frames:
        yield pd.concat(frames, ignore_index=True)


def files(places: Iterable[Path]) -> Iterator[Path]:
    """The files, and those of the runbook's name in the folders."""
    for place in places:
        yield from sorted(place.glob(PATTERN)) if place.is_dir() else [place]


def read(path: Path, *, service: str = SERVICE) -> Daily:
    """One file.

    Raises:
        SourceError: It cannot be read, is no JSON, or does not say when it was measured.
    """
    body = _body(path)
    at = _moment(body.get("timestamp"), path)
    values: dict[tuple[str, str], float] = {}
    left: dict[str, str] = {}
    for key, metric, device, understand in _KEYS:
        try:
            values[metric, service if device is None else device] = understand(_at(body, key))
        except KeyError:
            left[key] = "is not there"
        except ValueError as error:
            left[key] = str(error)
    for metric, load in zip(("load1", "load5", "load15"), _loads(body), strict=False):
        values[metric, ""] = load
    return Daily(path, at, values, left)


def _body(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST or not path.is_file():
            raise SourceError(f"no file, or larger than {LARGEST} bytes", source=str(path))
        body = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise SourceError(f"no JSON: {error.msg}", source=str(path), line=error.lineno) from error
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot be read: {error}", source=str(path)) from error
    if not isinstance(body, dict):
        raise SourceError("no JSON object", source=str(path))
    return body


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _moment(text: Any, path: Path) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise SourceError(f"timestamp {text!r} is no time", source=str(path)) from error
    if at.tzinfo is None:
        raise SourceError(f"timestamp {text!r} has no time zone", source=str(path))
    return at


def _at(body: Mapping[str, Any], key: str) -> Any:
    part, _, name = key.partition(".")
    section = body.get(part)
    if not isinstance(section, Mapping) or section.get(name) is None:
        raise KeyError(key)
    return section[name]


def _number(value: Any) -> float:
    number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{value!r} is no measured number")
    return number


def _share(value: Any) -> float:
    number = _number(value)
    if number > 100:
        raise ValueError(f"{value!r} is above 100 %")
    return number / 100


def _score(value: Any) -> float:
    return 100 * _share(value)


def _response(value: Any) -> float:
    seconds = _number(value)
    if seconds < REFUSED_CONNECTION:
        raise ValueError(f"{value!r} s is how long a refused connection takes, not an answer")
    return seconds


def _loads(body: Mapping[str, Any]) -> list[float]:
    """Of 1, 5 and 15 minutes, from the text that `uptime` printed; with commas as decimals in some languages."""
    section = body.get("system")
    text = str(section.get("load_average", "")) if isinstance(section, Mapping) else ""
    parts = text.replace(", ", " ").replace(",", ".").split()
    try:
        loads = [_number(part) for part in parts]
    except ValueError:
        return []
    return loads if len(loads) == 3 else []


_KEYS: tuple[tuple[str, str, str | None, Callable[[Any], float]], ...] = (
    ("system.cpu_usage", "cpu_user_ratio", "", _share),
    ("system.memory_usage", "memory_used_ratio", "", _share),
    ("system.disk_usage", "disk_used_ratio", "/", _share),
    ("application.health_score", "runbook_health_score", "", _score),
    ("application.active_processes", "runbook_matching_processes", None, _number),
    ("application.response_time", "http_response_seconds", None, _response),
)
"""Key, metric, device (None: the service) and how its value is understood."""
