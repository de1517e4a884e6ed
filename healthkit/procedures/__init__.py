"""Procedures: each module of this folder does one job of the runbook, step by step, and leaves evidence.

A procedure is a module with a docstring whose first line says what it is for, and

- `ACTS`: whether it changes anything besides healthkit's own records. Such a procedure is dry unless it is told to apply,
- `steps(scene) -> Iterator[Action]`: its steps, in order. Each is taken when it is asked for, so that a later step may
  depend on what an earlier one found,
- `OPTIONS`: names of what the caller may say besides, each with a sentence (none if it does not say),
- `EMERGENCY`: whether it runs where the configuration cannot be used as well, by a backup's or by the defaults (no, if it does
  not say). Its option `backups` says where the backups are.

Dropping such a file here is all it takes. A step that the world makes fail becomes a failed step and a finding, and the
steps after it are skipped; a run is recorded in `task_runs` of health.db, dry runs are not.
"""

from __future__ import annotations

import pkgutil
import sqlite3
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from healthkit.checks._context import NOT_INSTALLED, run_tool
from healthkit.config import Config, load_config
from healthkit.errors import ConfigError, HealthkitError, ParameterError, ProcedureError
from healthkit.findings import Finding, Findings, Severity
from healthkit.procedures import _records
from healthkit.procedures._locks import alone, orderly_end
from healthkit.procedures._runs import OK, PLANNED, SKIPPED, STATUS, Action, Outcome, Run, Step
from healthkit.procedures._scenes import Scene
from healthkit.procedures._stopgaps import stopgap

__all__ = ["Action", "Outcome", "Procedure", "Run", "Scene", "Step", "alone", "load", "names", "run"]

EXPECTED = (OSError, subprocess.SubprocessError, HealthkitError, sqlite3.Error, tarfile.TarError, ImportError)
"""What the world does to a step; anything else is a mistake of ours and flies, after the run was recorded."""


@dataclass(frozen=True)
class Procedure:
    """One procedure, as its module describes it."""

    name: str
    """Name of its module."""
    acts: bool
    """Whether it changes anything, and is therefore dry unless told to apply."""
    summary: str
    """One line."""
    options: Mapping[str, str]
    """What the caller may say besides: name and meaning."""
    steps: Callable[[Scene], Iterator[Action]]
    """The procedure itself."""
    emergency: bool = False
    """Whether it runs with a stopgap where the configuration cannot be used."""


def names() -> tuple[str, ...]:
    """The procedures there are, in order of name."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


@cache
def load(name: str) -> Procedure:
    """One procedure.

    Raises:
        ParameterError: There is none of this name.
    """
    if name not in names():
        raise ParameterError(f"no procedure is named {name!r}; there are {', '.join(names())}")
    module = import_module(f"{__name__}.{name}")
    summary = (module.__doc__ or "").partition("\n")[0]
    return Procedure(
        name, module.ACTS, summary, getattr(module, "OPTIONS", {}), module.steps, getattr(module, "EMERGENCY", False)
    )


def run(
    procedure: str,
    home: str | Path,
    *,
    config: Config | None = None,
    dry_run: bool = True,
    now: datetime | None = None,
    root: str = "/",
    run: Callable[..., subprocess.CompletedProcess[str]] = run_tool,
    options: Mapping[str, str] | None = None,
    task_run: int | None = None,
) -> Run:
    """Run a procedure, or say what it would do.

    Args:
        procedure: Its name.
        home: The directory that holds everything.
        config: The configuration; read from the home if not given.
        dry_run: Change nothing. Procedures that only read (`load(name).acts` is False) do their work either way.
        now: When it began, UTC.
        root: Top of the tree that system files are looked up in.
        run: Runs a program: an argument list, `timeout` in seconds.
        options: What the procedure's `OPTIONS` name.
        task_run: The row of `task_runs` that the schedule began for this run and that keeps its evidence.

    Raises:
        ConfigError: The configuration cannot be used, and the procedure is not for an emergency.
        ParameterError: There is no such procedure, or it has no such option.
    """
    known = load(procedure)
    unknown = sorted(set(options or {}) - set(known.options))
    if unknown:
        raise ParameterError(f"{procedure} has no option {unknown[0]!r}; it has {', '.join(known.options) or 'none'}")
    home = Path(home)
    settings, broken = (config, None) if config is not None else _configuration(home, known, options or {})
    scene = Scene(
        procedure=procedure,
        home=home,
        config=settings,
        now=(now or datetime.now(UTC)).astimezone(UTC),
        dry_run=dry_run and known.acts,
        root=root,
        run=run,
        options=options or {},
    )
    with orderly_end():
        return _Course(scene, [broken(scene)] if broken else [], task_run).take(known)


def _configuration(
    home: Path, known: Procedure, options: Mapping[str, str]
) -> tuple[Config, Callable[[Scene], Finding] | None]:
    """The configuration; and where it is a stopgap, what says so."""
    try:
        return load_config(home), None
    except ConfigError as error:
        if not known.emergency:
            raise
        instead, message = stopgap(home, options.get("backups", "")), str(error)
    severity = Severity.WARNING if instead.whole else Severity.CRITICAL
    message += f": this run goes by {instead.origin}"
    message += "" if instead.whole else "; what the configuration names was not looked at"
    hint = "Correct the file, or let `healthkit run recovery --apply` bring it back; `-o backups DIR` says where backups are."
    return instead.config, lambda scene: scene.finding(severity, "configuration", message, hint=hint)


class _Course:
    """One run under way."""

    def __init__(self, scene: Scene, known: list[Finding], task_run: int | None) -> None:
        self._scene = scene
        self._task_run = task_run
        self._steps: list[Step] = []
        self._findings = known
        self._began = time.monotonic()

    def take(self, known: Procedure) -> Run:
        """Every step, under the lock of the procedure and with a record of the run, unless it is dry."""
        scene, held = self._scene, ExitStack()
        with held:
            if not scene.dry_run:
                try:
                    held.enter_context(alone(scene.home, scene.procedure))
                except EXPECTED as error:
                    self._stop("lock", error, 0.0)
                    return self._result()
                scene.forget()
                about: dict[str, Any] = {"started": scene.now, "host": scene.config.host, "task_run": self._task_run}
                self._record(lambda: _records.begin(scene.home, known.name, **about))
            try:
                with scene.endings:
                    self._walk(known)
            except BaseException as error:
                self._stop("end", error, 0.0)
                raise
            finally:
                if not scene.dry_run:
                    self._record(lambda: _records.end(scene.home, self._result()))
        return self._result()

    def _walk(self, known: Procedure) -> None:
        stopped = False
        actions = known.steps(self._scene)
        while True:
            began = time.monotonic()
            try:
                action = next(actions, None)
            except EXPECTED as error:
                self._stop("preparation", error, time.monotonic() - began)
                return
            if action is None:
                return
            if stopped:
                self._steps.append(Step(action.name, SKIPPED, "not reached: an earlier step failed"))
                continue
            stopped = not self._do(action)

    def _do(self, action: Action) -> bool:
        """Take a step; False if it failed by an error, after which nothing can be built on it."""
        began = time.monotonic()
        planned = self._scene.dry_run and action.plan is not None
        try:
            outcome = action.plan() if planned and action.plan else action.do()
        except EXPECTED as error:
            self._stop(action.name, error, time.monotonic() - began)
            return False
        status = PLANNED if planned and outcome.state == OK else outcome.state
        seconds = time.monotonic() - began
        self._steps.append(Step(action.name, status, outcome.message, seconds, outcome.evidence))
        self._findings += outcome.findings
        return True

    def _stop(self, name: str, error: BaseException, seconds: float) -> None:
        """The failed step, and the finding that tells of it."""
        severity = _severity(error, acts=load(self._scene.procedure).acts)
        status = STATUS.get(severity, SKIPPED)
        self._steps.append(Step(name, status, _reason(error), seconds, {"error": type(error).__name__}))
        hint = getattr(error, "hint", "") or _remedy(error)
        self._findings.append(self._scene.finding(severity, name, _reason(error), hint=hint))

    def _record(self, keep: Callable[[], None]) -> None:
        try:
            keep()
        except EXPECTED as error:
            message = f"this run could not be recorded: {_reason(error)}"
            self._findings.append(self._scene.finding(Severity.UNKNOWN, "record", message))

    def _result(self) -> Run:
        scene = self._scene
        return Run(
            procedure=scene.procedure,
            dry_run=scene.dry_run,
            started=scene.now,
            seconds=time.monotonic() - self._began,
            steps=tuple(self._steps),
            findings=Findings(self._findings),
            host=scene.config.host,
        )


def _severity(error: BaseException, *, acts: bool) -> Severity:
    """A job that was not done is critical; a question that was not answered is unknown."""
    if isinstance(error, ProcedureError):
        return error.severity or Severity.CRITICAL
    missing = isinstance(error, FileNotFoundError) and error.strerror == NOT_INSTALLED
    if missing or isinstance(error, PermissionError) or not acts:
        return Severity.UNKNOWN
    return Severity.CRITICAL


def _reason(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"ended by signal {int(error.code or 128) - 128}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, HealthkitError) else f"{type(error).__name__}: {error}"


def _remedy(error: BaseException) -> str:
    """What to do about it, where the error itself tells."""
    if isinstance(error, FileNotFoundError) and error.strerror == NOT_INSTALLED:
        return f"Install {error.filename}."
    if isinstance(error, PermissionError):
        return "Run it as root, or as a user that may do this."
    return ""
