"""The score and the findings, as the old scripts ask for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit import full_checks
from healthkit.config import Config, load_config
from healthkit.errors import ConfigError, HealthkitError

if TYPE_CHECKING:
    from argparse import Namespace

    from healthkit.findings import Findings
    from healthkit.scores import HealthScore

QUICK = ("configuration", "databases", "disk", "inodes", "memory", "read_only", "services", "store")
"""What a service needs to run at all."""


def full_check(home: Path, asked: Namespace) -> int:
    """All checks: the JSON of the contract, or lines; kept, and the alert rules judged.

    Exit code 0 when the checks ran, whatever they found; 78, with a score of 0, where the configuration cannot be used.
    """
    try:
        config = load_config(home)
    except ConfigError as error:
        _show(_unconfigured(error), asked.output_format)
        sys.stderr.write(f"healthkit: {error}\n")
        return error.exit_code
    score = _check(home, config)
    _show(score, asked.output_format)
    _keep(home, score)
    try:
        from healthkit.cli import notifying

        notifying.look(home, config, patience=notifying.BRIEF)
    except (HealthkitError, OSError) as error:
        sys.stderr.write(f"healthkit: alerts: {error}\n")
    return 0


def quick_score(home: Path, asked: Namespace) -> int:  # noqa: ARG001 - every answer takes both
    """One JSON number, which the old script pastes into its own JSON: the last full check's, if it speaks of now."""
    try:
        config = load_config(home)
    except ConfigError as error:
        sys.stdout.write("0\n")  # a lower bound: nothing can be told
        sys.stderr.write(f"healthkit: {error}\n")
        return error.exit_code
    now = datetime.now(UTC)
    known = full_checks.last(home, config.host)
    if known is not None and known.score is not None and known.speaks_of(now):
        sys.stdout.write(f"{json.dumps(known.score)}\n")
        return 0
    score = _check(home, config)
    sys.stdout.write(f"{json.dumps(score.value)}\n")
    _keep(home, score)
    return 0


def quick_check(home: Path, asked: Namespace) -> int:  # noqa: ARG001
    """What a service needs to run at all, a line each; recorded as the task `quick-check`."""
    from healthkit import checks
    from healthkit.findings import Severity
    from healthkit.state import State

    config, started = load_config(home), datetime.now(UTC)
    findings = checks.check(home, config=config, names=QUICK)
    bad = findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
    sys.stdout.write(lines(findings))
    sys.stdout.write(f"{len(findings)} answers, {len(bad)} of them to act on; worst: {findings.worst.value}\n")
    detail = {"worst": findings.worst.value, "findings": [finding.as_dict() for finding in bad]}
    times: dict[str, Any] = {"started": started, "ended": datetime.now(UTC)}
    try:
        with State(home, timeout=1) as state:
            state.record_task_run("quick-check", **times, status="ok", exit_code=0, host=config.host, detail=detail)
    except HealthkitError as error:
        sys.stderr.write(f"healthkit: {error}\n")
    return 0


def recent(home: Path, config: Config) -> full_checks.FullCheck:
    """The last full check that speaks of now; a new one, which is kept, where there is none."""
    known, now = full_checks.last(home, config.host), datetime.now(UTC)
    if known is not None and known.speaks_of(now):
        return known
    score = _check(home, config)
    _keep(home, score)
    return full_checks.FullCheck(now, score.as_dict())


def lines(findings: Findings) -> str:
    """Findings as text, one line each and what to do indented below it; control characters are shown, not obeyed."""
    told = [f"{f}\n    {f.hint}".rstrip() for f in findings]
    return "".join(f"{_visible(line)}\n" for text in told for line in text.splitlines())


def _check(home: Path, config: Config) -> HealthScore:
    from healthkit import checks
    from healthkit.scores import health_score

    return health_score(checks.check(home, config=config), weights=config.weights)


def _unconfigured(error: ConfigError) -> HealthScore:
    """What can be said where nobody knows what should be asked: that, and nothing else."""
    from healthkit.findings import Finding, Severity
    from healthkit.scores import health_score

    hint = "Mend the file; `healthkit config check` says whether it can be used."
    now = datetime.now(UTC)
    finding = Finding("configuration", Severity.CRITICAL, "healthkit.yaml", str(error), hint=hint, ts=now)
    return health_score([finding])


def _show(score: HealthScore, form: str) -> None:
    if form == "json":
        from healthkit.jsons import plain

        sys.stdout.write(f"{json.dumps(plain(score.as_dict()), indent=2, ensure_ascii=False)}\n")
    else:
        sys.stdout.write(f"{lines(score.findings)}{score}\n")
    sys.stdout.flush()


def _keep(home: Path, score: HealthScore) -> None:
    """The answer was given; that it cannot be kept is said and changes nothing about it."""
    report: Mapping[str, Any] = score.as_dict()
    try:
        full_checks.keep(home, report)
    except (HealthkitError, OSError) as error:
        sys.stderr.write(f"healthkit: the check could not be kept: {error}\n")


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\u00a0" else c.encode("unicode_escape").decode("ascii") for c in text)
