"""The forecast ledger: what was predicted, what came, and how well the intervals held.

Every report stores its forecasts in `health.db`; later ones look up what was measured on the days they were for. When
fewer (or more) values than promised lie inside the 80 % intervals, and by more than chance, the next intervals are made
wider (or narrower), and the report says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from healthkit.state import State

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from healthkit.capacity import Capacity

    Array = np.ndarray[Any, np.dtype[np.float64]]

HORIZONS = (7, 14, 30, 60, 90, 180)
"""Days ahead at which forecasts are recorded."""
NEEDED = 30
"""Scored forecasts below which the intervals stay as they are."""
_DAY = timedelta(days=1)
_MEMORY = timedelta(days=365)
_GIVE_UP = timedelta(days=30)  # after which a day that was not measured will not be
_NARROWEST, _WIDEST = 2 / 3, 3.0


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


@dataclass(frozen=True)
class Ledger:
    """How earlier forecasts turned out."""

    n: int
    """Forecasts of values that were scored, of the last year."""
    held80: int
    """Of these, inside their 80 % interval."""
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
    """Predicted dates that were scored."""
    crossings_held: int
    """Of these, inside their 80 % interval."""
    waiting: int
    """Forecasts whose day has not come."""
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

    def as_dict(self) -> dict[str, Any]:
        """JSON: without the single scores; NaN becomes null."""
        body = {name: value for name, value in asdict(self).items() if name != "scores"}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in body.items()}

    def __str__(self) -> str:
        if not self.n:
            return f"No earlier forecast could be scored yet ({self.waiting} wait for their day)."
        held = f"{self.held80} of {self.n} forecasts held in their 80 % interval"
        if not self.drifting:
            return f"{held}."
        what = "wider" if self.factor > 1 else "narrower"
        return f"{held}: {'too few' if self.factor > 1 else 'more than promised'}, so intervals are made {what} ({self.factor:.2g} times)."


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


def score(home: Path, *, rollup: pd.DataFrame | None = None, now: datetime | None = None) -> Ledger:
    """Score every forecast whose day has been measured, and sum up the last year.

    Args:
        home: The home.
        rollup: Daily statistics as `load_rollup` returns them; read from the home by default.
        now: Days that end later are not over.

    Raises:
        StoreError: The database, or the store, cannot be read.
    """
    now = now or datetime.now(UTC)
    with State(home) as state:
        open_ones = state.records("forecasts", scored=None)
        due = [row for row in open_ones if row["kind"] == "crossing" or row["target"] + _DAY <= now]
        if due:
            measured = _measured(home, rollup, due, now)
            changes = {row["id"]: change for row in due if (change := _judge(row, measured, now))}
            if changes and not state.problem:
                state.update_all("forecasts", changes)
        rows = [row for row in state.records("forecasts", since=now - _MEMORY) if row["scored"] is not None]
    return _sum_up(rows, waiting=len(open_ones) - len(changes if due else {}))


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("host", "metric", "device", "how", "made", "target", "kind"))


class _Days(NamedTuple):
    """The measured days of one series."""

    date: np.ndarray[Any, np.dtype[np.datetime64]]
    value: Array


_Measured = Mapping[tuple[str, str, str, str], _Days]


def _measured(home: Path, rollup: pd.DataFrame | None, due: list[dict[str, Any]], now: datetime) -> _Measured:
    """The measured days of every series that has a due forecast, by (host, metric, device, how)."""
    import numpy as np

    from healthkit.store import load_rollup

    metrics = {row["metric"] for row in due}
    if rollup is None:
        rollup = load_rollup(home, metrics=metrics, start=min(row["made"] for row in due), end=now)
    rollup = rollup[(rollup["date"] + _DAY <= now) & rollup["metric"].isin(metrics)].sort_values("date")
    names = [rollup[name].astype(str).to_numpy() for name in ("host", "metric", "device")]
    places = rollup.groupby(names).indices
    date = rollup["date"].dt.tz_localize(None).to_numpy()
    columns = {how: _column(rollup, how) for how in {row["how"] for row in due}}
    empty = np.array([], dtype=np.intp)
    found = {}
    for key in {(row["host"], row["metric"], row["device"], row["how"]) for row in due}:
        at = places.get(key[:3], empty)
        found[key] = _Days(date[at], columns[key[3]][at])
    return found


def _column(rollup: pd.DataFrame, how: str) -> Array:
    """One number of every day: a column, or a point of the grid."""
    import numpy as np

    if how in rollup.columns:
        return np.asarray(rollup[how], dtype=np.float64)
    return np.array([grid[int(how[1:]) // 5] for grid in rollup["q"]], dtype=np.float64)


def _judge(row: Mapping[str, Any], measured: _Measured, now: datetime) -> dict[str, Any]:
    """What is to be written into a due forecast; empty if it still waits."""
    import numpy as np

    days = measured[row["host"], row["metric"], row["device"], row["how"]]
    if row["kind"] == "crossing":
        reached = days.date[(days.date >= _naive(row["made"])) & (days.value >= row["limit_value"])]
        if len(reached):
            return {"actual": float((reached[0] - _naive(row["made"])) / np.timedelta64(1, "D")) + 1, "scored": now}
        return {"scored": now} if row["target"] + _DAY <= now else {}
    value = days.value[days.date == _naive(row["target"])]
    if len(value) and math.isfinite(value[0]):
        return {"actual": float(value[0]), "scored": now}
    return {"scored": now} if row["target"] + _GIVE_UP <= now else {}


def _naive(when: datetime) -> np.datetime64:
    """UTC, as NumPy keeps it: without a zone."""
    import numpy as np

    return np.datetime64(when.replace(tzinfo=None), "ms")


def _sum_up(rows: list[dict[str, Any]], *, waiting: int) -> Ledger:
    import numpy as np

    values = [row for row in rows if row["kind"] == "value" and row["actual"] is not None]
    dates = [row for row in rows if row["kind"] == "crossing"]
    scores = tuple(_scored(row) for row in values)
    inside = np.array([one["inside80"] for one in scores], dtype=float)
    _, cluster = np.unique([f"{row['host']}\0{row['metric']}\0{row['device']}" for row in values], return_inverse=True)
    lower, upper = coverage_interval(inside, cluster)
    errors: dict[str, list[float]] = {}
    for one in scores:
        errors.setdefault(one["metric"], []).append(abs(one["error"]))
    return Ledger(
        n=len(values),
        held80=int(inside.sum()),
        series=len(set(cluster)),
        coverage80=float(inside.mean()) if values else math.nan,
        coverage80_lower=lower,
        coverage80_upper=upper,
        coverage95=float(np.mean([one["inside95"] for one in scores])) if scores else math.nan,
        mean_absolute_error={metric: float(np.mean(sizes)) for metric, sizes in sorted(errors.items())},
        crossings=len(dates),
        crossings_held=sum(_held(row) for row in dates),
        waiting=waiting,
        unmeasured=sum(row["kind"] == "value" and row["actual"] is None for row in rows),
        factor=width_factor(np.array([one["stretch"] for one in scores]), cluster),
        scores=scores,
    )


def _scored(row: Mapping[str, Any]) -> dict[str, Any]:
    error = row["actual"] - row["mean"]
    side = row["upper80"] - row["mean"] if error > 0 else row["mean"] - row["lower80"]
    stretch = 0.0 if error == 0 else abs(error) / side * (row["factor"] or 1.0) if side > 0 else math.inf
    return {
        "host": row["host"], "metric": row["metric"], "device": row["device"],
        "days": round((row["target"] - row["made"]) / _DAY) + 1, "target": row["target"],
        "actual": row["actual"], "mean": row["mean"], "error": error, "stretch": stretch,
        "inside80": row["lower80"] <= row["actual"] <= row["upper80"],
        "inside95": row["lower95"] is not None and row["lower95"] <= row["actual"] <= row["upper95"],
    }  # fmt: skip


def _held(row: Mapping[str, Any]) -> bool:
    """Whether a limit was reached within the predicted interval; None stands for 'not within the horizon'."""
    lower, upper, actual = (math.inf if row[name] is None else row[name] for name in ("lower80", "upper80", "actual"))
    return bool(lower <= actual <= upper)


def coverage_interval(inside: Array, cluster: np.ndarray[Any, Any]) -> tuple[float, float]:
    """95 % interval of a share whose trials come in clusters.

    Wilson's interval for as many independent trials as the clusters are worth: the share's variance between clusters
    over what it would be for independent trials.

    Sources:
        Wilson (1927), JASA 22, 209-212; design effect: Korn and Graubard (1998), Survey Methodology 24, 193-201.
    """
    import numpy as np

    n = len(inside)
    if not n:
        return math.nan, math.nan
    sums = np.bincount(cluster, weights=inside - inside.mean())
    groups = len(sums)
    share = float((inside.sum() + 2) / (n + 4))
    spread = float((sums**2).sum()) / n**2 * groups / max(1, groups - 1)
    worth = min(float(n), share * (1 - share) / spread) if spread > 0 and groups > 1 else float(groups)
    z2 = 1.96**2
    middle = (inside.mean() + z2 / (2 * worth)) / (1 + z2 / worth)
    half = math.sqrt(z2 * (inside.mean() * (1 - inside.mean()) / worth + z2 / (4 * worth**2))) / (1 + z2 / worth)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def width_factor(stretch: Array, cluster: np.ndarray[Any, Any], *, level: float = 0.80) -> float:
    """By how much intervals must be widened for *level* of the past errors to lie inside.

    *stretch* is each error over the half-width that the interval had without any factor. The answer is its *level*
    quantile, as in split conformal prediction, and 1 while the coverage may still be *level* by chance. It is taken
    from the forecasts scored in the last year, so that it follows a drift; because it judges intervals as they were
    before widening, it does not chase its own effect, which forecasts of half a year would show only later.

    Sources:
        Gibbs and Candes (2021), NeurIPS 34, 1660-1672, eq. 2; Lei et al. (2018), JASA 113, 1094-1111.
    """
    import numpy as np

    if len(stretch) < NEEDED:
        return 1.0
    lower, upper = coverage_interval((stretch <= 1).astype(float), cluster)
    if lower <= level <= upper:
        return 1.0
    rank = min(len(stretch) - 1, math.ceil(level * (len(stretch) + 1)) - 1)
    return float(np.clip(np.sort(stretch)[rank], _NARROWEST, _WIDEST))
