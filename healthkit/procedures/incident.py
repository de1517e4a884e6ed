"""Answers a service that is down: evidence first, then, within a budget, a restart; somebody is told, and a clock runs.

A service is down that is bad twice, some seconds apart; one slow answer is not. Where nothing is wrong nothing is kept and
nobody is told. While an incident is not closed, the next run goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from healthkit import incidents
from healthkit.alerts.escalations import escalate, resolve, tell
from healthkit.alerts.transports import names as transport_names
from healthkit.errors import ParameterError
from healthkit.events import LONGEST, annotate
from healthkit.findings import Finding, Severity
from healthkit.incidents import STAMP, Incident, Level
from healthkit.procedures._answers import ask, until_it_answers
from healthkit.procedures._evidence import Piece, archive, collect
from healthkit.procedures._runs import FAILED, SKIPPED, Action, Outcome
from healthkit.procedures._stopping import command_of, order
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = True
EMERGENCY = True
OPTIONS = {
    "backups": "where the backups are, if healthkit.yaml cannot be used",
    "service": "only this one",
    "title": "open it although every service answers: what is wrong",
    "severity": "of one with a title: warning or critical (default)",
    "restart": "no: collect and tell, restart nothing",
}


def steps(scene: Scene) -> Iterator[Action]:
    """Look, evidence, confirm, open, restart, verify."""
    response = _Response(scene)
    yield Action("look", response.look)
    if not (response.suspects or response.title):
        return
    yield Action("evidence", response.collect)
    yield Action("confirm", response.confirm)
    if not (response.down or response.title):
        return
    yield Action("open", response.open, response.plan_open)
    if response.down:
        yield Action("restart", response.restart, response.plan_restart)
        yield Action(
            "verify", response.verify, partial(Outcome, "would ask until they answer, and say that it is over")
        )


class _Response:
    """One run of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._wanted = [scene.options["service"]] if "service" in scene.options else []
        known = [service.name for service in scene.config.services]
        if self._wanted and self._wanted[0] not in known:
            raise ParameterError(f"no service is named {self._wanted[0]!r}; there are {', '.join(known) or 'none'}")
        self.title = scene.options.get("title", "")
        self.suspects: dict[str, str] = {}
        """Bad at the first look, and how."""
        self.down: dict[str, str] = {}
        """Bad at the second look too."""
        self._transports = transport_names(scene.config)
        self._pieces: list[Piece] = []
        self._incident: Incident | None = None
        self._looked = 0.0
        self._restarted: list[str] = []

    def look(self) -> Outcome:
        """Every service, once."""
        found = ask(self._scene, self._wanted)
        self._looked = time.monotonic()
        self.suspects = self._bad(found)
        if self.suspects:
            return Outcome(f"not well: {'; '.join(self.suspects.values())}", {"suspects": self.suspects})
        blind = tuple(finding for finding in found if finding.severity is Severity.UNKNOWN)
        if blind or (not found and not self.title):
            message = "; ".join(f.message for f in blind) or "no service is configured that could be asked"
            hint = "Name what runs here under `services:` in healthkit.yaml."
            return Outcome(message, {}, blind or (self._scene.finding(Severity.UNKNOWN, "look", message, hint=hint),))
        message = f"nothing wrong: {counted(len(found), 'answer is', 'answers are')} well"
        good = self._scene.finding(Severity.OK, "services", message)
        return Outcome(message, {"answers": [str(f) for f in found]}, () if self.title else (good,))

    def collect(self) -> Outcome:
        """Before anybody touches anything."""
        self._pieces = collect(self._scene)
        missing = {piece.name: piece.problem for piece in self._pieces if piece.problem}
        message = f"{len(self._pieces) - len(missing)} of {len(self._pieces)} sources answered"
        return Outcome(message, {"missing": missing, "times": {p.name: p.ended for p in self._pieces}})

    def confirm(self) -> Outcome:
        """Asked again: slow once is not down."""
        if not self.suspects:
            return Outcome("every service answers; opened because somebody says so")
        time.sleep(max(self._looked + self._scene.config.incidents.confirm_after - time.monotonic(), 0))
        found = ask(self._scene, list(self.suspects))
        self.down = self._bad(found)
        if self.down:
            return Outcome(f"down: {'; '.join(self.down.values())}", {"down": self.down})
        message = f"nothing wrong: {', '.join(self.suspects)} answered when asked again ({'; '.join(self.suspects.values())} before)"
        return Outcome(message, {}, (self._scene.finding(Severity.INFO, "services", message),))

    def open(self) -> Outcome:
        """The evidence on disk, the incident, and somebody told."""
        known = self._known()
        now = datetime.now(UTC)
        if known is None:
            title = self.title or "; ".join(self.down.values())
            severity: Level = (
                "warning" if self._scene.options.get("severity") == "warning" and not self.down else "critical"
            )
            name = f"INC-{self._scene.now.strftime(STAMP)}"
            new = Incident(name, self._scene.config.host, severity, title[:500], now, tuple(self.down))
            known = new.add("opened", title, at=now)
        else:
            services = tuple(dict.fromkeys((*known.services, *self.down)))
            kind = "note" if known.status == "open" else "reopened"
            known = known.add(kind, f"down: {'; '.join(self.down.values())}", at=now, resolved=None, services=services)
        first = len(known.timeline) == 1
        place = incidents.folder(self._scene.home) / known.name / now.strftime("%Y%m%dT%H%M%S.%fZ")
        files = archive(self._pieces, place)
        self._incident = known.add("evidence", f"{len(files)} pieces in {place}")
        incidents.save(self._scene.home, self._incident)
        if first:
            annotate(self._scene.home, f"{known.name}: {known.title}"[:LONGEST], host=known.host, kind="incident")
        if first or known.timeline[-1].kind == "reopened":
            tell(self._scene.home, self._incident, known.title, self._transports, now=now)
        hint = f"Acknowledge it: healthkit incident ack {known.name}; when it is over: healthkit incident close {known.name}."
        severity_ = Severity.WARNING if known.severity == "warning" else Severity.CRITICAL
        evidence: dict[str, Any] = {"incident": known.name, "evidence": str(place), "told": list(self._transports)}
        found = self._scene.finding(severity_, known.name, known.title, hint=hint, **evidence)
        return Outcome(f"{known.name}: {len(files)} pieces of evidence in {place}", evidence, (found,), status="ok")

    def plan_open(self) -> Outcome:
        known = self._known()
        word = f"would go on with {known.name}" if known else "would open an incident"
        ways = ", ".join(self._transports) or "nobody: no transport is configured"
        return Outcome(f"{word}, keep {len(self._pieces)} pieces of evidence, and tell {ways}")

    def restart(self) -> Outcome:
        """Within the budget of each service; written down before it is done, so that no crash makes the budget larger."""
        if self._scene.options.get("restart") == "no":
            return Outcome("not asked to restart anything: --apply does", status=SKIPPED)
        found: list[Finding] = []
        for service in self._scene.config.services:
            if service.name not in self.down:
                continue
            wrong = self._refusal(service.name) or (
                "" if command_of(service, "restart") else "nothing is configured to restart it by"
            )
            if not wrong:
                number = incidents.restarts(self._scene.home, service.name, now=datetime.now(UTC)) + 1
                self._note("restart", f"restart {number} of {self._budget} in an hour", service.name)
                wrong = order(self._scene, service, "restart")
                self._restarted += [] if wrong else [service.name]
            if wrong:
                self._note("note", f"not restarted: {wrong}", service.name)
                message = f"{service.name} was not restarted: {wrong}"
                found.append(
                    self._scene.finding(Severity.CRITICAL, service.name, message, hint="Somebody has to look.")
                )
        return Outcome(
            f"{len(self._restarted)} of {len(self.down)} services restarted",
            {"restarted": self._restarted},
            tuple(found),
        )

    def plan_restart(self) -> Outcome:
        used = {name: incidents.restarts(self._scene.home, name, now=datetime.now(UTC)) for name in self.down}
        told = "; ".join(
            f"{name} ({count} of {self._budget} restarts used in the last hour)" for name, count in used.items()
        )
        return Outcome(f"would restart {told}", used)

    def verify(self) -> Outcome:
        """Whether what was restarted answers, and goes on to."""
        if set(self._restarted) != set(self.down) or self._incident is None:
            return Outcome("not reached: not every service was restarted", status=SKIPPED)
        outcome = until_it_answers(self._scene, self._restarted)
        if not self._bad(outcome.findings):
            time.sleep(min(float(self._scene.config.incidents.confirm_after), 1.0))
            outcome = until_it_answers(self._scene, self._restarted)
        bad = self._bad(outcome.findings)
        if bad:
            self._note("note", f"still down after the restart: {'; '.join(bad.values())}")
            return Outcome(outcome.message, {}, outcome.findings, status=FAILED)
        text = f"{', '.join(self._restarted)} restarted, answers again"
        self._incident = resolve(self._scene.home, self._incident, text, self._transports, now=datetime.now(UTC))
        return Outcome(text, {"resolved": True}, outcome.findings)

    @property
    def _budget(self) -> int:
        return self._scene.config.incidents.restarts_per_hour

    def _refusal(self, service: str) -> str:
        """Why it must not be restarted again; whoever is on call hears of it, once an hour."""
        now = datetime.now(UTC)
        used = incidents.restarts(self._scene.home, service, now=now)
        if used < self._budget or self._incident is None:
            return ""
        why = f"the budget is exhausted: {service} was restarted {counted(used, 'time')} in the last hour"
        last = self._incident.when("exhausted")
        if last is None or (now - last).total_seconds() > 3600:
            self._note("exhausted", why, service)
            self._incident = escalate(
                self._scene.home, self._scene.config, self._incident, why, self._transports, now=now
            )
        return why

    def _note(self, kind: str, text: str, service: str = "") -> None:
        if self._incident is not None:
            self._incident = self._incident.add(kind, text, service=service)
            incidents.save(self._scene.home, self._incident)

    def _known(self) -> Incident | None:
        """The incident that is not closed yet, of one of these services."""
        for incident in incidents.every(self._scene.home):
            if (
                not incident.closed
                and incident.host == self._scene.config.host
                and set(incident.services) & set(self.down)
            ):
                return incident
        return None

    def _bad(self, found: list[Finding] | tuple[Finding, ...]) -> dict[str, str]:
        """Services that are down by a finding, with what it says."""
        bad: dict[str, str] = {}
        for finding in found:
            if finding.severity is Severity.CRITICAL:
                name = finding.subject.rpartition(": ")[0]
                bad[name] = f"{bad[name]}, {finding.message}" if name in bad else f"{name}: {finding.message}"
        return bad
