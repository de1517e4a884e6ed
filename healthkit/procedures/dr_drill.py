"""Restores the newest good backup somewhere else, really starts the service from it, asks its health, and times it all.

Nothing of the drill outlives it: neither files nor processes, daemons among them. The report does, also that of a drill
that failed: `HOME/reports/quarterly/dr-test-<stamp>.json` and `.md`, the newest also as `dr-test-report.md`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import HealthkitError, ProcedureError
from healthkit.findings import Finding, Severity
from healthkit.procedures import EXPECTED
from healthkit.procedures._dependencies import ask
from healthkit.procedures._drill_reports import DrillReport, keep
from healthkit.procedures._retention import shelf
from healthkit.procedures._runs import FAILED, SKIPPED, Action, Outcome, Step
from healthkit.procedures._trials import Trial, view
from healthkit.procedures.backup_verification import OPTIONS, Verification, newest_whole
from healthkit.quantities import quantity, utc

if TYPE_CHECKING:
    from healthkit.config import Backups
    from healthkit.manifests import Backup
    from healthkit.procedures._scenes import Scene

__all__ = ["ACTS", "OPTIONS", "steps"]

ACTS = False

_SEE = "See it by hand: healthkit run restore_test; until the drill passes, do not count on this recovery."


def steps(scene: Scene) -> Iterator[Action]:
    """Restore, open, count, parse; an older backup where the newest fails; start, ask, depend; times; report."""
    if scene.config.backups is None:
        hint = "Say where they are under `backups:` in healthkit.yaml."
        raise ProcedureError(
            "no backups are configured, so there is none to drill with", severity=Severity.INFO, hint=hint
        )
    drill = _Drilling(scene, scene.config.backups)
    for name, do in drill.parts():
        yield Action(name, partial(drill.take, name, do))
    yield Action("report", drill.report)


class _Drilling:
    """A drill under way. Its parts go on after one that failed, as far as they can: the report names every fault."""

    def __init__(self, scene: Scene, backups: Backups) -> None:
        self._scene, self._backups, self._drill = scene, backups, scene.config.drill
        self._began = time.monotonic()
        self._verified = Verification(scene, backups)
        self._good: Backup | None = None
        self._incomplete = False
        self._trial: Trial | None = None
        self._recovery: float | None = None
        self._taken: list[Step] = []
        self._findings: list[Finding] = []
        self._dependencies: tuple[int, int] | None = None

    def parts(self) -> Iterator[tuple[str, Callable[[], Outcome]]]:
        """What is done, in order; each is asked for when the one before is done."""
        yield "newest", self._newest
        if self._good is not None:
            for name in ("files", "databases", "configuration"):
                yield name, partial(self._verify, name)
        if self._good is None and "backup" not in self._scene.options:
            yield "older", self._older
        yield "start", self._start
        yield "health", self._health
        yield "dependencies", self._ask_dependencies
        yield "stop", self._stop
        yield "objectives", self._objectives

    def take(self, name: str, do: Callable[[], Outcome]) -> Outcome:
        """One part; what the world does to it is its failure, not the end of the drill."""
        began = time.monotonic()
        try:
            outcome = do()
        except EXPECTED as error:
            message = str(error) if isinstance(error, HealthkitError) else f"{type(error).__name__}: {error}"
            hint = getattr(error, "hint", "") or _SEE
            outcome = Outcome(message, {}, (self._scene.finding(Severity.CRITICAL, name, message, hint=hint),))
        seconds = time.monotonic() - began
        self._taken.append(Step(name, outcome.state, outcome.message, seconds, outcome.evidence))
        self._findings += outcome.findings
        return outcome

    def _newest(self) -> Outcome:
        """The newest backup; folders that should be newer ones and cannot be read are a fault."""
        outcome = self._verified.choose()
        self._good = self._verified.backup
        if "backup" in self._scene.options:
            return outcome
        unreadable = shelf(Path(self._backups.directory)).unreadable
        newer = {name: why for name, why in unreadable.items() if name > self._good.folder.name}
        if not newer:
            return outcome
        message = f"{len(newer)} newer backups cannot be read; {outcome.message} is used"
        found = [
            self._scene.finding(Severity.WARNING, f"backup {name}", f"cannot be used: {why}", hint=_SEE)
            for name, why in newer.items()
        ]
        return Outcome(message, outcome.evidence, tuple(found), status=FAILED)

    def _verify(self, part: str) -> Outcome:
        """Files, databases or configuration of the newest: a fault is a warning as long as an older one may do."""
        if part != "files" and self._incomplete:
            return Outcome("not reached: not every file came back", status=SKIPPED)
        before = len(self._verified.faults)
        outcome: Outcome = getattr(self._verified, part)()
        if len(self._verified.faults) == before:
            return outcome
        self._good, self._incomplete = None, part == "files" or self._incomplete
        single = "backup" in self._scene.options
        findings = outcome.findings if single else tuple(map(_soften, outcome.findings))
        return replace(outcome, findings=findings, status=FAILED)

    def _older(self) -> Outcome:
        """The newest of the others that comes back whole."""
        verified, tried = newest_whole(self._scene, self._backups, without=self._verified)
        if verified is not None:
            self._verified, self._good = verified, verified.backup
            name, created = self._good.folder.name, self._good.manifest.created
            message = f"{name}, of {utc(created)}, came back whole and is used instead"
            found = self._scene.finding(Severity.WARNING, "older backup", message, hint=_SEE, tried=tried)
            return Outcome(message, {"folder": str(self._good.folder), "tried": tried}, (found,))
        message = f"none of {len(tried)} older backups can be restored either" if tried else "there is no older backup"
        hint = "Make a backup now: healthkit run backup --apply."
        found = self._scene.finding(Severity.CRITICAL, "older backup", message, hint=hint, tried=tried)
        return Outcome(message, {"tried": tried}, (found,))

    def _start(self) -> Outcome:
        """The service itself, from what was restored, until it answers anything at all."""
        if self._good is None:
            return Outcome("not reached: there is nothing to start it from", status=SKIPPED)
        if self._drill is None:
            hint = "Say under `drill:` in healthkit.yaml how it is started."
            message = "no service is configured to be started, so nobody knows whether it would run"
            return Outcome(message, {}, (self._scene.finding(Severity.UNKNOWN, "start", message, hint=hint),))
        trial = Trial(self._drill, view(self._verified.restored, self._scene.workspace / "view"))
        self._trial = self._scene.endings.enter_context(trial)
        answered = trial.wait(self._drill.start_timeout, healthy=False)
        evidence = {"url": trial.url, "isolated": trial.isolated, "tries": answered.tries, "output": trial.last_words()}
        if answered.status is None or trial.ended:
            self._trial = None
            trial.end()
            return self._wrong("start", answered.reason, evidence)
        where = "in a network of its own" if trial.isolated else f"on port {trial.port}"
        return Outcome(f"it runs {where} and answered after {quantity(answered.seconds, 'seconds')}", evidence)

    def _health(self) -> Outcome:
        """Its health endpoint, until it is well or its time is over."""
        if self._trial is None or self._drill is None:
            return Outcome("not reached: the service does not run", status=SKIPPED)
        answered = self._trial.wait(self._drill.start_timeout, healthy=True)
        evidence: dict[str, Any] = {
            "url": self._trial.url,
            "status": answered.status,
            "output": self._trial.last_words(),
        }
        if not answered.healthy:
            within = quantity(self._drill.start_timeout, "seconds")
            return self._wrong("health", f"not healthy within {within}: {answered.reason}", evidence)
        self._recovery = time.monotonic() - self._began
        return Outcome(f"healthy: {answered.reason}", evidence)

    def _ask_dependencies(self) -> Outcome:
        """What it needs besides its data, asked from this host."""
        if self._drill is None or not self._drill.dependencies:
            message = "none is configured: what the service needs besides its data was not looked at"
            return Outcome(message, {}, (self._scene.finding(Severity.INFO, "dependencies", message),))
        asked = [ask(d, timeout=self._drill.timeout, run=self._scene.run) for d in self._drill.dependencies]
        down = [one for one in asked if not one.reachable]
        self._dependencies = len(asked) - len(down), len(asked)
        hint = "The service would come back without it: see whether it is up, and reachable from where you recover."
        found = [self._scene.finding(Severity.CRITICAL, one.name, f"{one.name}: {one.said}", hint=hint) for one in down]
        evidence = {one.name: one.said for one in asked}
        return Outcome(f"{len(asked) - len(down)} of {len(asked)} are reachable", evidence, tuple(found))

    def _stop(self) -> Outcome:
        """End the service and everything that it started."""
        if self._trial is None:
            return Outcome("not reached: the service does not run", status=SKIPPED)
        doubt = self._trial.end()
        if doubt:
            hint = "Look for processes that the drill left: ps -ef --forest."
            return Outcome(doubt, {}, (self._scene.finding(Severity.WARNING, "stop", doubt, hint=hint),))
        return Outcome("ended; no process of it is left")

    def _objectives(self) -> Outcome:
        """How long it took and how old the data is, against what was promised."""
        goals = self._drill
        if goals is None:
            return Outcome("not reached: no objectives are configured", status=SKIPPED)
        age = (self._scene.now - self._good.manifest.created).total_seconds() if self._good else None
        found = [
            self._judge(
                "RTO", self._recovery, goals.rto, "from the beginning of the restore to the first healthy answer"
            ),
            self._judge("RPO", age, goals.rpo, "age of the data that came back"),
        ]
        status = FAILED if any(finding.severity is Severity.WARNING for finding in found) else ""
        evidence = {"rto": self._recovery, "rpo": age, "rto_objective": goals.rto, "rpo_objective": goals.rpo}
        message = "; ".join(f"{finding.subject} {finding.message}" for finding in found)
        return Outcome(message, evidence, tuple(found), status=status)

    def report(self) -> Outcome:
        """Kept whatever came of the drill."""
        report = DrillReport(
            host=self._scene.config.host,
            started=self._scene.now,
            seconds=time.monotonic() - self._began,
            backup=self._good.folder.name if self._good else None,
            steps=tuple(self._taken),
            findings=tuple(self._findings),
            dependencies=self._dependencies,
            months=self._drill.every_months if self._drill else 3,
        )
        path = keep(self._scene.home, report)
        evidence = {"path": str(path), "passed": report.passed, "next": report.next.isoformat()}
        return Outcome(f"{report.verdict} Kept in {path}; the next drill is due by {report.next}", evidence)

    def _wrong(self, subject: str, message: str, evidence: dict[str, Any]) -> Outcome:
        return Outcome(
            message, evidence, (self._scene.finding(Severity.CRITICAL, subject, message, hint=_SEE, **evidence),)
        )

    def _judge(self, name: str, seconds: float | None, goal: float, what: str) -> Finding:
        if seconds is None:
            message = f"was not measured ({what}): the drill did not get that far"
            return self._scene.finding(Severity.UNKNOWN, name, message)
        late = seconds > goal
        message = f"{quantity(seconds, 'seconds')}, objective {quantity(goal, 'seconds')}: {what}"
        hint = (
            "Find what takes so long, or promise less."
            if name == "RTO"
            else "Make backups more often, or promise less."
        )
        severity = Severity.WARNING if late else Severity.OK
        return self._scene.finding(
            severity, name, message, value=seconds, unit="seconds", hint=hint if late else "", threshold=goal
        )


def _soften(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.CRITICAL else finding
