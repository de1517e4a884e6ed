"""Is the application's configuration what it claims to be: YAML, with content, of the right types, and sane?

An empty file is valid YAML, and so is a line of text: what a cut-off copy leaves behind passes a parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from healthkit.checks._context import not_applicable, printable
from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"

_LARGEST = 1 << 20
_DEEPEST = 100
"""Open brackets: PyYAML takes time with their square, and libyaml ends the process."""
_RESTORE = "Compare it with the copy in the last backup; restore it from there."


class _TestExecution(Struct):
    parallel: bool = False
    timeout: float = 0


class _HealthMonitoring(Struct):
    check_interval: float | None = None


class _Known(Struct):
    """The keys that the runbook reads; others are the application's own."""

    test_execution: _TestExecution = msgspec.field(default_factory=_TestExecution)
    health_monitoring: _HealthMonitoring = msgspec.field(default_factory=_HealthMonitoring)


def check(context: Context) -> Iterator[Finding]:
    """Every YAML file in the folder of the application's configuration."""
    application = context.config.application
    if application is None:
        hint = "Say where it lies under `application:` in healthkit.yaml."
        yield not_applicable("configuration", "configuration", "no application is configured", hint=hint)
        return
    folder = Path(application.config)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    if not files:
        message = f"there is no YAML file in {folder}"
        yield Finding("configuration", Severity.UNKNOWN, str(folder), message, hint="Correct `application: config`.")
    for path in files:
        yield from judge_file(path)


def judge_file(path: Path) -> Iterator[Finding]:
    """One configuration file: a fault, or OK with the runbook's suggestions."""
    subject = printable(path)
    source = {"source": subject}
    try:
        known = _read(path)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        yield Finding("configuration", Severity.UNKNOWN, subject, message, hint="Run the check as its owner or root.")
        return
    except ValueError as error:
        yield Finding("configuration", Severity.CRITICAL, subject, str(error), evidence=source, hint=_RESTORE)
        return
    yield Finding("configuration", Severity.OK, subject, "valid", evidence=source)
    for text, evidence in _suggestions(known):
        yield Finding("configuration", Severity.INFO, subject, text, evidence=evidence | source, hint=text)


def _read(path: Path) -> _Known:
    """The known keys.

    Raises:
        ValueError: No YAML, no content, or a wrong type.
    """
    import yaml

    if not path.is_file():
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST} bytes: not looked at")
    if _depth(content) > _DEEPEST:
        raise ValueError(f"nested more than {_DEEPEST} deep: not looked at")
    try:
        data = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"not YAML: {line}{getattr(error, 'problem', None) or error}") from error
    if data is None:
        raise ValueError("empty: nothing is configured by it")
    if not isinstance(data, dict):
        raise ValueError(  # noqa: TRY004 - a fault of the file, not of the caller
            f"holds a {type(data).__name__}, not keys and values: cut off?"
        )
    try:
        return msgspec.convert(data, _Known)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _depth(content: bytes) -> int:
    """Most brackets that are open at once."""
    steps = (1 if bracket in b"[{" else -1 for bracket in re.findall(rb"[\[\]{}]", content))
    return max(accumulate(steps), default=0)


def _suggestions(known: _Known) -> Iterator[tuple[str, dict[str, float]]]:
    tests, health = known.test_execution, known.health_monitoring
    if tests.parallel and tests.timeout > 3600:
        seen = {"test_execution.timeout": tests.timeout, "threshold": 3600}
        yield f"tests run in parallel and may take {tests.timeout:g} s: a shorter timeout tells sooner", seen
    if health.check_interval is not None and health.check_interval < 300:
        seen = {"health_monitoring.check_interval": health.check_interval, "threshold": 300}
        yield f"health is checked every {health.check_interval:g} s: a longer interval costs less", seen
