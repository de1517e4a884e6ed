"""The record of earlier forecasts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from healthkit.quantities import counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ledger:
    """How earlier forecasts turned out."""

    n: int
    """Forecasts of values that were scored, of the last year."""
    held80: int
    """Of these, inside their 80 % interval."""
    held80_uncorrected: int
    """Of these, inside it as it was before the record made it wider or narrower: what `factor` judges by."""
    series: int
    """How many series they are of: forecasts of one series are not independent."""
    coverage80: float
    """Share inside the 80 % interval, 0 to 1; NaN where none was scored."""
    coverage80_lower: float
    """Lower end of its 95 % interval, which knows that forecasts of one series err together."""
    coverage80_upper: float
    coverage95: float
    """Share inside the 95 % interval, 0 to 1."""
    mean_absolute_error: Mapping[str, float]
    """By metric, in its unit."""
    crossings: int
    """Limits that were predicted to be reached within the horizon, or were reached, on days of which half were measured."""
    crossings_held: int
    """Of these, inside their 80 % interval."""
    waiting: int
    """Forecasts whose day has not come, or is not measured yet."""
    unmeasured: int
    """Forecasts whose day came and was not measured."""
    factor: float
    """By how much the next intervals should be widened; 1 unless the drift is more than chance."""
    scores: tuple[Mapping[str, Any], ...] = field(repr=False, default=())
    """One mapping a scored forecast of a value, newest first."""
    unit: str = "ratio"
    method: str = "share inside; Wilson interval for clusters; width by the 80 % quantile of past errors over widths"

    @property
    def coverage(self) -> float:
        """Share of the due forecasts that could be scored, 0 to 1."""
        due = self.n + self.unmeasured
        return self.n / due if due else math.nan

    @property
    def drifting(self) -> bool:
        """Whether the intervals hold so much less, or more, than promised that they are adapted."""
        return self.factor != 1

    def to_frame(self) -> pd.DataFrame:
        """By metric and days ahead: n, coverage80, coverage95, mean_absolute_error."""
        import pandas as pd

        columns = ["metric", "days", "n", "coverage80", "coverage95", "mean_absolute_error"]
        if not self.scores:
            return pd.DataFrame(columns=columns)
        groups = pd.DataFrame([*self.scores]).groupby(["metric", "days"], as_index=False)
        return groups.agg(
            n=("error", "size"),
            coverage80=("inside80", "mean"),
            coverage95=("inside95", "mean"),
            mean_absolute_error=("error", lambda error: error.abs().mean()),
        )[columns]

    def plot(self, ax: Any = None) -> Any:
        """Draw the share inside the 80 % interval by days ahead, next to what was promised, on a matplotlib Axes."""
        from healthkit.plots import dots

        frame = self.to_frame()
        frame["held"] = frame["coverage80"] * frame["n"]
        sums = frame.groupby("days")[["held", "n"]].sum()
        points = [(float(held / n), math.nan, math.nan) for held, n in sums.itertuples(index=False)]
        heads = [f"{days:g} d" for days in sums.index]
        return dots(heads, {"inside 80 %": points}, title=str(self), unit="ratio", limit=0.8, ax=ax)

    def as_dict(self) -> dict[str, Any]:
        """JSON: without the single scores; NaN becomes null."""
        from healthkit.jsons import plain

        names = [name for name in self.__dataclass_fields__ if name != "scores"]
        body: dict[str, Any] = plain({name: getattr(self, name) for name in names})
        return body

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        frame = self.to_frame()
        rows = frame.map(lambda cell: f"{cell:.3g}" if isinstance(cell, float) else cell).to_numpy().tolist()
        return bundle("ledger", str(self), self.as_dict(), columns=list(frame.columns), rows=rows)

    def __str__(self) -> str:
        if not self.n:
            waiting = f"{counted(self.waiting, 'waits for its', 'wait for their')} day" if self.waiting else ""
            lost = f"{counted(self.unmeasured, 'day was', 'days were')} not measured" if self.unmeasured else ""
            why = "; ".join(filter(None, (waiting, lost)))
            return f"No earlier forecast could be scored yet ({why})." if why else "No earlier forecast is on record."
        held = f"{self.held80} of {counted(self.n, 'forecast held in its', 'forecasts held in their')} 80 % interval"
        if not self.drifting:
            return f"{held}."
        if self.held80_uncorrected != self.held80:
            held = f"{held}; as wide as they were at first, {self.held80_uncorrected} would have"
        why, what = ("too few", "wider") if self.factor > 1 else ("more than promised", "narrower")
        return f"{held}: {why}, so intervals are made {what} ({self.factor:.2g} times)."
