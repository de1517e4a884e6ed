"""What a forecast of one series is: dates instead of steps, a sentence, a chart."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from healthkit.jsons import plain
from healthkit.quantities import quantity, when
from healthkit.schema import title

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.bundles import Table
    from healthkit.charts import Chart
    from healthkit.forecasts.batches import ForecastBatch


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a series reaches a level. None = not within the horizon."""

    level: float
    """The level, in the unit of the series."""
    median: pd.Timestamp | None
    """As likely before as after."""
    lower: pd.Timestamp | None
    """Earliest end of the 80 % interval."""
    upper: pd.Timestamp | None
    """Latest end of the 80 % interval."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """How the same method did on this series, from origins in its past."""

    origins: int
    """Rolling origins; 0 = the history was too short for any."""
    error: float
    """Mean absolute error, in the unit of the series; NaN without origins."""
    naive_error: float
    """That of the last value carried forward, from the same origins."""
    coverage: float
    """Share of the past inside intervals as wide as those of the first level are now, 0-1; NaN without origins."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a series goes, and how sure that is."""

    history: pd.Series[float]
    """What it rests on: a regular UTC index, NaN = not measured."""
    mean: pd.Series[float]
    """Central forecast by UTC time, in the unit of the series."""
    lower: dict[int, pd.Series[float]]
    """{level in %: lower end of the interval}"""
    upper: dict[int, pd.Series[float]]
    """{level in %: upper end of the interval}"""
    metric: str
    """`disk_used_ratio`; empty for a series without a name."""
    unit: str
    """Unit of the values; empty when unknown."""
    n: int
    """Values it rests on."""
    coverage: float
    """Share of the history's steps that were measured, 0-1."""
    method: str
    """How it was made."""
    backtest: Backtest
    """The record it rests on."""
    limit: float | None
    """The level the caller watches, in the unit of the series."""
    batch: ForecastBatch = field(repr=False)
    """The same in steps, as the engine returned it."""

    def crossing(self, level: float) -> Crossing:
        """When the series first reaches *level* from below, with an 80 % interval."""
        when = (self._date(float(steps[0])) for steps in self.batch.crossing(level))
        median, lower, upper = when
        return Crossing(level, median, lower, upper)

    def _date(self, step: float) -> pd.Timestamp | None:
        return None if math.isinf(step) else self.mean.index[int(step) - 1]

    @property
    def unmoved(self) -> bool:
        """Whether every value was the same: its intervals are of no width, for nothing tells how far it could move."""
        return bool(self.history.min() == self.history.max())

    def to_frame(self) -> pd.DataFrame:
        """One row per step: mean, then lower and upper of each level."""
        import pandas as pd

        columns = {"mean": self.mean}
        for level in self.lower:
            columns |= {f"lower_{level}": self.lower[level], f"upper_{level}": self.upper[level]}
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        subject = title(self.metric) if self.metric else "The series"
        if self.limit is None:
            level, last = next(iter(self.lower)), self.mean.index[-1]
            ends = (self.mean, self.lower[level], self.upper[level])
            mean, low, high = (quantity(float(path.iloc[-1]), self.unit) for path in ends)
            if self.unmoved:
                return f"{subject} was {mean} in all {self.n} values and stays there, if it does not start to move"
            return f"{subject} is expected at {mean} on {_day(last)}, {level} % interval {low} to {high}"
        crossing, said, last = self.crossing(self.limit), quantity(self.limit, self.unit), _day(self.mean.index[-1])
        if self.batch.last[0] >= self.limit:
            return f"{subject} is at or above {said} already"
        if crossing.median is not None:
            since = _day(crossing.lower or crossing.median)
            until = _day(crossing.upper) if crossing.upper is not None else f"after {last}"
            return f"{subject} reaches {said} on {_day(crossing.median)}, 80 % interval {since} to {until}"
        if crossing.lower is not None:
            since = _day(crossing.lower)
            return f"{subject} is not expected to reach {said} by {last}, but may from {since} (80 % interval)"
        if self.unmoved:
            return (
                f"{subject} was the same in all {self.n} values: it does not reach {said}, if it does not start to move"
            )
        return f"{subject} does not reach {said} by {last} (80 % interval)"

    def as_dict(self) -> dict[str, Any]:
        """JSON: the sentence, the paths by time, the crossing of `limit`, and the backtest."""
        paths = {"mean": self.mean, **{f"lower{k}": v for k, v in self.lower.items()}}
        paths |= {f"upper{k}": v for k, v in self.upper.items()}
        body: dict[str, Any] = plain(
            {
                "sentence": str(self),
                "times": [moment.isoformat() for moment in self.mean.index],
                **{name: list(map(float, path)) for name, path in paths.items()},
                "crossing": asdict(self.crossing(self.limit)) if self.limit is not None else None,
                **{name: getattr(self, name) for name in ("metric", "unit", "n", "coverage", "method", "limit")},
                "backtest": asdict(self.backtest),
            }
        )
        return body

    def chart(self) -> Chart:
        """History, mean and intervals, with the limit as a line."""
        from healthkit.charts import fan

        bands = {level: (self.lower[level], self.upper[level]) for level in self.lower}
        name, heading = f"forecast-{self.metric or 'series'}", title(self.metric) if self.metric else "Forecast"
        return fan(
            name,
            heading,
            unit=self.unit,
            past=self.history,
            mean=self.mean,
            bands=bands,
            alt=str(self),
            limit=self.limit,
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw `chart` on a matplotlib Axes, or on a figure of its own."""
        from healthkit.plots import plot

        return plot(self.chart(), ax)

    def table(self) -> Table:
        """The backtest, for people."""
        from healthkit.bundles import Table

        back = self.backtest
        rows = [
            ("Values it rests on", f"{self.n}, {quantity(self.coverage, 'ratio')} of the time"),
            ("Tried from origins in the past", str(back.origins)),
            ("Its mean error there", quantity(back.error, self.unit)),
            ("Error of carrying the last value on", quantity(back.naive_error, self.unit)),
            (f"Inside an interval as wide as its {next(iter(self.lower))} % there", quantity(back.coverage, "ratio")),
        ]
        return Table(("Backtest", ""), rows)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        heads, rows = self.table()
        return bundle("forecast", str(self), self.as_dict(), columns=heads, rows=rows, charts=[self.chart()])


def _day(moment: pd.Timestamp) -> str:
    """The day; the hour too where it is not midnight."""
    text = when(moment)
    return f"{text}, {moment:%H:%M} UTC" if (moment.hour, moment.minute) != (0, 0) else text
