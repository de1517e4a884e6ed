"""Measures what the quarterly review of the architecture starts from: components, dependencies, bottlenecks, findings, drills."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from healthkit.findings import Finding, Severity
from healthkit.jsons import plain
from healthkit.logbook import logbook
from healthkit.procedures import _bottlenecks, _components, _dependency_trees
from healthkit.procedures._runs import OK, Action, Outcome
from healthkit.quantities import counted, quantity
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False

QUARTER = timedelta(days=92)
_MOST = 50


def steps(scene: Scene) -> Iterator[Action]:
    """Components, dependencies, outdated packages, bottlenecks, findings by age, drills."""
    yield Action("components", lambda: _components_step(scene))
    yield Action("dependencies", lambda: _dependencies(scene))
    yield Action("outdated", lambda: _outdated(scene))
    yield Action("bottlenecks", lambda: _bottlenecks_step(scene))
    yield Action("findings", lambda: _findings(scene))
    yield Action("drills", lambda: _drills(scene))


def _components_step(scene: Scene) -> Outcome:
    """What runs here, and in which version."""
    found = _components.components(scene)
    unknown = [one for one in found if not one.version]
    findings = tuple(
        scene.finding(
            Severity.UNKNOWN, one.name, f"version cannot be told: {one.reason}", hint="Write it down by hand."
        )
        for one in unknown
    )
    return Outcome(", ".join(map(str, found)), {"components": [one.as_dict() for one in found]}, findings, status=OK)


def _dependencies(scene: Scene) -> Outcome:
    """Python packages and what needs what, in every environment that the audit looks at."""
    trees = [_dependency_trees.tree(path) for path in _dependency_trees.environments(scene)]
    broken = [(t.path, line) for t in trees for line in t.broken]
    findings = tuple(
        scene.finding(Severity.WARNING, path, line, hint="Install what is missing, or another version.")
        for path, line in broken
    )
    message = "; ".join(map(str, trees)) or "no Python environment was found"
    return Outcome(message, {"environments": [t.as_dict() for t in trees]}, findings, status=OK)


def _outdated(scene: Scene) -> Outcome:
    """Newer versions on the index; without an index it cannot be told, which is not the same as none."""
    told, findings, evidence = [], [], []
    for path in _dependency_trees.environments(scene):
        packages, reason = _dependency_trees.outdated(scene, path)
        if reason:
            told.append(f"unknown for {path}: {reason}")
            hint = "Let the host reach a package index, or compare the versions by hand."
            findings.append(
                scene.finding(Severity.UNKNOWN, path, f"outdated packages cannot be told: {reason}", hint=hint)
            )
            continue
        first = ", ".join(f"{p['name']} {p['version']} (newest {p['latest_version']})" for p in packages[:5])
        told.append(
            f"{counted(len(packages), f'package of {path} has', f'packages of {path} have')} a newer version{': ' if packages else ''}{first}"
        )
        evidence.append({"environment": path, "packages": packages})
    return Outcome("; ".join(told) or "no Python environment was found", {"outdated": evidence}, tuple(findings))


def _bottlenecks_step(scene: Scene) -> Outcome:
    """Use, saturation and errors of every resource of every host over the quarter, the most used first."""
    from healthkit.store import load_rollup

    rollup = load_rollup(scene.home, metrics=_bottlenecks.METRICS, start=scene.now - QUARTER, end=scene.now)
    found = _bottlenecks.bottlenecks(rollup)
    if not found:
        hint = "Start the collector: healthkit collect --every 60s."
        lacking = scene.finding(Severity.UNKNOWN, "bottlenecks", "no resource was measured in the quarter", hint=hint)
        return Outcome("no resource was measured in the quarter", {}, (lacking,))
    message = "; ".join(map(str, found[:3])) + (f"; {len(found) - 3} more" if len(found) > 3 else "")
    return Outcome(message, plain({"resources": [one.as_dict() for one in found[:_MOST]]}))


def _findings(scene: Scene) -> Outcome:
    """What the last full check found, and since when each has been found without a break."""
    with State(scene.home) as state:
        reports = state.health_reports(scene.config.host, since=scene.now - QUARTER)
    if not reports:
        hint = "Run the checks daily: healthkit schedule install."
        text = f"no full check of {scene.config.host} is on record"
        return Outcome(text, {}, (scene.finding(Severity.UNKNOWN, "findings", text, hint=hint),))
    since = dict.fromkeys(_open(reports[0]), reports[0]["ts"])
    still = set(since)
    for report in reports[1:]:
        still &= _open(report).keys()
        since |= dict.fromkeys(still, report["ts"])
    ages = sorted(((scene.now - at) / timedelta(days=1), key) for key, at in since.items())[::-1]
    rows = [{"check": c, "subject": s, "severity": _open(reports[0])[c, s], "days": age} for age, (c, s) in ages]
    message = f"{counted(len(rows), 'open finding')} at the last check of {reports[0]['ts']:%Y-%m-%d}"
    if rows:
        message += f"; the oldest, {rows[0]['check']} {rows[0]['subject']}, for {quantity(max(rows[0]['days'], 0.0) * 86400, 'seconds')} at least"
    return Outcome(message, plain({"findings": rows[:_MOST], "checks": len(reports)}))


def _open(report: Any) -> dict[tuple[str, str], str]:
    """Severity by check and subject of what is bad in a kept report."""
    findings = report["report"].get("findings", ()) if isinstance(report["report"], dict) else ()
    return {(f["check"], f["subject"]): f["severity"] for f in findings if f["severity"] in ("warning", "critical")}


def _drills(scene: Scene) -> Outcome:
    """How often, and how well, recovery was practised in the quarter."""
    book = logbook(scene.home, since=scene.now - QUARTER, until=scene.now + timedelta(seconds=1))
    told, findings = [], list[Finding]()
    for name, word in (("dr_drill", "recovery drills"), ("restore_test", "restore tests")):
        runs = [run for run in book.of(name) if run.status != "running"]
        good = sum(run.status == "ok" for run in runs)
        last = f", the last on {runs[0].started:%Y-%m-%d}" if runs else ""
        told.append(f"{good} of {len(runs)} {word} held{last}")
        if not good:
            hint = f"Run one: healthkit run {name}."
            findings.append(
                scene.finding(Severity.WARNING, name, f"{good} of {len(runs)} {word} in the quarter held", hint=hint)
            )
    seconds = [
        (run.ended - run.started).total_seconds() for run in book.of("dr_drill") if run.ended and run.status == "ok"
    ]
    if seconds and math.isfinite(max(seconds)):
        told.append(f"the slowest drill took {quantity(max(seconds), 'seconds')}")
    return Outcome("; ".join(told), {"unknown": book.unknown}, tuple(findings), status=OK)
