"""One run of a task: alone, no longer than it may, and recorded, whatever becomes of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, Literal

from healthkit.errors import ConfigError, HealthkitError
from healthkit.schedule.installing import since
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.config import Config
    from healthkit.schedule.places import Place
    from healthkit.schedule.tasks import Task

BUSY, TIMED_OUT, STOPPED = 75, 124, 143
"""Exit codes: another run holds the lock; stopped at its time-out (as timeout(1)); stopped by a signal."""
TAIL = 4000
"""Characters of the output that are kept: its end."""
GRACE = timedelta(minutes=10)
"""How long after its time a task is left to cron before it counts as missed."""
_PATIENCE = 10.0
"""Seconds between asking a task to end and ending it."""


class TaskBusy(HealthkitError):  # noqa: N818 - reads as the sentence it is
    """The task still runs."""

    exit_code = BUSY


@dataclass(frozen=True)
class TaskRun:
    """What became of one run."""

    task: str
    status: Literal["ok", "failed"]
    exit_code: int
    """Of the command, or `TIMED_OUT`."""
    started: datetime
    ended: datetime
    output: str
    """The end of what it printed, both streams."""

    def __str__(self) -> str:
        seconds = (self.ended - self.started).total_seconds()
        return f"{self.task}: {self.status}, exit code {self.exit_code}, {seconds:.1f} s"


def run(task: Task, place: Place, config: Config) -> TaskRun:
    """Run a task now.

    Args:
        task: Which.
        place: Interpreter and home.
        config: For the recipients of its report.

    Raises:
        TaskBusy: Another run of it goes on; that is recorded as skipped.
        ConfigError: This version lacks what it calls.
        OSError: The home cannot be written.
    """
    if task.lacks:
        raise ConfigError(f"task {task.name}: this version has no `{task.lacks}`")
    started = datetime.now(UTC)
    with _alone(place.home, task.name) as lock:
        if lock is None:
            _skip(place.home, task, config, started)
            raise TaskBusy(f"task {task.name} still runs: not started again")
        row = _begin(place.home, task, config, started)
        code, output = STOPPED, ""
        try:
            code, output = _execute(_command(task, place, config, row), place, task.timeout, lock)
        finally:
            # A check that found something exits 1 as a crash of Python does: only the one of them ran.
            good = code in task.good and not (code == 1 and "Traceback (most recent call last)" in output)
            ended = datetime.now(UTC)
            result = TaskRun(task.name, "ok" if good else "failed", code, started, ended, output)
            _end(place.home, task, config, result)
        return result


def missed(
    tasks: Sequence[Task], home: Path, *, now: datetime, zone: tzinfo | None = UTC, delay: float = 0
) -> list[Task]:
    """Tasks whose last due time passed without a run, oldest first; each counts once however often it was missed.

    Args:
        tasks: Which to look at; those that run every few minutes miss nothing that the next run does not do.
        home: Whose records tell when they ran.
        now: The time, UTC.
        zone: Whose clock the due times are of; None for this system's.
        delay: Seconds that cron's own start may be put off by: until then it is not missed.

    Raises:
        StoreError: The records cannot be read: what was missed is not known.
    """
    first = since(home, now=now)
    found: list[tuple[datetime, Task]] = []
    with State(home) as state:
        for task in tasks:
            due = task.calendar.previous(now - GRACE - timedelta(seconds=delay), zone=zone)
            if task.often or due < first:
                continue
            ran = state.records("task_runs", since=due - timedelta(minutes=1), task=task.name)
            if not any(run["status"] != "skipped" for run in ran):
                found.append((due, task))
    return [task for _, task in sorted(found, key=lambda pair: pair[0])]


def _command(task: Task, place: Place, config: Config, row: int | None) -> list[str]:
    """The argument list; a procedure is told the row of this run, to keep its evidence there: one run, one row."""
    listed = task.recipients and config.mail.recipients.of(task.recipients)
    more = ("--recipients", task.recipients) if task.recipients and listed else ()
    return place.command(*task.command, *more, *(("--task-run", str(row)) if row and task.procedure else ()))


@contextlib.contextmanager
def _alone(home: Path, name: str) -> Iterator[int | None]:
    """The descriptor of the task's lock; None while another run has it."""
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / f"task-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield fd
    finally:
        os.close(fd)


def _execute(command: list[str], place: Place, timeout: timedelta, lock: int) -> tuple[int, str]:
    """Exit code and the end of the output. However this is left, nothing of the process group is left behind."""
    environment = os.environ | {"HEALTHKIT_HOME": str(place.home)}
    with subprocess.Popen(
        command,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(lock,),  # if we are killed, the lock stays with the work
    ) as process:
        assert process.stdout is not None  # noqa: S101 - stdout=PIPE
        reader = _Tail(process.stdout)
        reader.start()
        code = TIMED_OUT
        with _signals():
            try:
                code = process.wait(timeout.total_seconds())
            except subprocess.TimeoutExpired:
                reader.add(f"\nstopped after {timeout}\n".encode())
            finally:
                _end_group(process)
        reader.join(2)
        return code, reader.text()


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP leave by an exception, so that what was started is ended and the end recorded."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of it: first asked, then ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            process.poll()
            os.killpg(process.pid, 0)  # raises once nobody is left
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)


class _Tail(threading.Thread):
    """Reads a pipe to its end and keeps the last of it: a task that prints without end fills neither memory nor disk."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._kept: deque[bytes] = deque(maxlen=16)

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under us, by a grandchild that outlived its group
            while block := os.read(self._pipe.fileno(), 4096):
                self.add(block)

    def add(self, block: bytes) -> None:
        self._kept.append(block)

    def text(self) -> str:
        return b"".join(tuple(self._kept)).decode("utf-8", "replace")[-TAIL:].strip()


def _skip(home: Path, task: Task, config: Config, started: datetime) -> None:
    now = datetime.now(UTC)
    if not task.often:
        with State(home) as state:
            state.record_task_run(
                task.name, started=started, ended=now, status="skipped", exit_code=BUSY, host=config.host
            )


def _begin(home: Path, task: Task, config: Config, started: datetime) -> int | None:
    """Record that it started; what an earlier run left open was killed, or the power went.

    Returns:
        The `id` of its row; None where the database has none.
    """
    if task.often:
        return None
    with State(home) as state:
        if not state.problem:
            dead = state.records("task_runs", task=task.name, status="running")
            change = {"status": "failed", "ended": started}
            reason = {"reason": "was killed, or the host went down"}
            state.update_all("task_runs", {row["id"]: change | {"detail": row["detail"] | reason} for row in dead})
        times: dict[str, Any] = {"started": started, "ended": None}
        state.record_task_run(task.name, **times, status="running", host=config.host, detail=_calls(task))
        row = _row(state, task, started)
        return row["id"] if row else None


def _end(home: Path, task: Task, config: Config, result: TaskRun) -> None:
    detail: dict[str, Any] = {"output": result.output, **_calls(task)}
    values = {"ended": result.ended, "status": result.status, "exit_code": result.exit_code}
    with State(home) as state:
        row = _row(state, task, result.started)
        if row:  # what its procedure kept there stays, and so does that it kept nothing
            state.update("task_runs", row["id"], **values, detail=row["detail"] | detail)
            return
        last = None if state.problem else state.last_task_run(task.name)
        if not task.often or _worth_recording(last, result):
            about = {"task": task.name, "host": config.host, "started": result.started}
            state.record("task_runs", about | values | {"detail": detail})


def _calls(task: Task) -> dict[str, Any]:
    return {"command": ["healthkit", *task.command]}


def _row(state: State, task: Task, started: datetime) -> dict[str, Any] | None:
    """The row of a run; None if the database has none: it cannot be used, or another was put in its place."""
    rows = [] if state.problem else state.records("task_runs", task=task.name, started=started, limit=1)
    return next(iter(rows), None)


def _worth_recording(last: dict[str, Any] | None, result: TaskRun) -> bool:
    """Of a task that runs all the time: a change, and a sign of life a day."""
    if last is None or last["started"] is None:
        return True
    return bool(last["status"] != result.status or result.started - last["started"] > timedelta(hours=20))
