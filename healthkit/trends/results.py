"""What a trend is: the frozen results of `trend` and `trend_many`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from healthkit.jsons import plain
from healthkit.quantities import chance, covered, difference, when
from healthkit.schema import title

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from healthkit.bundles import Table
    from healthkit.charts import Chart

    Floats = NDArray[np.float64]

Direction = Literal["rising", "falling", "none"]


@dataclass(frozen=True)
class Shift:
    """A step to another level that lasts."""

    at: pd.Timestamp
    """First time at the new level, UTC."""
    size: float
    """New level minus old, in the unit of the series."""
    lower: float
    """Lower end of the interval of `size`, given `at`."""
    upper: float
    """Upper end of the interval of `size`, given `at`."""

    def phrase(self, unit: str = "") -> str:
        """In words: `steps up by 4 GiB on 3 Feb 2027`."""
        way = "up" if self.size > 0 else "down"
        return f"steps {way} by {difference(abs(self.size), unit).lstrip('+')} on {when(self.at)}"


@dataclass(frozen=True)
class Trend:
    """How fast a series rises or falls, beside its season and its level shifts."""

    slope: float
    """Change per day, in the unit of the series."""
    lower: float
    """Lower end of the interval of `slope`."""
    upper: float
    """Upper end of the interval of `slope`."""
    p_value: float
    """Probability of a slope this far from 0, on either side, if there were none."""
    direction: Direction
    """The sign of the slope where it is significant, else "none"."""
    evidence: str
    """What the reader should know before believing it, in words."""
    shifts: tuple[Shift, ...]
    """Level shifts found together with the slope, oldest first."""
    metric: str
    """`disk_used_bytes`; empty for a series without a name."""
    unit: str
    """Unit of the values; empty if not known."""
    n: int
    """Values measured."""
    coverage: float
    """Values measured per value there should be, 0 to 1."""
    method: str
    """How it was computed."""
    alpha: float = 0.05
    """Level of the test; the intervals are of 1 - alpha."""
    series: pd.Series[Any] | None = field(repr=False, compare=False, default=None)
    """What was judged."""

    def __str__(self) -> str:
        name = title(self.metric) if self.metric else "The series"
        ends = f"{difference(self.lower, self.unit)} to {difference(self.upper, self.unit)}"
        reach = f"{100 * (1 - self.alpha):.6g}% interval {ends}, {chance(self.p_value)}"
        if self.direction == "none":
            line = f"{name} has no clear trend: {difference(self.slope, self.unit)} a day ({reach})"
        else:
            verb = {"rising": "rises", "falling": "falls"}[self.direction]
            line = f"{name} {verb}: {difference(self.slope, self.unit)} a day ({reach})"
        steps = [shift.phrase(self.unit) for shift in self.shifts]
        return "; ".join([line, self.evidence, *steps, f"{covered(self.coverage)} measured"]) + "."

    def as_dict(self) -> dict[str, Any]:
        """JSON: times as ISO 8601, numbers that are not finite become null."""
        body = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "series"}
        body["shifts"] = [asdict(shift) for shift in self.shifts]
        told: dict[str, Any] = plain(body)
        return told

    def chart(self) -> Chart:
        """The series, and through it the line and the level shifts found."""
        from healthkit.charts import Chart, Line

        measured = () if self.series is None else tuple(self.series.tolist())
        x = () if self.series is None else tuple(at.timestamp() for at in self.series.index)
        line = tuple(self._line(x, measured))
        return Chart(
            name=f"trend-{self.metric or 'series'}",
            title=title(self.metric) if self.metric else "Series",
            unit=self.unit,
            lines=(Line("measured", x, measured), Line("trend", x, line, "forecast")),
            marks=tuple((shift.at.timestamp(), shift.phrase(self.unit)) for shift in self.shifts),
            alt=str(self),
        )

    def _line(self, x: tuple[float, ...], measured: tuple[float, ...]) -> list[float]:
        """The line with its shifts, at the height at which half of the values lie above it."""
        drawn = [
            self.slope * (at - x[0]) / 86400 + sum(one.size for one in self.shifts if at >= one.at.timestamp())
            for at in x
        ]
        above = [value - height for value, height in zip(measured, drawn, strict=True) if math.isfinite(value)]
        level = median(above) if above else math.nan
        return [level + height for height in drawn]

    def plot(self, ax: Any = None) -> Any:
        """Draw `chart` on a matplotlib Axes, or on a figure of its own."""
        from healthkit.plots import plot

        return plot(self.chart(), ax)

    def table(self) -> Table:
        """Slope and level shifts with their intervals, for people."""
        from healthkit.bundles import Table

        ends = f"{difference(self.lower, self.unit)} to {difference(self.upper, self.unit)}"
        rows = [("Slope a day", "", difference(self.slope, self.unit), ends)]
        for s in self.shifts:
            ends = f"{difference(s.lower, self.unit)} to {difference(s.upper, self.unit)}"
            rows.append(("Level shift", when(s.at), difference(s.size, self.unit), ends))
        return Table(("", "From", "Change", f"{100 * (1 - self.alpha):.6g}% interval"), rows)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        heads, rows = self.table()
        charts = [] if self.series is None else [self.chart()]
        return bundle("trend", str(self), self.as_dict(), columns=heads, rows=rows, charts=charts)

    def to_frame(self) -> pd.DataFrame:
        """One row for the slope and one for each shift: kind, at, value, lower, upper, p_value, unit."""
        import pandas as pd

        unit = f"{self.unit or '1'}/day"
        rows: list[tuple[Any, ...]] = [("slope", pd.NaT, self.slope, self.lower, self.upper, self.p_value, unit)]
        rows += [("shift", s.at, s.size, s.lower, s.upper, float("nan"), self.unit) for s in self.shifts]
        frame = pd.DataFrame(rows, columns=["kind", "at", "value", "lower", "upper", "p_value", "unit"])
        return frame.assign(at=pd.to_datetime(frame["at"], utc=True))


@dataclass(frozen=True)
class TrendBatch:
    """Trends of many series; all numbers NaN, and no shifts, where a series is too short."""

    slope: Floats
    """Change per step, (n_series,)."""
    lower: Floats
    """Lower end of the interval of `slope`, (n_series,)."""
    upper: Floats
    """Upper end of the interval of `slope`, (n_series,)."""
    p_value: Floats
    """Two-sided, (n_series,)."""
    n: NDArray[np.intp]
    """Values measured, (n_series,)."""
    persistence: Floats
    """Share of the belief that lies on noise that wanders like a random walk, 0 to 1, (n_series,)."""
    ambiguous: NDArray[np.bool_]
    """The slope is significant and a level shift would explain it as well, (n_series,)."""
    shift_at: NDArray[np.intp]
    """Index of the first value of each new level, -1 = none, in order of time, (n_series, most)."""
    shift_size: Floats
    """New level minus old, NaN = none, (n_series, most)."""
    shift_lower: Floats
    """Lower end of the interval of the size, (n_series, most)."""
    shift_upper: Floats
    """Upper end of the interval of the size, (n_series, most)."""
    alpha: float = 0.05
    """The intervals are of 1 - alpha."""
