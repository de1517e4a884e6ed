"""Anomalies of a series: spikes, shifts, flat lines, gaps and changes of variance, ranked; each says what was expected.

Rank, don't page: at a threshold that gives less than one false alarm a month, any simple detector finds about a third of
what people call an anomaly. Reports show the few worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from healthkit.detectors import DETECTORS, Event, Kind, Setting
from healthkit.errors import NotEnoughData, ParameterError
from healthkit.quantities import quantity
from healthkit.schema import limits, rate_unit, title

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]

NEEDED = 21
"""Values below which nothing is called unusual."""
PER_STEPS = 5000.0
"""The band is drawn where one value in so many would leave it."""
_BUDGET = 2.0  # events of one kind in 30 days above which they are usual
_CHUNK = 2_000_000  # values analysed at once: bounds memory to some 200 MB


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that the rest of the series does not explain."""

    kind: Kind
    start: datetime
    """First moment, UTC."""
    end: datetime
    """First moment after it, UTC; the end of the series for a shift or a change of variance."""
    peak: datetime
    """When it shows best, UTC."""
    value: float
    """What was seen, in `unit`: the value, for a shift the new level, for a change of variance the new standard
    deviation, for a flat line or a gap how long it lasted."""
    lower: float
    """What was expected at least, in `unit`."""
    upper: float
    """What was expected at most, in `unit`."""
    unit: str
    """The metric's; seconds for a flat line or a gap."""
    score: float
    """How many times beyond the alarm limit, above 1; ranks all kinds."""

    def __str__(self) -> str:
        seen, low, high = (quantity(number, self.unit) for number in (self.value, self.lower, self.upper))
        when = f"{self.peak:%Y-%m-%d %H:%M}"
        if self.kind == "gap":
            return f"{when}: nothing measured for {seen}; at most {high} is usual"
        if self.kind == "flat-line":
            return f"{when}: the same value for {seen}; at most {high} is usual"
        if self.kind == "shift":
            return f"{when}: level shifts to {seen}; expected {low} to {high}"
        if self.kind == "variance change":
            return f"{when}: spread becomes {seen}; expected {low} to {high}"
        return f"{when}: {seen}; expected {low} to {high}"


@dataclass(frozen=True)
class Anomalies(Sequence[Anomaly]):
    """Anomalies of a series, worst first."""

    items: tuple[Anomaly, ...]
    metric: str
    """`cpu_busy_ratio`; empty for a series without a name."""
    unit: str
    n: int
    """Values looked at."""
    coverage: float
    """Share of the steps that were measured, 0 to 1."""
    method: str

    def __getitem__(self, index: Any) -> Any:
        """The anomaly at a rank, or a tuple of them for a slice."""
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Anomaly]:
        return iter(self.items)

    def to_frame(self) -> pd.DataFrame:
        """One row an anomaly, worst first; columns are the fields of `Anomaly`."""
        import pandas as pd

        columns = ("kind", "start", "end", "peak", "value", "lower", "upper", "unit", "score")
        return pd.DataFrame([{name: getattr(item, name) for name in columns} for item in self.items], columns=columns)

    def as_dict(self) -> dict[str, Any]:
        """JSON: times in ISO 8601."""
        rows = self.to_frame()
        for name in ("start", "end", "peak"):
            rows[name] = [getattr(item, name).isoformat() for item in self.items]
        fields = ("metric", "unit", "n", "coverage", "method")
        return {name: getattr(self, name) for name in fields} | {"anomalies": rows.to_dict("records")}

    def __str__(self) -> str:
        name = title(self.metric) if self.metric else "The series"
        if not self.items:
            return f"{name}: nothing unusual among {self.n} values ({self.coverage:.0%} measured)."
        count = f"{len(self)} anomal{'y' if len(self) == 1 else 'ies'}"
        return f"{name}: {count} among {self.n} values, the worst a {self[0].kind} on {self[0]}."


def anomalies(series: pd.Series[Any], *, season: int | None = None) -> Anomalies:
    """What is unusual in a series of hours or days, worst first.

    Level: running median of three cycles. Season: median profile of a day and of a week, each only if it explains days
    that it was not learnt from. Band: where one value in 5000 would lie, from the residuals' own tails. An event is
    told once and again only at a new maximum of 24 hours.

    Args:
        series: Values on one step (`hk.select(..., every="1h")`), aware times, oldest first. NaN = not measured.
        season: Steps of a cycle; 1 for none. By default a day for steps below a day, else a week.

    Raises:
        NotEnoughData: Fewer than 21 values.
        BadSeries: No numbers over aware, distinct, ordered times of one step.

    Sources:
        Seasonal profile and band after Hyndman (2021), "Detecting time series outliers"; latch after the scoring of the
        Numenta Anomaly Benchmark, Lavin and Ahmad (2015), arXiv 1510.03336.
    """
    import numpy as np
    import pandas as pd

    from healthkit.series import regular

    values, step = regular(series)
    name = str(series.attrs.get("metric") or series.name or "")
    unit = str(series.attrs.get("unit") or rate_unit(name))
    n = int(np.count_nonzero(~np.isnan(values)))
    if n < NEEDED:
        raise NotEnoughData(n=n, needed=NEEDED, what=f"anomalies of {name or 'the series'}")
    day = pd.Timedelta(days=1) / step
    season = season or (max(1, round(day)) if day > 1 else 7)
    first = pd.DatetimeIndex(series.index)[0].tz_convert("UTC")
    events = anomalies_many(values[None], season, day=day)
    low, high = limits(name) if name else (-math.inf, math.inf)

    def when(position: int) -> datetime:
        moment: datetime = (first + position * step).to_pydatetime()
        return moment

    def told(event: Event) -> Anomaly:
        lasts = event.kind in {"gap", "flat-line"}
        factor = step.total_seconds() if lasts else 1.0
        floor, ceiling = (0.0, math.inf) if lasts else (low, high)
        return Anomaly(
            kind=event.kind,
            start=when(event.start),
            end=when(event.end),
            peak=when(event.peak),
            value=float(event.value * factor),
            lower=float(max(event.lower * factor, floor)),
            upper=float(min(event.upper * factor, ceiling)),
            unit="seconds" if lasts else unit,
            score=float(event.score),
        )

    return Anomalies(
        items=tuple(told(event) for event in events),
        metric=name,
        unit=unit,
        n=n,
        coverage=n / len(values),
        method=f"running median, seasonal profile of {season} steps, band from the tails of the residuals",
    )


def anomalies_many(values: Array, season: int, *, day: float | None = None) -> tuple[Event, ...]:
    """Events of many series at once, worst first.

    Args:
        values: (series, steps) float64 on one step, NaN = not measured. Rows with fewer than 21 values give no events.
        season: Steps of a cycle, 24 for hours and 7 for days; 1 for none.
        day: Steps of 24 hours; by default the season if it is not 7, else 1.

    Raises:
        ParameterError: The array is not two-dimensional, holds infinities, or the season is below 1.
    """
    import numpy as np

    from healthkit.expectations import expect

    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise ParameterError("values must be finite or NaN, of shape (series, steps)")
    if season < 1:
        raise ParameterError(f"season {season}: at least 1")
    day = day or (1.0 if season == 7 else float(season))
    setting = Setting(max(1, round(day)), season, 30 * day, _BUDGET)
    rows = np.flatnonzero(np.count_nonzero(~np.isnan(values), axis=1) >= NEEDED)
    each = max(1, _CHUNK // max(1, values.shape[1]))
    found: list[Event] = []
    for first in range(0, len(rows), each):
        some = rows[first : first + each]
        part = values[some]
        expected = expect(part, season, window=3 * max(season, 5) + 1, per_steps=PER_STEPS)
        for detect in DETECTORS:
            found += (event._replace(row=int(some[event.row])) for event in detect(part, expected, setting))
    return tuple(sorted(found, key=lambda event: (-event.score, event.row, event.start, event.kind)))
