"""Plans capacity: growth of 90 days, forecasts of 180 with intervals, when each limit is reached, what to buy and by when.

Kept in `HOME/reports/monthly/capacity-planning-YYYY-MM.json`, with the runbook's keys. With fewer than 30 measured days
of the last 90 a resource is not planned; what was not measured is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from healthkit.capacity.purchases import SIZES, Purchase, purchases
from healthkit.capacity.resources import RESOURCES
from healthkit.errors import StoreError
from healthkit.findings import Finding, Severity
from healthkit.jsons import plain
from healthkit.procedures._documents import keep, month_later
from healthkit.procedures._runs import Action, Outcome
from healthkit.quantities import counted, difference, quantity
from healthkit.schema import SIMULATED, title

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.capacity import Capacity, CapacityRow
    from healthkit.procedures._scenes import Scene

ACTS = False

WINDOW, NEEDED, HORIZON = 90, 30, 180
"""Days: that growth is looked for in, that must be measured of them, and that are looked ahead."""
HISTORY = timedelta(days=400)
"""How far back forecasts look where there is so much: a year, and a month to see the season turn."""
BUSY = {"cpu": 0.70, "memory": 0.80}
"""Mean use of a week from which the runbook plans for more."""
_METRICS = {"cpu": "cpu_busy_ratio", "memory": "memory_used_ratio"}
_MOST = 200
"""Resources whose numbers are kept one by one, the most urgent first; all are counted."""


def steps(scene: Scene) -> Iterator[Action]:
    """History, growth, forecast, purchases, record; only the record where there is too little history."""
    plan = _Plan(scene)
    yield Action("history", plan.read)
    if plan.plan is not None:
        yield Action("growth", plan.grow)
        yield Action("forecast", plan.look_ahead)
        yield Action("purchases", plan.buy)
    yield Action("record", plan.keep)


class _Plan:
    """A plan under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rollup: pd.DataFrame | None = None
        self.plan: Capacity | None = None
        """None where there is too little history."""
        self._reason = "no history was read"
        self._bought: tuple[Purchase, ...] = ()
        self._advice: list[str] = []
        self._factor = 1.0

    def read(self) -> Outcome:
        """Daily statistics, and whether they are enough to plan by."""
        from healthkit import store
        from healthkit.capacity import capacity
        from healthkit.ledger import score

        scene = self._scene
        metrics = [SIMULATED, *(r.metric for r in RESOURCES), *SIZES.values()]
        rollup = store.load_rollup(scene.home, metrics=metrics, start=scene.now - HISTORY, end=scene.now)
        self._rollup = rollup
        try:
            self._factor = score(scene.home, rollup=rollup, now=scene.now).factor
        except StoreError:  # without the record of earlier forecasts the intervals stay as they are
            self._factor = 1.0
        plan = capacity(
            rollup, limits=scene.config.limits, growth=scene.config.growth, horizon=HORIZON, now=scene.now,
            factor=self._factor, needed=NEEDED, within=WINDOW,
        )  # fmt: skip
        known = [row for row in plan.rows if row.state != "unknown"]
        days = max((int(n) for n in _measured(plan)), default=0)
        evidence = {"resources": len(plan.rows), "planned": len(known), "days": days, "window": WINDOW, "needed": NEEDED,
                    "factor": self._factor, "simulated": _simulated(rollup)}  # fmt: skip
        if known:
            self.plan = plan
            message = f"{len(known)} of {counted(len(plan.rows), 'resource')} {'has' if len(known) == 1 else 'have'} the {NEEDED} measured days of the last {WINDOW} that a plan needs"
            return Outcome(message, evidence)
        self._reason = (
            f"the best-measured resource has {days} measured days of the last {WINDOW}; a plan needs {NEEDED}"
        )
        hint = "Keep the collector running, or bring in older samples: healthkit import."
        found = scene.finding(Severity.UNKNOWN, "history", self._reason, value=float(days), hint=hint, threshold=NEEDED)
        return Outcome(self._reason, evidence, (found,))

    def grow(self) -> Outcome:
        """What grows by more than chance: the slope a day, and a month against the one before."""
        plan = self._known
        growing = [row for row in plan.rows if row.growing]
        rows = [
            {
                "host": r.host,
                "metric": r.metric,
                "device": r.device,
                "unit": r.unit,
                "slope": r.slope,
                "month": r.growth,
            }
            for r in growing[:_MOST]
        ]
        findings = tuple(
            self._scene.finding(Severity.INFO, r.subject, _growth(r), value=r.slope if math.isfinite(r.slope) else None)
            for r in growing[:_MOST]
        )
        self._advice += [f"{r.subject}: {_growth(r)}: find out what grows" for r in growing]
        compared = sum(math.isfinite(r.growth) for r in plan.rows)
        message = (
            f"{len(growing)} of {counted(len(plan.rows), 'resource')} {'grows' if len(growing) == 1 else 'grow'} by more than the configuration allows; "
            f"{compared} could be compared with the month before"
        )
        return Outcome(message, plain({"growing": rows, "compared": compared}), findings)

    def look_ahead(self) -> Outcome:
        """Every resource in 180 days, or as far as its history bears, with intervals and the day of its limit."""
        plan = self._known
        rows = [_row(plan, i) for i in range(min(len(plan.rows), _MOST))]
        findings = tuple(filter(None, (self._judge(row) for row in plan.rows)))
        return Outcome(
            str(plan), plain({"horizon": HORIZON, "rows": rows, "left_out": len(plan.rows) - len(rows)}), findings
        )

    def buy(self) -> Outcome:
        """How much more of what, and by when."""
        assert self._rollup is not None  # noqa: S101 - read before
        self._bought = purchases(self._known, self._rollup)
        self._advice = [*map(str, self._bought), *self._advice, *self._busy()]
        message = f"{counted(len(self._bought), 'purchase')} to keep every resource below its limit for {HORIZON} days"
        if self._bought:
            message += f", the first by {self._bought[0].by:%Y-%m-%d}"
        return Outcome(message, plain({"purchases": [p.as_dict() for p in self._bought], "advice": self._advice}))

    def keep(self) -> Outcome:
        """The runbook's JSON, and the whole of the plan beside its keys."""
        now = self._scene.now
        body = {
            "date": now.isoformat(),
            "host": self._scene.config.host,
            "current_utilization": self._use(percent=True),
            "recommendations": self._advice,
            "next_review": month_later(now).isoformat(),
            "unknown": "" if self.plan else self._reason,
            "purchases": [p.as_dict() for p in self._bought],
            "plan": _whole(self.plan) if self.plan else None,
            "simulated": _simulated(self._rollup) if self._rollup is not None else [],
        }
        text = json.dumps(plain(body), indent=2, ensure_ascii=False) + "\n"
        path = keep(self._scene.home, "monthly", f"capacity-planning-{now:%Y-%m}.json", text)
        return Outcome(f"kept in {path}", {"path": str(path), "current_utilization": body["current_utilization"]})

    @property
    def _known(self) -> Capacity:
        assert self.plan is not None  # noqa: S101 - the steps that ask are only taken then
        return self.plan

    def _judge(self, row: CapacityRow) -> Finding | None:
        soon = self._scene.config.limits.days_to_full
        if row.state == "unknown":
            return self._scene.finding(
                Severity.UNKNOWN, row.subject, row.sentence, hint="See `healthkit check collectors`."
            )
        if row.days is None:
            return None
        severity = Severity.WARNING if row.days <= soon else Severity.INFO
        return self._scene.finding(severity, row.subject, row.sentence, value=row.days, unit="days", threshold=soon)

    def _use(self, *, percent: bool = False) -> dict[str, float | None]:
        """Mean use of this host over the newest week; None where it was not measured."""
        found: dict[str, float | None] = {}
        for name, metric in _METRICS.items():
            mean = self._mean(metric)
            found[name] = None if mean is None else mean * 100 if percent else mean
        return found

    def _mean(self, metric: str) -> float | None:
        if self._rollup is None:
            return None
        rows = self._rollup[(self._rollup["metric"] == metric) & (self._rollup["host"] == self._scene.config.host)]
        rows = rows[(rows["date"] > self._scene.now - timedelta(days=7)) & (rows["n"] > 0)]
        return float((rows["mean"] * rows["n"]).sum() / rows["n"].sum()) if len(rows) else None

    def _busy(self) -> list[str]:
        use = self._use()
        return [
            f"{self._scene.config.host}: {title(_METRICS[name])} was {quantity(value, 'ratio')} in the mean of the last "
            f"week, above {quantity(BUSY[name], 'ratio')}: plan for more"
            for name, value in use.items() if value is not None and value > BUSY[name]
        ]  # fmt: skip


def _measured(plan: Capacity) -> Any:
    """Days measured of the window, by row."""
    import numpy as np

    return np.isfinite(plan.past[:, -WINDOW:]).sum(axis=1)


def _row(plan: Capacity, index: int) -> dict[str, Any]:
    """The numbers of one resource, and its forecast at the end of its horizon."""
    row = plan.rows[index]
    names = ("host", "metric", "device", "unit", "limit", "state", "value", "days", "days_lower", "days_upper",
             "horizon", "slope", "growth", "n", "coverage", "date", "sentence", "unknown")  # fmt: skip
    return {name: getattr(row, name) for name in names} | {"ahead": _ahead(plan, index)}


def _ahead(plan: Capacity, index: int) -> dict[str, float] | None:
    """The forecast of a row on the last day of its horizon, with both intervals; None where it has none."""
    end = plan.rows[index].horizon - 1
    if end < 0:
        return None
    ends = {f"{name}{level}": float(part[level][index, end])
            for level in (80, 95) for name, part in (("lower", plan.lower), ("upper", plan.upper))}  # fmt: skip
    return {"mean": float(plan.mean[index, end]), **ends}


def _whole(plan: Capacity) -> dict[str, Any]:
    """Every resource, with its forecast."""
    body = plan.as_dict()
    rows = [row | {"ahead": _ahead(plan, index)} for index, row in enumerate(body["rows"])]
    return body | {"rows": rows}


def _growth(row: CapacityRow) -> str:
    words = []
    if math.isfinite(row.slope):
        way = "rises" if row.slope > 0 else "falls"
        words.append(f"{title(row.metric)} {way} by {difference(abs(row.slope), row.unit).lstrip('+')} a day")
    if math.isfinite(row.growth):
        words.append(f"{difference(row.growth, 'ratio').replace('points', '%')} against the month before")
    return ", ".join(words)


def _simulated(rollup: pd.DataFrame) -> list[str]:
    return sorted(set(rollup.loc[rollup["metric"] == SIMULATED, "host"].astype(str)))
