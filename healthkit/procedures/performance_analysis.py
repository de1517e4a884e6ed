"""Analyses the last ended week: score, response time, CPU and memory, kept as the runbook's JSON.

The file is `HOME/reports/weekly/performance-analysis-<ISO week>.json`. What was not measured is null in it, and unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.analyses import Analysis, analysis, keep
from healthkit.errors import ParameterError, ProcedureError
from healthkit.findings import Finding, Severity
from healthkit.periods import Period
from healthkit.procedures._runs import OK, Action, Outcome

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = False
OPTIONS = {"week": "another one than the last that ended: 2026-W47"}


def steps(scene: Scene) -> Iterator[Action]:
    """Analyse, keep."""
    week = _Week(scene)
    yield Action("analysis", week.analyse)
    yield Action("record", week.keep)


class _Week:
    """The analysis under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._made: Analysis | None = None

    def analyse(self) -> Outcome:
        """Every number, what follows from it, and what could not be told."""
        period = self._period()
        made = analysis(self._scene.home, config=self._scene.config, start=period.start, end=period.end)
        self._made = made
        message = "; ".join(f"{name} {average} on average" for name, average, *_ in made.rows())
        # What it found is no failure of the analysis.
        return Outcome(f"{period}: {message}", {"analysis": made.as_dict()}, tuple(self._findings(made)), status=OK)

    def keep(self) -> Outcome:
        """Where the runbook's readers look for it."""
        if self._made is None:
            raise ProcedureError("nothing was analysed")
        path = keep(self._scene.home, self._made)
        return Outcome(f"kept in {path}", {"path": str(path)})

    def _findings(self, made: Analysis) -> Iterator[Finding]:
        for sentence in made.recommendations:
            fact, _, remedy = sentence.partition(": ")
            hint = remedy[:1].upper() + remedy[1:]
            yield self._scene.finding(Severity.WARNING, "week", fact, hint=hint, week=made.week)
        for note in made.notes:
            unknown = note.endswith("not measured")
            hint = "Run the collector: healthkit collect --every 60s." if unknown else ""
            yield self._scene.finding(Severity.UNKNOWN if unknown else Severity.INFO, "week", note, hint=hint)
        if not made.recommendations and made.score is not None:
            message = f"nothing is above its limit; {made.score.n} scores, the lowest {made.score.minimum:g}"
            yield self._scene.finding(Severity.OK, "week", message, value=made.score.average)

    def _period(self) -> Period:
        label = self._scene.options.get("week", "")
        period = Period.parse(label) if label else Period.of("weekly", self._scene.now).previous()
        if period.cadence != "weekly" or period.start > self._scene.now:
            raise ParameterError(f"week {label!r}: write one that has begun, such as 2026-W47")
        return period
