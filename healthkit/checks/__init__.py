"""Checks: each module of this folder asks one question and answers with Findings.

A check is a module with `COMPONENT` (the part of the score it belongs to) and `check(context) -> Iterator[Finding]`.
It may also say

- `WEIGHT`: its share of the component, relative to the other checks there (1 if it does not say),
- `REQUIRED`: whether not knowing the answer is itself a reason to act (False),
- `LOCAL`: whether it looks at the machine it runs on, not only at samples (True),
- `CAP`: the lowest score that its worst answer leaves (100: none; see `healthkit.scores`).

Dropping such a file here is all it takes, or one into `HOME/checks/` (see `_own`). A check that fails, or has no answer at the deadline, becomes UNKNOWN with
the reason; the others go on.
"""

from __future__ import annotations

import math
import pkgutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.checks import _own
from healthkit.checks._context import HISTORY, NOT_INSTALLED, RECENT, Context, applicable, not_applicable
from healthkit.config import Config, load_config
from healthkit.errors import ConfigError, HealthkitError, ParameterError
from healthkit.findings import Finding, Findings, Severity
from healthkit.jsons import plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HISTORY", "RECENT", "Context", "Question", "applicable", "check", "load", "names"]

EXPECTED = (OSError, subprocess.SubprocessError, HealthkitError, ImportError)
"""What the world does to a check, a library that is not installed among it; anything else is a mistake of ours, is shown as one, and still becomes UNKNOWN."""


@dataclass(frozen=True)
class Question:
    """One check, and what it counts for."""

    name: str
    """Name of its module."""
    component: str
    """Part of the score that it belongs to: a field of `config.Weights`."""
    weight: float
    """Share of the component, relative to the other checks in it."""
    required: bool
    """Whether an UNKNOWN of it caps the score."""
    local: bool
    """Whether it looks at the machine it runs on, not only at samples."""
    cap: float
    """The lowest score that its worst answer leaves; 100 for none."""
    ask: Callable[[Context], Iterator[Finding]]
    """The check itself."""


def names(home: Path | None = None) -> tuple[str, ...]:
    """The checks there are, in order of name; with those that a home has of its own."""
    ours = {m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")}
    return tuple(sorted(ours | (_own.files(home).keys() if home else set())))


def load(name: str, home: Path | None = None) -> Question:
    """One check.

    Raises:
        ParameterError: There is none of this name.
        ConfigError: The home has one of its own of the name of one of ours.
    """
    own = _own.files(home).get(name) if home else None
    if own is None:
        return _ours(name)
    if name in names():
        raise ConfigError(f"healthkit has a check {name!r}: choose another name", file=str(own))
    return Question(name, _own.COMPONENT, weight=1, required=False, local=False, cap=100, ask=partial(_own.ask, own))


@cache
def _ours(name: str) -> Question:
    if name not in names():
        raise ParameterError(f"no check is named {name!r}; there are {', '.join(names())}")
    module = import_module(f"{__name__}.{name}")
    return Question(
        name=name,
        component=module.COMPONENT,
        weight=getattr(module, "WEIGHT", 1),
        required=getattr(module, "REQUIRED", False),
        local=getattr(module, "LOCAL", True),
        cap=getattr(module, "CAP", 100),
        ask=module.check,
    )


def check(
    home: str | Path,
    *,
    config: Config | None = None,
    names: Iterable[str] | None = None,
    now: datetime | None = None,
    samples: pd.DataFrame | None = None,
    history: pd.DataFrame | None = None,
    host: str | None = None,
    root: str = "/",
    deadline: float = 8,
) -> Findings:
    """Ask every check, at the same time, and return what they found.

    Args:
        home: The directory that holds everything.
        config: The configuration; read from the home if not given.
        names: Which checks to ask; all of them if not given.
        now: The moment that ages are counted to, UTC.
        samples: Samples to judge instead of the store's: ts, host, metric, device, value, counters as they were read.
        history: Daily statistics to judge instead of the store's, as `store.load_rollup` returns them.
        host: Judge this host by its samples alone: checks that look at the machine they run on are then not
            applicable. None: this machine, live.
        root: Top of the tree that system files are looked up in.
        deadline: Seconds after which a check without an answer is UNKNOWN.

    Raises:
        ConfigError: The configuration cannot be used.
        ParameterError: There is no check of one of the names.
    """
    home = Path(home)
    chosen = [load(name, home) for name in (_all_names(home) if names is None else sorted(set(names)))]
    context = Context(
        home=home,
        config=load_config(home) if config is None else config,
        now=(now or datetime.now(UTC)).astimezone(UTC),
        host=host,
        root=root,
        given=samples,
        given_history=history,
        deadline=time.monotonic() + deadline,
    )
    return Findings(ask(chosen, context, seconds=deadline))


def ask(questions: Iterable[Question], context: Context, *, seconds: float) -> list[Finding]:
    """The findings of several checks that run at the same time, in no particular order."""
    running = [_Answer(question, context) for question in questions]
    for answer in running:
        answer.start()
    found = []
    for answer in running:
        answer.wait(context.remaining)
        found += [_complete(finding, answer.question, context) for finding in answer.collect(seconds)]
    return found


class _Answer(threading.Thread):
    """One check at work.

    A daemon: a probe of a hung disk cannot be ended, not even by a signal, and must not hold up the program's exit.
    """

    def __init__(self, question: Question, context: Context) -> None:
        super().__init__(name=f"check-{question.name}", daemon=True)
        self.question = question
        self._context = context
        self._findings: list[Finding] = []
        self._done = False

    def start(self) -> None:
        """Ask, in a thread of its own, unless the answer is known: a fleet has thousands of those."""
        if self._context.local or not self.question.local:
            super().start()
            return
        why = f"cannot be told from samples: run healthkit check on {self._context.subject_host}"
        self._findings.append(not_applicable(self.question.name, "host", why))
        self._done = True

    def run(self) -> None:
        name = self.question.name
        try:
            for finding in self.question.ask(self._context):
                self._findings.append(finding)
        except EXPECTED as error:
            self._findings.append(_unknown(name, _reason(error), hint=_remedy(error)))
        else:
            if not self._findings:
                self._findings.append(_unknown(name, "gave no answer"))
        self._done = True

    def wait(self, seconds: float) -> None:
        """Until it is answered, but no longer."""
        if not self._done:
            self.join(seconds)

    def collect(self, seconds: float) -> list[Finding]:
        """What was found so far, with an UNKNOWN where the end is missing."""
        done, alive = self._done, self.is_alive()
        found = list(self._findings)
        if alive and not done:
            found.append(_unknown(self.question.name, f"did not finish within {seconds:g} s"))
        elif not done:
            found.append(_unknown(self.question.name, "failed by a mistake in the check itself; see the log"))
        return found


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: {error.strerror or 'not found'}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} did not finish within {error.timeout:.1f} s"
    return f"{type(error).__name__}: {error}"


def _remedy(error: BaseException) -> str:
    """What to do about it, where the error itself tells."""
    if isinstance(error, FileNotFoundError) and error.strerror == NOT_INSTALLED:
        return f"Install {error.filename}."
    if isinstance(error, PermissionError):
        return "Run the check as root, or as a user that may look there."
    return ""


def _unknown(name: str, reason: str, *, hint: str = "") -> Finding:
    hint = hint or f"Run `healthkit check {name}` by hand to see why; until then treat it as not checked."
    return Finding(name, Severity.UNKNOWN, name, f"could not tell: {reason}", evidence={"reason": reason}, hint=hint)


def _complete(finding: Finding, question: Question, context: Context) -> Finding:
    """Host, time, and only what JSON and UTF-8 can say: names of files and processes may be any bytes."""
    value = finding.value
    return replace(
        finding,
        ts=finding.ts or context.now,
        host=finding.host or context.subject_host,
        required=question.required,
        subject=_sayable(finding.subject),
        message=_sayable(finding.message),
        value=None if value is None or not math.isfinite(value) else float(value),
        evidence=_sayable(plain(finding.evidence)),
        hint=_sayable(finding.hint),
    )


def _sayable(data: Any) -> Any:
    """Texts without lone surrogates, in whatever they lie."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(data, dict):
        return {_sayable(key): _sayable(value) for key, value in data.items()}
    return [_sayable(value) for value in data] if isinstance(data, list) else data


_all_names = names
