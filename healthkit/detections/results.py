"""What is unusual in a series, worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from healthkit.quantities import covered, quantity
from healthkit.schema import title

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.bundles import Table
    from healthkit.charts import Chart
    from healthkit.detections.detectors import Kind


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

    def as_dict(self) -> dict[str, Any]:
        """JSON: times in ISO 8601."""
        from healthkit.jsons import plain

        body: dict[str, Any] = plain(asdict(self))
        return body

    def to_frame(self) -> pd.DataFrame:
        """One row; columns are the fields."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])

    def chart(self) -> Chart:
        """What was seen from start to end, and what was expected; the values around it are in the chart of `Anomalies`."""
        from healthkit.charts import Band, Chart, Line

        x = self.start.timestamp(), self.end.timestamp()
        return Chart(
            name=f"anomaly-{self.kind.replace(' ', '-')}",
            title=self.kind.capitalize(),
            unit=self.unit,
            lines=(Line("seen", x, (self.value, self.value)),),
            bands=(Band("expected", x, (self.lower, self.lower), (self.upper, self.upper), 99),),
            marks=((self.peak.timestamp(), self.kind),),
            alt=str(self),
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw `chart` on a matplotlib Axes, or on a figure of its own."""
        from healthkit.plots import plot

        return plot(self.chart(), ax)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        return bundle("anomaly", str(self), self.as_dict())

    def __str__(self) -> str:
        seen, low, high = (quantity(number, self.unit) for number in (self.value, self.lower, self.upper))
        when = f"{self.peak:%Y-%m-%d %H:%M}"
        if self.kind == "gap":
            return f"{when}: nothing measured for {seen}; at most {high} is usual"
        if self.kind == "flat-line":
            return f"{when}: the same value for {seen}; at most {high} is usual"
        expected = low if low == high else f"{low} to {high}"
        what = {"shift": "level shifts to ", "variance change": "spread becomes "}.get(self.kind, "")
        return f"{when}: {what}{seen}; expected {expected}"


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
    series: pd.Series[Any] = field(repr=False, compare=False)
    """What was looked at."""
    season: int = 1
    """Steps of a cycle."""

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

    def chart(self) -> Chart:
        """The series, what was expected of it, and a mark at each anomaly."""
        from healthkit.charts import Band, Chart, Line
        from healthkit.detections.batches import PER_STEPS, window_of
        from healthkit.detections.expectations import expect
        from healthkit.series import can_be, regular

        values, step = regular(self.series)
        first, seconds = self.series.index[0].timestamp(), step.total_seconds()
        x = tuple(first + seconds * place for place in range(len(values)))
        expected = expect(values[None], self.season, window=window_of(self.season), per_steps=PER_STEPS)
        low, high = can_be(self.metric, values)
        lower = (expected.middle[0] - expected.below[0]).clip(low, high)
        upper = (expected.middle[0] + expected.above[0]).clip(low, high)
        return Chart(
            name=f"anomalies-{self.metric or 'series'}",
            title=title(self.metric) if self.metric else "Series",
            unit=self.unit,
            lines=(Line("measured", x, tuple(values.tolist())),),
            bands=(Band("expected", x, tuple(lower.tolist()), tuple(upper.tolist()), 99),),
            marks=tuple((item.peak.timestamp(), item.kind) for item in self.items),
            alt=str(self),
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw `chart` on a matplotlib Axes, or on a figure of its own."""
        from healthkit.plots import plot

        return plot(self.chart(), ax)

    def table(self) -> Table:
        """Every anomaly, the worst first, for people."""
        from healthkit.bundles import Table

        rows = [(item.kind, str(item), f"{item.score:.1f}") for item in self.items]
        return Table(("Kind", "What was seen", "Times the alarm limit"), rows)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        heads, rows = self.table()
        return bundle("anomalies", str(self), self.as_dict(), columns=heads, rows=rows, charts=[self.chart()])

    def __str__(self) -> str:
        name = title(self.metric) if self.metric else "The series"
        if not self.items:
            return f"{name}: nothing unusual among {self.n} values ({covered(self.coverage)} measured)."
        count = f"{len(self)} anomal{'y' if len(self) == 1 else 'ies'}"
        return f"{name}: {count} among {self.n} values, the worst a {self[0].kind} on {self[0]}."
