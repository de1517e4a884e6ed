"""What health.db keeps of a run: a row of `task_runs`, begun as `running` so that a killed run can be told.

A run that a task started is kept in the task's own row, which the schedule began: one run, one row.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.jsons import plain
from healthkit.logbook import KILLED
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.procedures._runs import Run


def begin(home: Path, procedure: str, *, started: datetime, host: str, task_run: int | None = None) -> None:
    """Keep that a run has begun, and that earlier ones that never ended were killed.

    The caller holds the lock of the procedure, so whoever is still `running` is not.

    Args:
        home: Whose records.
        procedure: Its name.
        started: UTC.
        host: Where.
        task_run: The row of the task that runs it; a row of its own if there is none, or it is not waiting for this.

    Raises:
        StoreError: It could be kept nowhere.
    """
    mine = {"procedure": procedure, "pid": os.getpid()}
    with State(home) as state:
        if not state.problem:
            for row in _running(state, procedure):
                detail = {**row["detail"], "reason": KILLED}
                state.update("task_runs", row["id"], status="failed", exit_code=2, ended=started, detail=detail)
            for row in state.records("task_runs", status="running") if task_run is not None else []:
                if row["id"] == task_run and _calls(row["detail"], procedure):
                    state.update("task_runs", row["id"], detail={**row["detail"], **mine})
                    return
        state.record_task_run(procedure, started=started, ended=None, status="running", host=host, detail=mine)


def end(home: Path, run: Run) -> None:
    """Keep how a run ended.

    Raises:
        StoreError: It could be kept nowhere.
    """
    ended = run.started + timedelta(seconds=run.seconds)
    detail: dict[str, Any] = plain(run.as_dict())
    with State(home) as state:
        for row in [] if state.problem else _running(state, run.procedure):
            values = {"status": run.status, "exit_code": run.exit_code, "ended": ended}
            state.update("task_runs", row["id"], **values, detail={**row["detail"], **detail})
            return
        times: dict[str, Any] = {"started": run.started, "ended": ended}
        rest: dict[str, Any] = {"status": run.status, "exit_code": run.exit_code, "host": run.host, "detail": detail}
        state.record_task_run(run.procedure, **times, **rest)


def _running(state: State, procedure: str) -> list[dict[str, Any]]:
    """Rows that this procedure began; a task of the same name, or one that has yet to call it, is not among them."""
    rows = state.records("task_runs", procedure=procedure, status="running")
    return [row for row in rows if isinstance(row["detail"], dict) and row["detail"].get("procedure") == procedure]


def _calls(detail: Any, procedure: str) -> bool:
    """Whether a row of the schedule waits for this procedure."""
    return isinstance(detail, dict) and detail.get("command", [])[1:3] == ["run", procedure]
