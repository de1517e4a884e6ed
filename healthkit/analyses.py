"""The performance analysis of some days of one host: score, response time, CPU and memory, in the runbook's keys.

Scores come from the full checks that were kept; of days without one from the runbook's own files, if they were imported.
What was not measured is None, and `notes` say why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from healthkit.errors import NotEnoughData, StoreError
from healthkit.files import write_atomically
from healthkit.jsons import plain
from healthkit.periods import Period
from healthkit.quantities import digits, quantity
from healthkit.state import State

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.config import Config

Direction = Literal["improving", "declining", "steady"]
TARGET = 85.0
"""The runbook's target of the score."""
COURSE = timedelta(days=28)
"""How far back the trend of the score looks: a week is too short to tell one."""
IMPORTED_SCORE = "runbook_health_score"
"""Metric of the scores in the runbook's own files."""
USER = "cpu_user_ratio"
_METRICS = ("cpu_busy_ratio", USER, "memory_used_ratio", "http_response_seconds", IMPORTED_SCORE)


@dataclass(frozen=True, slots=True)
class Spread:
    """What the values of one thing were."""

    average: float
    minimum: float
    maximum: float
    p95: float
    """Between values that were seen, so never above the largest."""
    n: int
    """Values measured."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Some days of one host."""

    host: str
    start: datetime
    end: datetime
    score: Spread | None
    """0 to 100."""
    trend: Direction | None
    """Of the daily scores of `COURSE`, where it is more than chance; None where too few are known."""
    response: Spread | None
    """Seconds, of all services together."""
    cpu: Spread | None
    """0 to 1."""
    memory: Spread | None
    """0 to 1."""
    recommendations: tuple[str, ...]
    """Each with the number that it follows from."""
    notes: tuple[str, ...]
    """What could not be told, and what a number is not."""

    @property
    def week(self) -> str:
        """The ISO week in which it ends: `2026-W47`."""
        return Period.of("weekly", self.end - timedelta(microseconds=1)).label

    @property
    def span(self) -> str:
        """From when to when, for people."""
        return f"{self.host}, {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}; the trend of the score is {self.trend or 'unknown'}."

    def rows(self) -> list[tuple[str, ...]]:
        """What, average, least, most, 95th percentile and number of values, for a table."""
        things = (
            ("Health score", self.score, ""),
            ("Response time", self.response, "seconds"),
            ("CPU", self.cpu, "ratio"),
            ("Memory", self.memory, "ratio"),
        )
        return [
            (name, *(quantity(v, unit) for v in (s.average, s.minimum, s.maximum, s.p95)), str(s.n))
            if s
            else (name, *["unknown"] * 4, "0")
            for name, s, unit in things
        ]

    def as_dict(self) -> dict[str, Any]:
        """The runbook's keys, shares in per cent as there; null where nothing was measured."""
        cpu, memory = _percent(self.cpu), _percent(self.memory)
        return {
            "period": f"{self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}",
            "week": self.week,
            "host": self.host,
            "health_score": {**_keys(self.score, "average", "min", "max"), "trend": self.trend},
            "response_time": _keys(self.response, "average", "min", "max", "p95"),
            "resource_usage": {
                "cpu_average": cpu and cpu.average,
                "memory_average": memory and memory.average,
                "cpu_peak": cpu and cpu.maximum,
                "memory_peak": memory and memory.maximum,
            },
            "recommendations": list(self.recommendations),
            "notes": list(self.notes),
        }


def analysis(home: Path, *, config: Config, start: datetime, end: datetime) -> Analysis:
    """Analyse the days from *start* up to *end*.

    Args:
        home: The home.
        config: Host and limits.
        start: First moment, UTC.
        end: First moment that no longer belongs to it, UTC.

    Raises:
        StoreError: The samples cannot be read.
    """
    from healthkit.store import load

    notes: list[str] = []
    samples = load(home, hosts=[config.host], metrics=_METRICS, start=end - COURSE, end=end, rates=False)
    samples = samples.dropna(subset=["value"])
    inside = samples[samples["ts"] >= start]
    scores = _scores(home, config.host, samples, end, notes)
    cpu = inside[inside["metric"] == "cpu_busy_ratio"]["value"]
    if cpu.empty and (inside["metric"] == USER).any():
        cpu = inside[inside["metric"] == USER]["value"]
        notes.append("CPU is time in programs only, without kernel, waiting and steal: nothing else was measured")
    made = {
        "score": _spread(scores[scores.index >= start], "health score", notes),
        "response": _spread(inside[inside["metric"] == "http_response_seconds"]["value"], "response time", notes),
        "cpu": _spread(cpu, "CPU", notes),
        "memory": _spread(inside[inside["metric"] == "memory_used_ratio"]["value"], "memory", notes),
    }
    trend = _trend(scores, notes)
    advice = tuple(_recommendations(config, **made))
    return Analysis(config.host, start, end, trend=trend, recommendations=advice, notes=tuple(notes), **made)


def keep(home: Path, made: Analysis) -> Path:
    """Write an analysis where the runbook's readers look for it.

    Raises:
        OSError: It cannot be written.
    """
    path = home / "reports" / "weekly" / f"performance-analysis-{made.week}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(plain(made.as_dict()), indent=2, ensure_ascii=False) + "\n")
    return path


def _scores(home: Path, host: str, samples: pd.DataFrame, end: datetime, notes: list[str]) -> pd.Series[float]:
    """Every score of `COURSE` by its time: of full checks, and of imported files on days that have none."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    try:
        with State(home, timeout=1) as state:
            rows = state.health_reports(host, since=end - COURSE)
    except StoreError as error:
        notes.append(f"scores of full checks cannot be read: {error}")
    kept = {r["ts"]: float(r["overall_score"]) for r in rows if r["overall_score"] is not None and r["ts"] < end}
    days = {when.date() for when in kept}
    old = samples[samples["metric"] == IMPORTED_SCORE]
    imported = {
        ts.to_pydatetime(): float(value)
        for ts, value in zip(old["ts"], old["value"], strict=True)
        if ts.date() not in days
    }
    if imported:
        notes.append(f"{len(imported)} of the scores are of the runbook's own files, whose rules were others")
    found = pd.Series({**imported, **kept}, dtype=float)
    return found.set_axis(pd.to_datetime(found.index, utc=True)).sort_index()


def _spread(values: pd.Series[float], name: str, notes: list[str]) -> Spread | None:
    if values.empty:
        notes.append(f"{name}: not measured")
        return None
    p95 = float(values.quantile(0.95))
    return Spread(float(values.mean()), float(values.min()), float(values.max()), p95, len(values))


def _trend(scores: pd.Series[float], notes: list[str]) -> Direction | None:
    """Of daily means, by the test that `hk.trend` makes; not by the first and the last value."""
    from healthkit.trends import trend

    daily = scores.resample("1D").mean() if len(scores) else scores
    try:
        found = trend(daily)
    except NotEnoughData as error:
        notes.append(f"trend of the score: {error.n} days are known, it takes {error.needed}")
        return None
    ways: dict[str, Direction] = {"rising": "improving", "falling": "declining", "none": "steady"}
    return ways[found.direction]


def _recommendations(
    config: Config, *, score: Spread | None, response: Spread | None, cpu: Spread | None, memory: Spread | None
) -> Iterator[str]:
    from healthkit.quantiles import needed

    limits = config.limits
    # What is too little for a p95 is no average of a period either.
    response, cpu, memory = (one if one and one.n >= needed(95) else None for one in (response, cpu, memory))
    if score and score.average < TARGET:
        yield f"The health score is {digits(score.average)} on average, the target is {digits(TARGET)}: see what costs points (healthkit check)."
    if response and response.p95 > limits.response_seconds:
        worst, allowed = quantity(response.p95, "seconds"), quantity(limits.response_seconds, "seconds")
        yield f"The 95th percentile of the response time is {worst}, the limit {allowed}: see what the service waits for."
    for name, used, limit, what in (
        ("CPU", cpu, limits.cpu, "see which programs use it (top), then scale or optimise"),
        ("Memory", memory, limits.memory, "look for leaks, or add memory"),
    ):
        if used and used.average > limit:
            yield f"{name} is used to {quantity(used.average, 'ratio')} on average, the limit is {quantity(limit, 'ratio')}: {what}."


def _percent(share: Spread | None) -> Spread | None:
    if share is None:
        return None
    return Spread(100 * share.average, 100 * share.minimum, 100 * share.maximum, 100 * share.p95, share.n)


def _keys(spread: Spread | None, *names: str) -> dict[str, float | None]:
    values = (
        {"average": spread.average, "min": spread.minimum, "max": spread.maximum, "p95": spread.p95} if spread else {}
    )
    return {name: values.get(name) for name in names}
