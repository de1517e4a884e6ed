"""One row of a capacity plan: when one resource of one host reaches its limit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from healthkit.quantities import quantity, when
from healthkit.schema import title

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.charts import Chart

DAY = timedelta(days=1)
State = Literal["over", "reaches", "below", "unknown"]


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """One resource of one host."""

    host: str
    metric: str
    device: str
    how: str
    """Which number of a day was forecast: `max`, `p95`."""
    unit: str
    limit: float
    """What must not be reached, in `unit`."""
    state: State
    """`over`: at its limit or above it now, `reaches` it within the horizon, stays `below`, or `unknown`."""
    value: float
    """That of the newest measured day, in `unit`; NaN where nothing was measured."""
    headroom: float
    """Limit minus value, in `unit`."""
    days: float | None
    """Days until the limit is reached, 0 = now; None where it is not within the horizon, or unknown."""
    days_lower: float | None
    """Lower end of the 80 % interval of `days`; None = not within the horizon."""
    days_upper: float | None
    """Upper end; None = not within the horizon."""
    start: datetime
    """From when days are counted: the end of the newest whole day, UTC."""
    horizon: int
    """Days for which the forecast is believed: at most four times its history; 0 where unknown."""
    needed: float
    """Capacity needed at the end of the horizon to stay below the limit, as a share of today's; NaN where unknown."""
    needed_upper: float
    """The same for the upper end of the 80 % interval."""
    slope: float
    """Trend per day, in `unit`; NaN where none is significant."""
    growth: float
    """Mean of the newest 30 days over that of the 30 before, minus 1; NaN with fewer than 60 days."""
    growing: bool
    """Whether `slope` or `growth` exceeds what the configuration allows."""
    n: int
    """Days measured."""
    coverage: float
    """Share of the days since the first that were measured, 0 to 1."""
    unknown: str = ""
    """Why it could not be told, and what it needs; empty where it could."""

    @property
    def date(self) -> datetime | None:
        """The day on which the limit is reached."""
        return _date(self.start, self.days)

    @property
    def end(self) -> datetime:
        """The last day for which the forecast is believed."""
        return self.start + (self.horizon - 1) * DAY

    @property
    def subject(self) -> str:
        """Host, and device or name of the metric: `web-1 /var`."""
        return f"{self.host} {self.device or title(self.metric)}".strip()

    @property
    def name(self) -> str:
        """As `subject`, and of what it is where that is not the space on a disk: `web-1 /var (Inodes used)`."""
        plain = not self.device or self.metric == "disk_used_ratio"
        return self.subject if plain else f"{self.subject} ({title(self.metric)})"

    @property
    def crossing(self) -> str:
        """When the limit is reached, with the 80 % interval, as people write it: `28 Nov (24 Nov to 5 Dec)`."""
        return f"{self.day(self.days)} ({self.interval})"

    @property
    def interval(self) -> str:
        """The 80 % interval of `days`, as people write it."""
        early, late = self.day(self.days_lower), self.day(self.days_upper)
        return f"{early} to {late}" if early != late else "to the day"

    @property
    def excess(self) -> str:
        """What there is to say where the limit is reached: by the newest whole day, which is not the newest sample."""
        value, limit = quantity(self.value, self.unit), quantity(self.limit, self.unit)
        return f"{self.name} is at its limit of {limit} or above: {value} on the newest day"

    def day(self, days: float | None) -> str:
        """The day on which so many have passed; what is not within the horizon is after its end."""
        date = _date(self.start, days)
        return when(date, now=self.start) if date else f"after {when(self.end, now=self.start)}"

    @property
    def sentence(self) -> str:
        """What there is to say, without a full stop."""
        limit = quantity(self.limit, self.unit)
        if self.state == "unknown":
            return f"{self.subject}: cannot tell when it reaches {limit}: {self.unknown}"
        if self.state == "over":
            return f"{self.subject} is at {quantity(self.value, self.unit)}, limit {limit}"
        if self.date is None:
            if early := _date(self.start, self.days_lower):
                return f"{self.subject} is not expected to reach {limit} by {self.end:%Y-%m-%d}, but may from {early:%Y-%m-%d} (80 % interval)"
            # no width around today's value: nothing in it tells how far it could move
            if self.needed == self.needed_upper == self.value / self.limit:
                return f"{self.subject} was the same on all {self.n} days: it does not reach {limit}, if it does not start to move"
            return f"{self.subject} does not reach {limit} by {self.end:%Y-%m-%d} (80 % interval)"
        lower, upper = _date(self.start, self.days_lower), _date(self.start, self.days_upper)
        late = f"{upper:%Y-%m-%d}" if upper else f"after {self.end:%Y-%m-%d}"
        return f"{self.subject} reaches {limit} on {self.date:%Y-%m-%d} (80 % interval {lower:%Y-%m-%d} to {late})"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        from healthkit.jsons import plain

        body: dict[str, Any] = plain(asdict(self) | {"date": self.date, "sentence": self.sentence})
        return body

    def to_frame(self) -> pd.DataFrame:
        """One row; columns are the fields, and date and sentence."""
        import pandas as pd

        return pd.DataFrame([asdict(self) | {"date": self.date, "sentence": self.sentence}])

    def chart(self) -> Chart:
        """The newest day, limit, and when it is reached; the forecast itself is in `Capacity.chart`."""
        from healthkit.charts import Chart, Line

        day = (self.start - DAY).timestamp(), self.start.timestamp()
        lines = [Line("measured", day, (self.value, self.value))]
        first, last = _date(self.start, self.days_lower), _date(self.start, self.days_upper)
        if first:
            # an end beyond the horizon is not known: the line stops where the forecast does
            end = last or self.end
            reached = first.timestamp(), end.timestamp()
            lines.append(Line("reached, 80 % interval", reached, (self.limit, self.limit), "forecast"))
        return Chart(
            name=f"capacity-{self.host}-{self.metric}-{self.device}".rstrip("-"),
            title=f"{self.subject}: {title(self.metric)}",
            unit=self.unit,
            lines=tuple(lines),
            limit=self.limit,
            marks=((self.date.timestamp(), self.sentence),) if self.date else (),
            alt=self.sentence,
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw `chart` on a matplotlib Axes, or on a figure of its own."""
        from healthkit.plots import plot

        return plot(self.chart(), ax)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        return bundle("capacity", str(self), self.as_dict())

    def __str__(self) -> str:
        return f"{self.sentence}."


def _date(start: datetime, days: float | None) -> datetime | None:
    """The day that is *days* steps ahead: step 1 is the day that begins at *start*."""
    return None if days is None else start + (max(math.ceil(days), 1) - 1) * DAY
