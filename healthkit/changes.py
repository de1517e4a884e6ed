"""Whether a percentile changed from one period to the next, or only seems to.

A period's p95 differs from the last one's even when nothing happened, and minutes are no help: they follow one another.
What is compared are days. A day's percentile is one value; days are compared weekday for weekday; and how much two
periods differ by chance is learned from all the days there are, allowing for their correlation.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from healthkit.errors import BadSeries, NotEnoughData, ParameterError
from healthkit.jsons import plain
from healthkit.periods import Period
from healthkit.quantities import difference, quantity
from healthkit.schema import title
from healthkit.series import check_series, named, regular
from healthkit.trends.levels import NEEDED_DAYS, ChangeBatch, change_many

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Change", "ChangeBatch", "change", "change_many"]

_ENOUGH_OF_A_DAY = 0.5
# Fewer hardly tell how much two weeks differ by chance: the interval is up to twice as wide as need be.
_FEW_DAYS = 28
_METHOD = (
    "days' percentiles compared weekday for weekday; AR(1) noise of all days given, integrated over its correlation"
)


@dataclass(frozen=True)
class Change:
    """How far the percentile of a day moved from one period to the next."""

    before: float
    """Mean of the days' percentiles in the earlier period, in `unit`."""
    after: float
    """`before` plus `difference`."""
    difference: float
    """Change of a day's percentile, weekday for weekday, in `unit`."""
    lower: float
    """Lower end of the interval of `difference`."""
    upper: float
    """Upper end of the interval of `difference`."""
    changed: bool
    """Whether the interval leaves 0 out: more than noise."""
    p_value: float
    """Probability of a difference this far from 0 if there were none."""
    q: float
    """Which percentile, 0 to 100."""
    metric: str
    """`cpu_busy_ratio`; empty for a series without a name."""
    unit: str
    """Unit of the values."""
    n: int
    """Days measured in the two periods."""
    coverage: float
    """Days measured per day of the two periods, 0 to 1."""
    method: str
    """How it was computed."""
    alpha: float = 0.05
    """The interval is of 1 - alpha."""
    history: int = 0
    """Days measured up to the end of the later period: what chance does was learned from them."""

    def __str__(self) -> str:
        name = f"{title(self.metric)} p{self.q:g}" if self.metric else f"p{self.q:g}"
        ends = f"{100 * (1 - self.alpha):.6g}% interval {difference(self.lower, self.unit)} to {difference(self.upper, self.unit)}"
        if self.changed:
            values = f"from {quantity(self.before, self.unit)} to {quantity(self.after, self.unit)} a day"
            return f"{name} changed by {difference(self.difference, self.unit)} ({ends}), {values}{self._evidence}."
        return (
            f"{name} did not change beyond chance: {difference(self.difference, self.unit)} ({ends}){self._evidence}."
        )

    @property
    def _evidence(self) -> str:
        """What a short history means, in words; empty where it is long enough."""
        return f"; weak evidence: {self.history} days, fewer than {_FEW_DAYS}" if self.history < _FEW_DAYS else ""

    def to_frame(self) -> pd.DataFrame:
        """One row, columns as the fields."""
        import pandas as pd

        return pd.DataFrame([self.as_dict()])

    def plot(self, ax: Any = None) -> Any:
        """Draw both periods, and the interval of the later one if the earlier is given, on a matplotlib Axes."""
        from healthkit.plots import dots

        later = (self.after, self.before + self.lower, self.before + self.upper)
        name = title(self.metric) if self.metric else "Series"
        points = {f"p{self.q:g}": [(self.before, math.nan, math.nan), later]}
        return dots(["before", "after"], points, title=f"{name}, p{self.q:g} of a day", unit=self.unit, ax=ax)

    def as_dict(self) -> dict[str, Any]:
        """JSON: numbers that are not finite become null."""
        body: dict[str, Any] = plain(asdict(self))
        return body

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        ends = f"{difference(self.lower, self.unit)} to {difference(self.upper, self.unit)}"
        row = (
            quantity(self.before, self.unit),
            quantity(self.after, self.unit),
            difference(self.difference, self.unit),
        )
        columns = ("Before", "After", "Change", f"{100 * (1 - self.alpha):.6g}% interval")
        return bundle("change", str(self), self.as_dict(), columns=columns, rows=[(*row, ends)])


def change(
    series: pd.Series[Any],
    *,
    period: Period | str,
    previous: Period | str | None = None,
    q: float = 95,
    alpha: float = 0.05,
) -> Change:
    """Change of a day's percentile from one period to another, with its interval.

    Give the longer history: eight weeks tell how much two weeks differ by chance, two weeks hardly do.

    Args:
        series: Daily percentiles already (a step of one day), or samples, of which each UTC day's percentile is taken.
            Days that were measured for less than half, or have too few values for *q*, do not count.
        period: The later period, or its label such as `2026-W47`.
        previous: The earlier one; by default the one before *period*.
        q: Which percentile, 0 to 100.
        alpha: The interval is of 1 - alpha.

    Raises:
        BadSeries: No numbers over aware, distinct, ordered times of one step, or of a step above a day.
        NotEnoughData: Fewer than three days measured in one of the periods, or too few in all.
        ParameterError: A percentile or alpha out of range, a label that is none, or periods that overlap or are in the wrong
            order.
    """
    import numpy as np
    import pandas as pd

    period = Period.parse(period) if isinstance(period, str) else period
    earlier = Period.parse(previous) if isinstance(previous, str) else previous or period.previous()
    if earlier.end > period.start:
        raise ParameterError(f"{earlier} does not end before {period} starts")
    series = check_series(series)
    name, unit = named(series)
    days = _days(series, q, name)
    days = days[pd.DatetimeIndex(days.index) < pd.Timestamp(period.end)]
    index, what = pd.DatetimeIndex(days.index), f"days of {name or 'the series'}"
    after, before = (
        np.asarray((index >= pd.Timestamp(span.start)) & (index < pd.Timestamp(span.end))) for span in (period, earlier)
    )
    values = days.to_numpy(dtype=np.float64)
    for chosen, span in ((before, earlier), (after, period)):
        if (n := int(np.isfinite(values[chosen]).sum())) < NEEDED_DAYS:
            raise NotEnoughData(n=n, needed=NEEDED_DAYS, what=f"{what} in {span}")
    batch = change_many(values[None], before=before, after=after, alpha=alpha)
    if math.isnan(batch.p_value[0]):
        n = int(np.isfinite(values).sum())
        raise NotEnoughData(n=n, needed=n + 1, what=f"{what} up to {period}")
    return Change(
        before=float(batch.before[0]),
        after=float(batch.before[0] + batch.difference[0]),
        difference=float(batch.difference[0]),
        lower=float(batch.lower[0]),
        upper=float(batch.upper[0]),
        changed=bool(batch.changed[0]),
        p_value=float(batch.p_value[0]),
        q=float(q),
        metric=name,
        unit=unit,
        n=int(batch.n[0]),
        coverage=float(batch.n[0] / (period.days + earlier.days)),
        method=_METHOD,
        alpha=alpha,
        history=int(np.isfinite(values).sum()),
    )


def _days(series: pd.Series[Any], q: float, name: str) -> pd.Series[float]:
    """One value a UTC day, NaN where too little of it was measured."""
    import pandas as pd

    from healthkit.quantiles import needed

    values, step = regular(series)
    day = pd.Timedelta(days=1)
    if not len(values):
        raise NotEnoughData(n=0, needed=NEEDED_DAYS, what=f"days of {name or 'the series'}")
    even = pd.Series(values, pd.date_range(series.index[0], periods=len(values), freq=step).tz_convert("UTC"))
    if step > day:
        raise BadSeries(f"a step of {quantity(step.total_seconds(), 'seconds')}: days or less are needed")
    if step == day:
        return even
    least = max(needed(q), _ENOUGH_OF_A_DAY * (day / step))
    days = even.resample("D")
    return days.quantile(q / 100).where(days.count() >= least)
