"""What is predicted, and its way into the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.capacity import Capacity

HORIZONS = (7, 14, 30, 60, 90, 180)
"""Days ahead at which forecasts are recorded."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A forecast of one series for one day, or of the day on which it reaches its limit."""

    host: str
    metric: str
    device: str
    how: str
    """Which number of a day: `mean`, `max`, `last`, `p95`, ..."""
    made: datetime
    """First moment after the values that the forecast knew, UTC."""
    target: datetime
    """Midnight of the day that it is for, UTC; for a crossing of the last day of its horizon."""
    mean: float
    """In the metric's unit; for a crossing the day, 1 = the one that begins at `made`, inf = not within the horizon."""
    lower80: float
    upper80: float
    lower95: float = math.nan
    upper95: float = math.nan
    factor: float = 1.0
    """By how much the interval was widened when it was made."""
    kind: Literal["value", "crossing"] = "value"
    limit_value: float = math.nan
    """For a crossing: the limit, in the metric's unit."""


def predictions(plan: Capacity, *, horizons: Sequence[int] = HORIZONS) -> Iterator[Prediction]:
    """What a capacity plan predicts, for the ledger: values some days ahead, and the day of the limit.

    Args:
        plan: The plan.
        horizons: Days ahead.
    """
    for place, row in enumerate(plan.rows):
        if row.state == "unknown":
            continue
        common: dict[str, Any] = {
            "host": row.host,
            "metric": row.metric,
            "device": row.device,
            "how": row.how,
            "made": plan.start,
        }
        for days in horizons:
            if days <= row.horizon:
                at = days - 1
                yield Prediction(
                    **common,
                    target=plan.start + at * _DAY,
                    mean=float(plan.mean[place, at]),
                    lower80=float(plan.lower[80][place, at]),
                    upper80=float(plan.upper[80][place, at]),
                    lower95=float(plan.lower[95][place, at]),
                    upper95=float(plan.upper[95][place, at]),
                    factor=plan.factor,
                )
        if row.state != "over":
            ends = [math.inf if days is None else days for days in (row.days, row.days_lower, row.days_upper)]
            yield Prediction(
                **common,
                target=plan.start + (row.horizon - 1) * _DAY,
                mean=ends[0],
                lower80=ends[1],
                upper80=ends[2],
                factor=plan.factor,
                kind="crossing",
                limit_value=row.limit,
            )


def prediction(data: Mapping[str, Any]) -> Prediction:
    """A prediction back from JSON, in which times are text, and infinite or missing numbers null."""
    values = dict(data)
    values |= {name: datetime.fromisoformat(values[name]) for name in ("made", "target")}
    nothing = {"mean": math.inf, "lower80": math.inf, "upper80": math.inf}
    unknown = {"lower95": math.nan, "upper95": math.nan, "limit_value": math.nan}
    return Prediction(**values | {k: v for k, v in (nothing | unknown).items() if values.get(k) is None})


def pack(predictions: Iterable[Prediction]) -> dict[str, list[Any]]:
    """Predictions as one table, names once: a fleet has thousands, and a notebook keeps them as JSON."""
    names = list(Prediction.__dataclass_fields__)
    return {"columns": names, "rows": [[getattr(one, name) for name in names] for one in predictions]}


def unpack(table: Mapping[str, Sequence[Any]]) -> Iterator[Prediction]:
    """The predictions of a table that `pack` made, back from JSON."""
    for row in table["rows"]:
        yield prediction(dict(zip(table["columns"], row, strict=True)))


def record(home: Path, predictions: Iterable[Prediction]) -> int:
    """Store predictions; those of a series that were made for the same days at the same time before are not repeated.

    Returns:
        How many were stored, in the database or, while it cannot be used, in the spool.

    Raises:
        StoreError: They could be stored nowhere.
    """
    rows = [asdict(prediction) for prediction in predictions]
    with State(home) as state:
        known: set[tuple[Any, ...]] = set()
        if not state.problem:
            for made in {row["made"] for row in rows}:
                known |= {_key(row) for row in state.records("forecasts", made=made)}
        new = [row for row in rows if _key(row) not in known]
        if new:
            state.record_all("forecasts", new)
    return len(new)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("host", "metric", "device", "how", "made", "target", "kind"))
