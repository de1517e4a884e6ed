"""How the daily numbers of a time moved: every resource with a limit on every host, and each host's score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.quantities import chance, counted, difference
from healthkit.schema import rate_unit, title
from healthkit.state import State

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from healthkit.trends.results import TrendBatch

    Array = np.ndarray[Any, np.dtype[np.float64]]

MONTH = 30
"""Days that a slope is told for."""
NEEDED = 13
"""Days that a trend takes beside its weekdays."""
SCORE = "health score"


@dataclass(frozen=True, slots=True)
class Movement:
    """How one daily number moved."""

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
    shifts: int = 0
    """Level shifts found beside the slope, which is what moves between them."""
    shifted: float = 0.0
    """What they change together."""

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
        slope, low, high = (difference(v * MONTH, self.unit) for v in (self.slope, self.lower, self.upper))
        numbers = f"{slope} a month{self.beside} (95 % interval {low} to {high}, {chance(self.p_value)}, {self.n} days)"
        if self.ambiguous:
            return f"shift or trend, cannot tell: {numbers}"
        way = "rises" if self.slope > 0 else "falls"
        return f"{way}: {numbers}" if self.significant else f"no trend beyond chance: {numbers}"

    @property
    def beside(self) -> str:
        """The level shifts that the slope leaves out, in words; empty where there are none."""
        if not self.shifts:
            return ""
        many = "together " if self.shifts > 1 else ""
        return f" beside {counted(self.shifts, 'level shift')} of {many}{difference(self.shifted, self.unit)}"

    @property
    def sentence(self) -> str:
        """Subject and movement."""
        return f"{self.subject}: {self.movement}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"subject": self.subject, "movement": self.movement}

    def __str__(self) -> str:
        return self.sentence


def movements(rollup: pd.DataFrame, *, end: datetime, days: int, scores: Mapping[str, Array]) -> list[Movement]:
    """Of whole days; what moves most surely first.

    Args:
        rollup: Daily statistics as `load_rollup` returns them.
        end: Midnight after the last day, UTC.
        days: How many.
        scores: Daily scores by host, from `daily_scores`.
    """
    import numpy as np

    from healthkit.capacity.resources import daily
    from healthkit.trends import trend_many

    series = daily(rollup[rollup["date"] >= end - timedelta(days=days)], end)
    keys = [(host, resource.metric, device) for host, device, resource in series.keys]
    past = np.full((len(keys), days), np.nan)
    width = min(series.past.shape[1], days)
    past[:, days - width :] = series.past[:, series.past.shape[1] - width :]
    keys += [(host, SCORE, "") for host in scores]
    values = np.concatenate([past, *(row[None] for row in scores.values())])
    if not len(values):
        return []
    batch = trend_many(values, season=7)
    sure = beyond_chance(batch.p_value, batch.alpha)
    found = [_movement(key, batch, i, sure=bool(sure[i] and not batch.ambiguous[i])) for i, key in enumerate(keys)]
    return sorted(found, key=lambda c: (bool(c.unknown), c.p_value if math.isfinite(c.p_value) else 2, c.subject))


def count(series: Sequence[Mapping[str, Any]], days: int) -> str:
    """How many of these have a trend, and of how many nobody can tell, in a sentence without a full stop.

    Args:
        series: As `Movement.as_dict` gives them: what was just worked out, or what the record of a run has.
        days: How many they were looked at.
    """
    known = [one for one in series if not one["unknown"]]
    sure = sum(bool(one["significant"]) for one in known)
    few = len(series) - len(known)
    if not series:
        return f"no series was measured on a whole day of the last {days}"
    return (
        f"{sure} of {len(known)} series of the last {counted(days, 'day')} {'has' if sure == 1 else 'have'} a trend beyond chance; "
        f"{counted(few, 'has', 'have')} too few days to tell"
    )


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


def _movement(key: tuple[str, str, str], batch: TrendBatch, i: int, *, sure: bool) -> Movement:
    n = int(batch.n[i])
    unit = "" if key[1] == SCORE else rate_unit(key[1])
    slope, lower, upper, p = (float(a[i]) for a in (batch.slope, batch.lower, batch.upper, batch.p_value))
    unknown = "" if math.isfinite(slope) else f"cannot tell: {n} days measured, a trend needs {NEEDED} at least"
    sizes = batch.shift_size[i][batch.shift_at[i] >= 0]
    return Movement(
        *key, unit, slope, lower, upper, p, sure, bool(batch.ambiguous[i]), n, unknown, len(sizes), float(sizes.sum())
    )


def daily_scores(home: Path, *, end: datetime, days: int) -> dict[str, Array]:
    """The last score of each day by host, NaN = not checked.

    Raises:
        StoreError: The records cannot be read.
    """
    import numpy as np

    start = end - timedelta(days=days)
    found: dict[str, Array] = {}
    with State(home) as state:
        rows = state.records("health_reports", since=start, until=end, cadence=None)
    for row in reversed(rows):
        if row["overall_score"] is not None and row["host"]:
            found.setdefault(str(row["host"]), np.full(days, np.nan))[(row["ts"] - start).days] = row["overall_score"]
    return dict(sorted(found.items()))
