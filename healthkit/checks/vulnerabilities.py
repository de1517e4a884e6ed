"""Do installed Python packages have known vulnerabilities? What pip-audit's JSON says, and what it leaves out.

A package that it skipped is UNKNOWN: behind a mirror it skips all of them, prints that nothing was found, and exits 0.
"""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"
WEIGHT = 2


def check(context: Context) -> Iterator[Finding]:
    """Every configured environment; the application's if none is; healthkit's own if that has none.

    Source: https://github.com/pypa/pip-audit, `--format json`: `{"dependencies": [{name, version, vulns: [{id,
    fix_versions}]} | {name, skip_reason}]}`.
    """
    for environment in _environments(context):
        packages = _site_packages(environment)
        if packages is None:
            message = f"there is no Python environment in {environment}"
            yield Finding("vulnerabilities", Severity.UNKNOWN, environment, message, hint="Correct its path.")
        else:
            yield from _audit(context, environment, packages)


def _environments(context: Context) -> list[str]:
    if context.config.security.environments:
        return list(context.config.security.environments)
    if context.config.application:
        directory = Path(context.config.application.directory)
        found = [str(directory / name) for name in (".venv", "venv") if (directory / name).is_dir()]
        if found:
            return found
    return [sys.prefix]


def _site_packages(environment: str) -> str | None:
    """Where the packages of an environment lie: the folder itself, or the one inside."""
    if environment == sys.prefix:
        return sysconfig.get_paths()["purelib"]
    folder = Path(environment)
    inside = sorted(folder.glob("lib/python3*/site-packages"))
    if folder.name in ("site-packages", "dist-packages") and folder.is_dir():
        return str(folder)
    return str(inside[-1]) if inside else None


def _audit(context: Context, environment: str, packages: str) -> Iterator[Finding]:
    command = [sys.executable, "-m", "pip_audit"] if find_spec("pip_audit") else ["pip-audit"]
    result = context.tool(*command, "--format", "json", "--progress-spinner", "off", "--path", packages)
    source = " ".join([*command[-1:], "--format json --path", packages])
    try:
        dependencies: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
        vulnerable = {d["name"]: _described(d) for d in dependencies if d.get("vulns")}
        skipped = {d["name"]: str(d["skip_reason"]) for d in dependencies if "skip_reason" in d}
    except (ValueError, KeyError, TypeError):
        reason = (result.stderr.strip().splitlines() or ["it printed nothing"])[-1][:200]
        message = f"pip-audit could not tell (exit code {result.returncode}): {reason}"
        hint = "It needs the network: run it where there is one, or through a proxy."
        yield Finding("vulnerabilities", Severity.UNKNOWN, environment, message, hint=hint)
        return
    audited = len(dependencies) - len(skipped)
    count = sum(len(v["ids"]) for v in vulnerable.values())
    yield Finding(
        "vulnerabilities",
        Severity.CRITICAL if count else Severity.OK if audited else Severity.UNKNOWN,
        environment,
        f"{count} known vulnerabilities in {len(vulnerable)} of {audited} packages: {', '.join(sorted(vulnerable)[:5])}"
        if count
        else f"no known vulnerability in {audited} packages",
        value=float(count) if audited else None,
        evidence={"threshold": 0, "vulnerable": vulnerable, "audited": audited, "source": source},
        hint="Upgrade to a version that is fixed; see evidence.vulnerable." if count else "",
        label="high" if count else "",
    )
    if skipped:
        some = ", ".join(sorted(skipped)[:5])
        yield Finding(
            "vulnerabilities",
            Severity.UNKNOWN,
            f"{environment}: skipped",
            f"{len(skipped)} of {len(dependencies)} packages were not looked up: {some}",
            value=float(len(skipped)),
            evidence={"threshold": 0, "skipped": skipped, "source": source},
            hint="Not on the index that pip-audit asked: watch their advisories by other means.",
        )


def _described(dependency: dict[str, Any]) -> dict[str, Any]:
    vulns = dependency["vulns"]
    fixed = sorted({version for v in vulns for version in v.get("fix_versions", [])})
    return {"version": dependency.get("version"), "ids": [v["id"] for v in vulns], "fixed_in": fixed}
