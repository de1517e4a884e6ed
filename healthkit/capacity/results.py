"""What a capacity plan says: one row a resource, ranked, with the forecasts it rests on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from healthkit.capacity.rows import DAY, CapacityRow
from healthkit.errors import ParameterError
from healthkit.quantities import counted, quantity
from healthkit.schema import title

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from healthkit.charts import Chart

    Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Capacity:
    """Every resource of a fleet: what needs action first, what cannot be told next, what has room last."""

    rows: tuple[CapacityRow, ...]
    horizon: int
    """Days looked ahead."""
    start: datetime
    """From when days are counted, UTC."""
    factor: float
    """By how much the intervals were widened because earlier ones held too rarely."""
    n: int
    """Days measured, of all series."""
    coverage: float
    """Mean of the rows' coverage, 0 to 1; NaN without rows."""
    method: str
    past: Array = field(repr=False)
    """Daily values, (rows, days), oldest first, NaN = not measured; the last column is the day before `start`."""
    mean: Array = field(repr=False)
    """Forecasts, (rows, horizon), NaN where unknown or beyond the row's own horizon."""
    lower: dict[int, Array] = field(repr=False)
    """{level in %: (rows, horizon)}"""
    upper: dict[int, Array] = field(repr=False)
    unit: str = ""
    """Each row has its own."""

    def __iter__(self) -> Iterator[CapacityRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, hosts: Collection[str]) -> Capacity:
        """The resources of some hosts."""
        import numpy as np

        places = [place for place, row in enumerate(self.rows) if row.host in hosts]
        past = self.past[places]
        shares = [self.rows[place].coverage for place in places]
        return replace(
            self,
            rows=tuple(self.rows[place] for place in places),
            n=int(np.isfinite(past).sum()),
            coverage=float(np.mean(shares)) if shares else math.nan,
            past=past,
            mean=self.mean[places],
            lower={level: ends[places] for level, ends in self.lower.items()},
            upper={level: ends[places] for level, ends in self.upper.items()},
        )

    def required(self, row: int, target: datetime) -> tuple[float, float]:
        """Capacity that row needs on *target* to stay below its limit, as a share of today's; and at the 80 % end.

        Raises:
            ParameterError: There is no such row, the time has no zone, or the day is not within the row's horizon.
        """
        what = self._row(row)
        if target.tzinfo is None:
            raise ParameterError(f"target {target!r} has no time zone")
        step = (target - self.start) // DAY + 1
        if not 1 <= step <= what.horizon or math.isnan(self.mean[row, step - 1]):
            raise ParameterError(f"{target:%Y-%m-%d} is not within the horizon of {what.subject}")
        limit = what.limit
        return float(self.mean[row, step - 1] / limit), float(self.upper[80][row, step - 1] / limit)

    def _row(self, row: int) -> CapacityRow:
        if not 0 <= row < len(self.rows):
            raise ParameterError(f"row {row}: the plan has {counted(len(self.rows), 'row')}")
        return self.rows[row]

    def fan(self, row: int) -> pd.DataFrame:
        """The forecast of a row by day: mean, lower80, upper80, lower95, upper95; empty where unknown."""
        import pandas as pd

        index = pd.date_range(self.start, periods=self.horizon, freq="D", name="date")
        ends = {f"{name}{at}": getattr(self, name)[at][row] for at in (80, 95) for name in ("lower", "upper")}
        return pd.DataFrame({"mean": self.mean[row], **ends}, index=index).dropna(how="all")

    def history(self, row: int) -> pd.Series[float]:
        """The daily values that a row's forecast rests on."""
        import pandas as pd

        index = pd.date_range(end=self.start - DAY, periods=self.past.shape[1], freq="D", name="date")
        return pd.Series(self.past[row], index, name=self.rows[row].metric)

    def to_frame(self) -> pd.DataFrame:
        """One row a resource, in order; columns are the fields of `CapacityRow`, and date and sentence."""
        import pandas as pd

        names = [*CapacityRow.__dataclass_fields__, "date", "sentence"]
        return pd.DataFrame([{name: getattr(row, name) for name in names} for row in self.rows], columns=names)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the forecasts' arrays."""
        from healthkit.jsons import plain

        fields = ("horizon", "start", "factor", "n", "coverage", "method")
        rows = self.to_frame().to_dict("records")
        body: dict[str, Any] = plain({name: getattr(self, name) for name in fields} | {"rows": rows})
        return body

    def chart(self, row: int) -> Chart:
        """Past and forecast of a row, with the 80 and 95 % intervals and its limit."""
        from healthkit.charts import Band, Chart, Line

        what, past, fan = self._row(row), self.history(row), self.fan(row)
        x = tuple(when.timestamp() for when in fan.index)
        ends = {name: tuple(fan[name].tolist()) for name in fan.columns}
        return Chart(
            name=f"capacity-{what.host}-{what.metric}-{what.device}".rstrip("-"),
            title=f"{what.subject}: {title(what.metric)}",
            unit=what.unit,
            lines=(
                Line("measured", tuple(when.timestamp() for when in past.index), tuple(past.tolist())),
                Line("forecast", x, ends["mean"], "forecast"),
            ),
            bands=tuple(Band(f"{at} %", x, ends[f"lower{at}"], ends[f"upper{at}"], at) for at in (95, 80)),
            limit=what.limit,
            alt=what.sentence,
        )

    def plot(self, ax: Any = None, *, row: int = 0) -> Any:
        """Draw the chart of a row, by default the most urgent, on a matplotlib Axes."""
        from healthkit.plots import plot

        return plot(self.chart(row), ax)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        rows = [(row.subject, row.state, quantity(row.value, row.unit), row.sentence) for row in self.rows]
        charts = [self.chart(place) for place, row in enumerate(self.rows[:3]) if row.state in {"over", "reaches"}]
        heads = ("Resource", "State", "Now", "When")
        return bundle("capacity", str(self), self.as_dict(), columns=heads, rows=rows, charts=charts)

    def __str__(self) -> str:
        if not self.rows:
            return "No resource with a limit was measured."
        count = {state: sum(row.state == state for row in self.rows) for state in ("over", "reaches", "unknown")}
        words = [
            f"{count['over'] + count['reaches']} of {counted(len(self.rows), 'resource at its', 'resources at their')} limit within {counted(self.horizon, 'day')}"
        ]
        if count["over"]:
            words[0] += f", {count['over']} of them now"
        if count["unknown"]:
            words.append(f"{count['unknown']} cannot be told")
        if count["over"] + count["reaches"]:
            words.append(f"first: {self.rows[0].sentence}")
        return "; ".join(words) + "."
