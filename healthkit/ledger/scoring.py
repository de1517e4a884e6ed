"""Forecasts whose day has come, against what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit.ledger.calibration import coverage_interval, width_factor
from healthkit.ledger.results import Ledger
from healthkit.state import State

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]

_DAY = timedelta(days=1)
_MEMORY = timedelta(days=365)
_ENOUGH = 0.5  # of the days up to a limit, or up to the end of the horizon, for a date to be told right or wrong
_GIVE_UP = timedelta(days=30)  # after which a day that was not measured will not be


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
        # Those of today are of the report that asks, when it is made again: it must not count itself.
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        open_ones = [row for row in state.records("forecasts", scored=None) if row["made"] < today]
        due = [row for row in open_ones if row["kind"] == "crossing" or row["target"] + _DAY <= now]
        if due:
            measured = _measured(home, rollup, due, now)
            changes = {row["id"]: change for row in due if (change := _judge(row, measured, now))}
            if changes and not state.problem:
                state.update_all("forecasts", changes)
        scored = [
            row for row in state.records("forecasts", since=now - _MEMORY) if row["scored"] and row["made"] < today
        ]
    rows = [row for row in scored if _over(row, now)]
    return _sum_up(rows, waiting=len(open_ones) - len(changes if due else {}) + len(scored) - len(rows))


def _over(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether what a forecast was scored by was known then: an old report, made again, knows nothing of later days."""
    reached = row["kind"] == "crossing" and row["actual"] is not None
    return bool((row["made"] + row["actual"] * _DAY if reached else row["target"] + _DAY) <= now)


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
    days = measured[row["host"], row["metric"], row["device"], row["how"]]
    if row["kind"] == "crossing":
        return _judge_date(row, days, now)
    value = days.value[days.date == _naive(row["target"])]
    if len(value) and math.isfinite(value[0]):
        return {"actual": float(value[0]), "scored": now}
    return {"scored": now} if row["target"] + _GIVE_UP <= now else {}


def _judge_date(row: Mapping[str, Any], days: _Days, now: datetime) -> dict[str, Any]:
    """On which day of the horizon a limit was reached, if it was, and of what share of the days up to then one can tell."""
    import numpy as np

    horizon = round((row["target"] - row["made"]) / _DAY) + 1
    day = (days.date - _naive(row["made"])) / np.timedelta64(1, "D") + 1
    seen = np.isfinite(days.value) & (day >= 1) & (day <= horizon)
    reached = day[seen & (days.value >= row["limit_value"])]
    if not len(reached) and row["target"] + _DAY > now:
        return {}
    last = float(reached[0]) if len(reached) else horizon
    found = {"measured": float(np.count_nonzero(seen & (day <= last)) / last), "scored": now}
    return found | ({"actual": last} if len(reached) else {})


def _naive(when: datetime) -> np.datetime64:
    """UTC, as NumPy keeps it: without a zone."""
    import numpy as np

    return np.datetime64(when.replace(tzinfo=None), "ms")


def _sum_up(rows: list[dict[str, Any]], *, waiting: int) -> Ledger:
    import numpy as np

    values = [row for row in rows if row["kind"] == "value" and row["actual"] is not None]
    dates = [row for row in rows if row["kind"] == "crossing" and _dated(row)]
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
        held80_uncorrected=sum(one["stretch"] <= 1 for one in scores),
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


def _dated(row: Mapping[str, Any]) -> bool:
    """Whether a date was predicted, or the limit was reached, and enough days were measured to tell."""
    told = row["measured"] is None or row["measured"] >= _ENOUGH  # None: of a version that did not count
    return told and (row["lower80"] is not None or row["actual"] is not None)


def _held(row: Mapping[str, Any]) -> bool:
    """Whether a limit was reached within the predicted interval; None stands for 'not within the horizon'."""
    lower, upper, actual = (math.inf if row[name] is None else row[name] for name in ("lower80", "upper80", "actual"))
    return bool(lower <= actual <= upper)
