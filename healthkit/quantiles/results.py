"""Percentiles as a result: a value, or why there is none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from healthkit.errors import NotEnoughData, ParameterError
from healthkit.quantities import counted, covered, quantity
from healthkit.schema import title

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.bundles import Table


@dataclass(frozen=True, slots=True)
class Percentile:
    """One percentile of one group."""

    group: str
    """Hour (`00` to `23`), weekday, host or device; empty for the whole."""
    q: float
    """Which one, 0 to 100."""
    value: float
    """Its value, in the unit of the metric; NaN where `unknown` says why."""
    lower: float
    """Lower end of the 95 % interval; -inf where there are too few values for an end."""
    upper: float
    """Upper end; inf where there are too few values for an end."""
    n: int
    """Values in the group."""
    error: float = 0.0
    """How far the rank of the value may be from q, in rank points: 0 from samples, more from a rollup."""
    unknown: str = ""
    """Why it could not be told; empty where it could."""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.unknown


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of a metric, with what they rest on."""

    rows: tuple[Percentile, ...]
    """One for each group and percentile."""
    metric: str
    """`cpu_busy_ratio`; empty for a series without a name."""
    unit: str
    """Unit of the values."""
    n: int
    """Values in all."""
    coverage: float
    """Share of the time that was measured, 0 to 1."""
    by: str
    """What the groups are; empty for one group."""
    method: str
    """How values and intervals were found."""

    def __getitem__(self, q: float) -> float:
        """The value of percentile *q* of an ungrouped result.

        Raises:
            NotEnoughData: It could not be told.
            ParameterError: It was not asked for, or there are groups.
        """
        row = next((row for row in self.rows if row.q == q), None)
        if row is None or self.by:
            raise ParameterError(f"p{q:g} was not asked for" if row is None else f"percentiles by {self.by}: use .rows")
        if not row.known:
            raise NotEnoughData(n=row.n, needed=needed(q), what=f"p{q:g} of {self.metric or 'the series'}")
        return row.value

    def __iter__(self) -> Iterator[Percentile]:
        return iter(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """One row a percentile; columns are the fields of `Percentile`."""
        import pandas as pd

        columns = ("group", "q", "value", "lower", "upper", "n", "error", "unknown")
        return pd.DataFrame([{name: getattr(row, name) for name in columns} for row in self.rows], columns=columns)

    def plot(self, ax: Any = None) -> Any:
        """Draw every percentile with its interval, by group, on a matplotlib Axes or on a figure of its own."""
        from healthkit.plots import dots

        groups = list(dict.fromkeys(row.group for row in self.rows))
        points = {
            f"p{q:g}": [(row.value, row.lower, row.upper) for row in self.rows if row.q == q]
            for q in dict.fromkeys(row.q for row in self.rows)
        }
        name = title(self.metric) if self.metric else "Series"
        heading = f"{name} by {self.by}" if self.by else name
        return dots([group or "all" for group in groups], points, title=heading, unit=self.unit, ax=ax)

    def as_dict(self) -> dict[str, Any]:
        """JSON: numbers that are not finite become null."""
        from healthkit.jsons import plain

        body: dict[str, Any] = plain(asdict(self))
        return body

    def table(self) -> Table:
        """Every percentile with its interval, or why it is not known, for people."""
        from healthkit.bundles import Table

        shown = [
            (
                row.group,
                f"p{row.q:g}",
                quantity(row.value, self.unit),
                _interval_text(row, self.unit),
                row.n,
                row.unknown,
            )
            for row in self.rows
        ]
        heads = (self.by.capitalize(), "Percentile", "Value", "Interval", "Values", "Unknown because")
        skip = 0 if self.by else 1
        return Table(heads[skip:], [r[skip:] for r in shown])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        heads, rows = self.table()
        return bundle("percentiles", str(self), self.as_dict(), columns=heads, rows=rows)

    def __str__(self) -> str:
        name = title(self.metric) if self.metric else "The series"
        if self.by:
            return f"{name} by {self.by}: {self._comparison()}."
        return f"{name}: {', '.join(_phrase(row, self.unit) for row in self.rows)}; {covered(self.coverage)} measured."

    def _comparison(self) -> str:
        """Where the highest percentile that most groups know is highest, and where lowest."""
        known = Counter(row.q for row in self.rows if row.known)
        if not known:
            return f"too few values in every group ({self.n} values)"
        top = max(known, key=lambda q: (known[q], q))
        rows = [row for row in self.rows if row.q == top and row.known]
        least, worst = min(rows, key=lambda row: row.value), max(rows, key=lambda row: row.value)
        high, low = (quantity(row.value, self.unit) for row in (worst, least))
        text = f"p{top:g} is highest at {worst.group} ({high}) and lowest at {least.group} ({low})"
        if worst.value == least.value:
            text = f"p{top:g} is {high} in {counted(len(rows), 'group')}"
        few = sum(row.q == top for row in self.rows) - len(rows)
        return f"{text}; {counted(few, 'group has', 'groups have')} too few values" if few else text


def needed(q: float) -> int:
    """Values it takes for percentile *q*: at least one must be expected beyond it, on either side.

    >>> needed(50), needed(95), needed(99)
    (2, 20, 100)
    """
    if not 0 < q < 100:
        raise ParameterError(f"percentile {q}: must lie between 0 and 100")
    return math.ceil(round(100 / min(q, 100 - q), 9))


def wanted_of(q: Sequence[float]) -> tuple[float, ...]:
    """The percentiles, each once, ascending.

    Raises:
        ParameterError: No list of numbers, none, or one outside 0 to 100.
    """
    try:
        wanted = tuple(sorted({float(one) for one in q}))
    except (TypeError, ValueError) as error:
        raise ParameterError(f"percentiles are a list of numbers such as (50, 95), not {q!r}") from error
    if not wanted:
        raise ParameterError("no percentile asked for")
    for one in wanted:
        needed(one)
    return wanted


def too_few(n: int, q: float) -> str:
    """Why a percentile is unknown."""
    return f"{counted(n, 'value')}, needs {needed(q)}"


def _phrase(row: Percentile, unit: str) -> str:
    return f"p{row.q:g} {quantity(row.value, unit)}" if row.known else f"p{row.q:g} unknown ({row.unknown})"


def _interval_text(row: Percentile, unit: str) -> str:
    return f"{quantity(row.lower, unit)} to {quantity(row.upper, unit)}" if row.known else ""
