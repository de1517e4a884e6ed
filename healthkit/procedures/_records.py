"""What health.db keeps of a run: a row of `task_runs`, begun as `running` so that a killed run can be told."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.jsons import plain
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.procedures._runs import Run


def begin(home: Path, procedure: str, *, started: datetime, host: str) -> None:
    """Keep that a run has begun, and that earlier ones that never ended were killed.

    The caller holds the lock of the procedure, so whoever is still `running` is not.

    Raises:
        StoreError: It could be kept nowhere.
    """
    with State(home) as state:
        if not state.problem:
            for row in _running(state, procedure):
                detail = {**row["detail"], "reason": "it never ended: killed, or the power failed"}
                state.update("task_runs", row["id"], status="failed", exit_code=2, ended=started, detail=detail)
        detail = {"procedure": procedure, "pid": os.getpid()}
        state.record_task_run(procedure, started=started, ended=None, status="running", host=host, detail=detail)


def end(home: Path, run: Run) -> None:
    """Keep how a run ended.

    Raises:
        StoreError: It could be kept nowhere.
    """
    ended = run.started + timedelta(seconds=run.seconds)
    detail: dict[str, Any] = plain(run.as_dict())
    with State(home) as state:
        for row in [] if state.problem else _running(state, run.procedure):
            values = {"status": run.status, "exit_code": run.exit_code, "ended": ended, "detail": detail}
            state.update("task_runs", row["id"], **values)
            return
        times: dict[str, Any] = {"started": run.started, "ended": ended}
        rest: dict[str, Any] = {"status": run.status, "exit_code": run.exit_code, "host": run.host, "detail": detail}
        state.record_task_run(run.procedure, **times, **rest)


def _running(state: State, procedure: str) -> list[dict[str, Any]]:
    """Rows of ours: the schedule may keep rows of the same name, which say nothing of a procedure."""
    rows = state.records("task_runs", task=procedure, status="running")
    return [row for row in rows if isinstance(row["detail"], dict) and row["detail"].get("procedure") == procedure]
