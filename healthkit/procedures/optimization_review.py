"""Reviews the month: trends of score, response time and resources; disk, memory and log sizes; databases; configuration.

Kept as text in `HOME/reports/monthly/optimization-report-YYYY-MM.md`. Every recommendation names the number it comes
from; where nothing speaks for one there is none.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from healthkit.checks import Context, applicable, ask
from healthkit.checks import load as load_check
from healthkit.findings import Finding, Findings, Severity
from healthkit.jsons import plain
from healthkit.movements import MONTH, SCORE, Movement, count, daily_scores, movements
from healthkit.procedures._documents import keep
from healthkit.procedures._optimizations import render
from healthkit.procedures._runs import OK, Action, Outcome
from healthkit.procedures._sources import Sources
from healthkit.procedures._suggestions import suggestions
from healthkit.procedures._upkeep import look
from healthkit.procedures.configuration_review import look_around
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False

CHECKS = ("disk", "inodes", "memory", "swap", "logs")
SECONDS = 60.0


def steps(scene: Scene) -> Iterator[Action]:
    """Trends, what is used now, databases, configuration, recommendations, record."""
    review = _Review(scene)
    yield Action("trends", review.trends)
    yield Action("resources", review.resources)
    yield Action("databases", review.databases)
    yield Action("configuration", review.configuration)
    yield Action("recommendations", review.recommend)
    yield Action("record", review.keep)


class _Review:
    """A review under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._advice: list[dict[str, Any]] = []
        self._told: dict[str, list[str]] = {}

    def trends(self) -> Outcome:
        """Of the last 30 days: how fast, and whether it is more than chance."""
        found = self._movements()
        known = [one for one in found if not one.unknown]
        self._told["Trends"] = [str(one) for one in found] or ["nothing was measured"]
        for one in known:
            if one.significant and one.worse and abs(one.slope) > self._allowed(one):
                per_day = f"{one.unit or '1'}/day"
                what = one.subject.removeprefix(one.host).strip()
                self._advise(what, one.movement, one.slope, per_day, "find out what drives it", host=one.host)
        series = [one.as_dict() for one in found]
        unknown = tuple(self._blind(one) for one in found if one.unknown) if not known else ()
        if not found:
            unknown = (self._scene.finding(Severity.UNKNOWN, "trends", "no daily statistics were found"),)
        return Outcome(count(series, MONTH), plain({"days": MONTH, "series": series}), unknown)

    def _movements(self) -> list[Movement]:
        """Of every host in the store, over the last 30 whole days."""
        from healthkit import store
        from healthkit.capacity.resources import RESOURCES

        home, end = self._scene.home, self._scene.now.replace(hour=0, minute=0, second=0, microsecond=0)
        metrics = [resource.metric for resource in RESOURCES]
        rollup = store.load_rollup(home, metrics=metrics, start=end - timedelta(days=MONTH), end=end)
        return movements(rollup, end=end, days=MONTH, scores=daily_scores(home, end=end, days=MONTH))

    def resources(self) -> Outcome:
        """What the checks say of disks, memory and logs on this machine now."""
        scene = self._scene
        context = Context(
            home=scene.home, config=scene.config, now=scene.now, root=scene.root, run=scene.run,
            deadline=monotonic() + SECONDS,
        )  # fmt: skip
        found = Findings(ask([load_check(name) for name in CHECKS], context, seconds=SECONDS))
        judging = [finding for finding in found if applicable(finding)]
        self._told["Resources"] = [f"{f.severity.value}: {f.check}: {f.subject}: {f.message}" for f in judging]
        for f in judging:
            if f.severity in (Severity.WARNING, Severity.CRITICAL) and f.value is not None:
                self._advise(f"{f.check} {f.subject}", f.message, f.value, f.unit, f.hint or "look into it")
        message = (
            "; ".join(f"{f.subject}: {f.message}" for f in judging if f.value is not None) or "nothing could be told"
        )
        return Outcome(message, {"shown": self._told["Resources"]}, tuple(found), status=OK)

    def databases(self) -> Outcome:
        """Size and empty pages; read only."""
        told, findings = [], []
        for name, path in Sources(self._scene.home, self._scene.config).databases().items():
            try:
                one = look(name, path)
            except (sqlite3.Error, OSError) as error:
                text = f"{path} cannot be read: {error}"
                findings.append(
                    self._scene.finding(Severity.UNKNOWN, name, text, hint="See `healthkit check databases`.")
                )
                continue
            told.append(one)
            if one.pays:
                how = "healthkit run database_maintenance --apply"
                self._advise(f"database {name}", str(one), one.wasted, "ratio", how)
        self._told["Databases"] = [str(one) for one in told] or ["no database could be looked at"]
        message = "; ".join(self._told["Databases"])
        return Outcome(message, {"databases": [one.as_dict() for one in told]}, tuple(findings), status=OK)

    def configuration(self) -> Outcome:
        """Healthkit's own keys against what was measured; the application's files are the configuration review's."""
        found, unknown = suggestions(look_around(self._scene))
        for one in found:
            self._advise(one.key, one.text, one.value, one.unit, f"reconsider {one.key}")
        self._told["Configuration"] = [one.text for one in found] + [f"unknown: {text}" for text in unknown]
        message = f"{counted(len(found), 'suggestion')}; {counted(len(unknown), 'question')} could not be answered"
        return Outcome(message, {"suggestions": [one.key for one in found], "unknown": unknown})

    def recommend(self) -> Outcome:
        """Everything that a number speaks for, and nothing else."""
        findings = tuple(
            replace(
                self._scene.finding(
                    Severity.INFO, one["subject"], one["text"], value=one["value"], unit=one["unit"], hint=one["do"]
                ),
                host=one["host"],
            )
            for one in self._advice
        )
        return Outcome(counted(len(self._advice), "recommendation"), {"recommendations": self._advice}, findings)

    def keep(self) -> Outcome:
        """As Markdown, under the runbook's name."""
        now = self._scene.now
        text = render(self._scene, self._told, self._advice)
        path = keep(self._scene.home, "monthly", f"optimization-report-{now:%Y-%m}.md", text)
        return Outcome(f"kept in {path}", {"path": str(path), "next": (now + timedelta(days=MONTH)).isoformat()})

    def _allowed(self, one: Movement) -> float:
        """The slope a day that is no reason to act: as in the capacity plan; of a score, a point a month."""
        if one.metric == SCORE:
            return 1 / MONTH
        growth = self._scene.config.growth
        return growth.response_seconds_per_day if one.unit == "seconds" else growth.ratio_per_day

    def _advise(self, what: str, text: str, value: float, unit: str, do: str, *, host: str = "") -> None:
        """Of this host, or of another whose samples lie here: the subject begins with its name."""
        host = host or self._scene.config.host
        if math.isfinite(value):
            subject = f"{host} {what}"
            self._advice.append(
                {"host": host, "subject": subject, "text": text, "value": value, "unit": unit, "do": do}
            )

    def _blind(self, one: Movement) -> Finding:
        hint = "Keep the collector running: healthkit collect --every 60s."
        return replace(self._scene.finding(Severity.UNKNOWN, one.subject, one.unknown, hint=hint), host=one.host)
