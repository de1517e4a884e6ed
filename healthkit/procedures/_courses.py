"""Trends of the last month: of every resource with a limit on every host, and of each host's score."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import StoreError
from healthkit.quantities import difference
from healthkit.schema import rate_unit, title
from healthkit.state import State

if TYPE_CHECKING:
    import numpy as np

    from healthkit.trends.results import TrendBatch

    Array = np.ndarray[Any, np.dtype[np.float64]]

DAYS = 30
"""Days of a month's trend."""
NEEDED = 13
"""Days that a trend takes beside its weekdays."""
SCORE = "health score"


@dataclass(frozen=True, slots=True)
class Course:
    """How one daily number moved over the month."""

    host: str
    metric: str
    device: str
    unit: str
    slope: float
    """Per day; NaN with too few days."""
    lower: float
    """Lower end of the 95 % interval of `slope`."""
    upper: float
    p_value: float
    significant: bool
    """More than chance, among all the series that were looked at, and no level shift explains it as well."""
    ambiguous: bool
    """A level shift explains it as well."""
    n: int
    """Days measured."""
    unknown: str = ""
    """Why it could not be told; empty where it could."""

    @property
    def subject(self) -> str:
        """Host, and what it is about."""
        name = self.metric if self.metric == SCORE else title(self.metric)
        return " ".join(filter(None, (self.host, self.device, name.lower() if self.device else name)))

    @property
    def worse(self) -> bool:
        """Whether it moves the way nobody wants: scores down, everything else up."""
        return self.slope < 0 if self.metric == SCORE else self.slope > 0

    @property
    def movement(self) -> str:
        """What there is to say, without the subject and a full stop."""
        if self.unknown:
            return self.unknown
        slope, low, high = (difference(v * DAYS, self.unit) for v in (self.slope, self.lower, self.upper))
        numbers = f"{slope} a month (95 % interval {low} to {high}, p = {self.p_value:.2g}, {self.n} days)"
        if self.ambiguous:
            return f"shift or trend, cannot tell: {numbers}"
        way = "rises" if self.slope > 0 else "falls"
        return f"{way}: {numbers}" if self.significant else f"no trend beyond chance: {numbers}"

    @property
    def sentence(self) -> str:
        """Subject and movement."""
        return f"{self.subject}: {self.movement}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"subject": self.subject, "movement": self.movement}

    def __str__(self) -> str:
        return self.sentence


def courses(home: Path, *, now: datetime) -> list[Course]:
    """Of the whole days of the last month, what moves most surely first.

    Raises:
        StoreError: The samples cannot be read.
    """
    import numpy as np

    from healthkit import store
    from healthkit.capacity.resources import RESOURCES, daily
    from healthkit.trends import trend_many

    end = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=DAYS)
    rollup = store.load_rollup(home, metrics=[r.metric for r in RESOURCES], start=start, end=end)
    series = daily(rollup, end)
    keys = [(host, resource.metric, device) for host, device, resource in series.keys]
    past = np.full((len(keys), DAYS), np.nan)
    width = min(series.past.shape[1], DAYS)
    past[:, DAYS - width :] = series.past[:, series.past.shape[1] - width :]
    scores = _scores(home, start, end)
    keys += [(host, SCORE, "") for host in scores]
    values = np.concatenate([past, *(row[None] for row in scores.values())]) if scores else past
    if not len(values):
        return []
    batch = trend_many(values, season=7)
    sure = beyond_chance(batch.p_value, batch.alpha)
    found = [_course(key, batch, i, sure=bool(sure[i] and not batch.ambiguous[i])) for i, key in enumerate(keys)]
    return sorted(found, key=lambda c: (bool(c.unknown), c.p_value if math.isfinite(c.p_value) else 2, c.subject))


def beyond_chance(p_values: Array, share: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of many tests say more than chance would: at most *share* of those named are false ones.

    Source: Benjamini and Hochberg (1995), JRSS B 57, 289-300.
    """
    import numpy as np

    known = np.sort(p_values[np.isfinite(p_values)])
    passed = np.flatnonzero(known <= share * np.arange(1, len(known) + 1) / max(len(known), 1))
    bound = known[passed[-1]] if len(passed) else -1.0
    named: np.ndarray[Any, np.dtype[np.bool_]] = p_values <= bound
    return named


def _course(key: tuple[str, str, str], batch: TrendBatch, i: int, *, sure: bool) -> Course:
    n = int(batch.n[i])
    unit = "" if key[1] == SCORE else rate_unit(key[1])
    slope, lower, upper, p = (float(a[i]) for a in (batch.slope, batch.lower, batch.upper, batch.p_value))
    unknown = "" if math.isfinite(slope) else f"cannot tell: {n} days measured, a trend needs {NEEDED} at least"
    return Course(*key, unit, slope, lower, upper, p, sure, bool(batch.ambiguous[i]), n, unknown)


def _scores(home: Path, start: datetime, end: datetime) -> dict[str, Array]:
    """The last score of each day, of every host that was checked; none while the records cannot be read."""
    import numpy as np

    found: dict[str, Array] = {}
    try:
        with State(home) as state:
            rows = state.records("health_reports", since=start, until=end, cadence=None)
    except StoreError:
        return {}
    for row in reversed(rows):
        if row["overall_score"] is not None and row["host"]:
            day = (row["ts"] - start).days
            found.setdefault(str(row["host"]), np.full(DAYS, np.nan))[day] = row["overall_score"]
    return dict(sorted(found.items()))
