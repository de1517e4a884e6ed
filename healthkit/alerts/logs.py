"""What is remembered of alerts: their states in the table `alerts`, silences in `silences`.

Every change of status is a row; the newest row of a name and host is its state, and is updated while the status stays.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from healthkit.alerts.states import Alert
from healthkit.errors import StoreError

if TYPE_CHECKING:
    from healthkit.state import State

_TIMES = ("since", "starts", "told", "turning", "measured")
MEMORY = timedelta(days=400)
"""How far back the state of an alert is looked for."""


@dataclass(frozen=True)
class Silence:
    """A time in which nobody is told of some alerts; they are watched all the same."""

    name: str
    """Name of a rule, or a pattern: `*` is a maintenance window."""
    starts: datetime
    ends: datetime
    reason: str = ""
    who: str = ""

    def covers(self, name: str, now: datetime) -> bool:
        """Whether it holds for this alert now."""
        return self.starts <= now < self.ends and fnmatch.fnmatchcase(name, self.name)

    def __str__(self) -> str:
        return f"{self.name} until {self.ends:%Y-%m-%d %H:%M} UTC: {self.reason or 'no reason given'}"


def read_alerts(state: State, host: str, *, now: datetime) -> dict[str, tuple[int, Alert]]:
    """The state of every alert of a host, by name, with the number of its row.

    Raises:
        StoreError: The database cannot be read.
    """
    found: dict[str, tuple[int, Alert]] = {}
    for row in state.records("alerts", since=now - MEMORY, host=host):
        key, name, detail = row["id"], row["name"], row["detail"]
        # The newest is the one written last; its time may be the earlier one, where a clock was set back.
        if name and key > found.get(name, (-1,))[0] and isinstance(detail, dict) and detail.get("rule"):
            found[name] = (key, _decode(row, detail))
    return found


def keep_alerts(state: State, before: dict[str, tuple[int, Alert]], after: Iterable[Alert], *, now: datetime) -> None:
    """Remember states: a new row where the status changed, the old one updated otherwise.

    Raises:
        StoreError: They can be kept neither in the database nor in the spool.
    """
    fresh: list[dict[str, Any]] = []
    changes: dict[int, dict[str, object]] = {}
    for alert in after:
        key, old = before.get(alert.name, (0, None))
        if old is None or old.status != alert.status:
            fresh.append({"ts": now, "name": alert.name, "host": alert.host, **_encode(alert)})
        elif old != alert:
            changes[key] = _encode(alert)
    if fresh:
        state.record_all("alerts", fresh)
    if changes and not state.problem:
        state.update_all("alerts", changes)


def add_silence(state: State, silence: Silence) -> None:
    """Keep a silence.

    Raises:
        StoreError: It cannot be kept where the next evaluation will find it.
    """
    stored = state.record("silences", {k: getattr(silence, k) for k in ("name", "starts", "ends", "reason", "who")})
    if not stored:
        raise StoreError(f"the silence waits in the spool and does not hold yet: {state.problem}")


def lift_silences(state: State, name: str, *, now: datetime) -> int:
    """End the silences of exactly this name now; how many there were.

    Raises:
        StoreError: The database cannot be written.
    """
    rows = [row for row in state.records("silences", name=name) if row["ends"] and row["ends"] > now]
    state.update_all("silences", {row["id"]: {"ends": now} for row in rows})
    return len(rows)


def read_silences(state: State, *, now: datetime) -> Sequence[Silence]:
    """Silences that hold now or will.

    Raises:
        StoreError: The database cannot be read.
    """
    rows = [row for row in state.records("silences") if row["starts"] and row["ends"] and row["ends"] > now]
    return [Silence(r["name"] or "", r["starts"], r["ends"], r["reason"] or "", r["who"] or "") for r in rows]


def _encode(alert: Alert) -> dict[str, Any]:
    times = {name: value.isoformat() if (value := getattr(alert, name)) else None for name in _TIMES}
    detail = {"rule": True, "runs": alert.runs, "unknown": alert.unknown, **times}
    return {"severity": alert.severity, "status": alert.status, "message": alert.message, "detail": detail}


def _decode(row: dict[str, Any], detail: dict[str, Any]) -> Alert:
    times = {name: datetime.fromisoformat(detail[name]) if detail.get(name) else None for name in _TIMES}
    return Alert(
        name=row["name"],
        host=row["host"] or "",
        status=row["status"],
        severity=row["severity"] or "warning",
        message=row["message"] or "",
        runs=int(detail.get("runs") or 0),
        unknown=str(detail.get("unknown") or ""),
        **times,
    )
