"""Do installed Python packages have known vulnerabilities? What pip-audit's JSON says, and what it leaves out.

It takes longer than a check may, so its answer is kept for a day: `check(home, names=["vulnerabilities"], deadline=600)`
gives it its time. A package that it skipped is UNKNOWN: behind a mirror it skips all of them, prints that nothing was found, and exits 0.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from healthkit.files import write_atomically
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"
WEIGHT = 2

RENEW = timedelta(hours=20)
"""Age from which pip-audit is asked again: it takes longer than a check may."""
BEAR = timedelta(days=8)
"""Age up to which its last answer stands where a new one cannot be had: a weekly review, and a day."""
WAIT = 600.0
"""Seconds that it may take, where the deadline of the checks allows it."""
KEPT = "cache/pip-audit.json"
"""Its last answers, below the home."""

log = logging.getLogger(__name__)


class _Report(msgspec.Struct, frozen=True):
    """What pip-audit said of one environment."""

    packages: str
    when: datetime
    changed: float
    dependencies: list[dict[str, Any]]


class _NoAnswerError(Exception):
    """pip-audit gave no answer that can be read."""


def check(context: Context) -> Iterator[Finding]:
    """Every configured environment; the application's if none is; healthkit's own if that has none.

    Source: https://github.com/pypa/pip-audit, `--format json`: `{"dependencies": [{name, version, vulns: [{id,
    fix_versions}]} | {name, skip_reason}]}`.
    """
    for environment in environments(context):
        packages = site_packages(environment)
        if packages is None:
            message = f"there is no Python environment in {environment}"
            yield Finding("vulnerabilities", Severity.UNKNOWN, environment, message, hint="Correct its path.")
        else:
            yield from _audit(context, environment, packages)


def environments(context: Context) -> list[str]:
    """Those configured; the application's if none is; healthkit's own if that has none."""
    if context.config.security.environments:
        return list(context.config.security.environments)
    if context.config.application:
        directory = Path(context.config.application.directory)
        found = [str(directory / name) for name in (".venv", "venv") if (directory / name).is_dir()]
        if found:
            return found
    return [sys.prefix]


def site_packages(environment: str) -> str | None:
    """Where the packages of an environment lie: the folder itself, or the one inside."""
    if environment == sys.prefix:
        return sysconfig.get_paths()["purelib"]
    folder = Path(environment)
    inside = sorted(folder.glob("lib/python3*/site-packages"))
    if folder.name in ("site-packages", "dist-packages") and folder.is_dir():
        return str(folder)
    return str(inside[-1]) if inside else None


def _audit(context: Context, environment: str, packages: str) -> Iterator[Finding]:
    report = _last_report(context, packages)
    if report is None or context.now - report.when > RENEW:
        try:
            report = _ask(context, packages)
        except _NoAnswerError as error:
            if report is None:
                hint = "It needs the network and its time: healthkit run security_review waits for it, and keeps the answer."
                yield Finding("vulnerabilities", Severity.UNKNOWN, environment, str(error), hint=hint)
                return
    yield from _judge(environment, report)


def _judge(environment: str, report: _Report) -> Iterator[Finding]:
    dependencies, source = report.dependencies, f"pip-audit --format json --path {report.packages}"
    vulnerable = {d["name"]: _described(d) for d in dependencies if d.get("vulns")}
    skipped = {d["name"]: str(d["skip_reason"]) for d in dependencies if "skip_reason" in d}
    audited = len(dependencies) - len(skipped)
    count = sum(len(v["ids"]) for v in vulnerable.values())
    yield Finding(
        "vulnerabilities",
        Severity.CRITICAL if count else Severity.OK if audited else Severity.UNKNOWN,
        environment,
        f"{counted(count, 'known vulnerability', 'known vulnerabilities')} in {len(vulnerable)} of {counted(audited, 'package')}: {', '.join(sorted(vulnerable)[:5])}"
        if count
        else f"no known vulnerability in {counted(audited, 'package')}",
        value=float(count) if audited else None,
        evidence={"threshold": 0, "vulnerable": vulnerable, "audited": audited, "source": source},
        hint="Upgrade to a version that is fixed; see evidence.vulnerable." if count else "",
        ts=report.when,
        label="high" if count else "",
    )
    if skipped:
        some = ", ".join(sorted(skipped)[:5])
        yield Finding(
            "vulnerabilities",
            Severity.UNKNOWN,
            f"{environment}: skipped",
            f"{len(skipped)} of {counted(len(dependencies), 'package')} {'was' if len(skipped) == 1 else 'were'} not looked up: {some}",
            value=float(len(skipped)),
            evidence={"threshold": 0, "skipped": skipped, "source": source},
            hint="Not on the index that pip-audit asked: watch their advisories by other means.",
            ts=report.when,
        )


def _ask(context: Context, packages: str) -> _Report:
    """What pip-audit says now; kept for the next check.

    Raises:
        _NoAnswerError: It said nothing that can be read, or not in time.
        FileNotFoundError: It is not installed.
    """
    command = [sys.executable, "-m", "pip_audit"] if find_spec("pip_audit") else ["pip-audit"]
    try:
        result = context.tool(
            *command, "--format", "json", "--progress-spinner", "off", "--path", packages, timeout=WAIT
        )
        dependencies = json.loads(result.stdout)["dependencies"]
        names = [d["name"] for d in dependencies]
    except subprocess.TimeoutExpired as error:
        raise _NoAnswerError(f"pip-audit did not answer within {error.timeout:.0f} s") from error
    except (ValueError, KeyError, TypeError) as error:
        reason = (result.stderr.strip().splitlines() or ["it printed nothing"])[-1][:200]
        raise _NoAnswerError(f"pip-audit could not tell (exit code {result.returncode}): {reason}") from error
    report = _Report(packages, context.now, _changed(packages), dependencies)
    if names:
        _keep(context, report)
    return report


def _keep(context: Context, report: _Report) -> None:
    path = context.home / KEPT
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [r for r in _kept(path) if r.packages != report.packages]
        write_atomically(path, msgspec.json.encode([*kept, report]))
    except OSError as error:  # a home that this user may not write: the next check asks again
        log.info("%s is not kept: %s", path, error)


def _last_report(context: Context, packages: str) -> _Report | None:
    """The last answer about these packages, if none was installed since and it is not too old."""
    found = [r for r in _kept(context.home / KEPT) if r.packages == packages and r.changed == _changed(packages)]
    return next((r for r in found if timedelta() <= context.now - r.when <= BEAR), None)


def _kept(path: Path) -> list[_Report]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Report])
    except (OSError, msgspec.DecodeError):
        return []


def _changed(packages: str) -> float:
    """When a package was last added or removed, as the folder's mtime."""
    return Path(packages).stat().st_mtime


def _described(dependency: dict[str, Any]) -> dict[str, Any]:
    vulns = dependency["vulns"]
    fixed = sorted({version for v in vulns for version in v.get("fix_versions", [])})
    return {"version": dependency.get("version"), "ids": [v["id"] for v in vulns], "fixed_in": fixed}
