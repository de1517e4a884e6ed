"""Reviews the application's configuration and healthkit's own: what is not valid, and what might say it better, by which number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks.configuration import judge_file
from healthkit.config import config_path
from healthkit.findings import Finding, Severity
from healthkit.procedures._runs import OK, Action, Outcome
from healthkit.procedures._suggestions import DAYS, Ground, Suggestion, suggestions
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False


def steps(scene: Scene) -> Iterator[Action]:
    """The application's files, then healthkit's own keys against what was measured."""
    yield Action("application", lambda: _application(scene))
    yield Action("healthkit", lambda: _own(scene))


def _application(scene: Scene) -> Outcome:
    """Every YAML file: a fault, or what the runbook suggests (tests in parallel that may take long, checks too often)."""
    application = scene.config.application
    if application is None:
        hint = "Say where it lies under `application:` in healthkit.yaml."
        found = scene.finding(Severity.INFO, "application", "no application is configured", hint=hint)
        return Outcome("no application is configured", {}, (found,))
    folder = Path(application.config)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    findings = [finding for path in files for finding in judge_file(path)]
    if not files:
        hint = "Correct `application: config`."
        findings = [scene.finding(Severity.UNKNOWN, str(folder), f"there is no YAML file in {folder}", hint=hint)]
    said = [f for f in findings if f.severity is Severity.INFO]
    faults = [f for f in findings if f.severity is Severity.CRITICAL]
    message = f"{counted(len(files), 'file')}, {len(faults)} of them not valid; {counted(len(said), 'suggestion')}"
    evidence = {
        "files": [str(path) for path in files],
        "suggestions": [{"key": _key(f), "text": f.message, **f.evidence} for f in said],
    }
    return Outcome(message, evidence, tuple(_ours(scene, finding) for finding in findings), status=OK)


def _key(finding: Finding) -> str:
    """The key that a suggestion is about: the one of its evidence that is a path of keys."""
    return next((name for name in finding.evidence if "." in name), "")


def _ours(scene: Scene, finding: Finding) -> Finding:
    """A check's finding as one of this procedure."""
    return scene.finding(finding.severity, finding.subject, finding.message, hint=finding.hint, **finding.evidence)


def _own(scene: Scene) -> Outcome:
    """Healthkit's own keys, each against the measured number that speaks against it."""
    ground = look_around(scene)
    found, unknown = suggestions(ground)
    findings = [_suggested(scene, one) for one in found]
    findings += [
        scene.finding(Severity.UNKNOWN, "healthkit", text, hint="Start the collector: healthkit collect --every 60s.")
        for text in unknown
    ]
    message = f"{counted(len(found), 'suggestion')}; {counted(len(unknown), 'question')} could not be answered"
    evidence = {
        "source": str(config_path(scene.home)),
        "suggestions": [{"key": s.key, "text": s.text, "value": s.value, "threshold": s.threshold} for s in found],
        "unknown": unknown,
    }
    return Outcome(message, evidence, tuple(findings), status=OK)


def look_around(scene: Scene) -> Ground:
    """What suggestions stand on: the last days of this host.

    Raises:
        StoreError: They cannot be read.
    """
    from healthkit.store import load_rollup

    midnight = scene.now.replace(hour=0, minute=0, second=0, microsecond=0)
    rollup = load_rollup(scene.home, hosts=[scene.config.host], start=midnight - timedelta(days=DAYS), end=scene.now)
    return Ground(scene.home, scene.config, rollup)


def _suggested(scene: Scene, one: Suggestion) -> Finding:
    return scene.finding(
        Severity.INFO, one.key, one.text, value=one.value, unit=one.unit, hint=one.text, threshold=one.threshold
    )
