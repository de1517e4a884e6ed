"""Times this host's CPU, memory and disk, briefly, and compares with the run of an earlier quarter beyond the noise of both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from healthkit.findings import Finding, Severity
from healthkit.logbook import logbook
from healthkit.periods import Period
from healthkit.procedures import _stopwatches
from healthkit.procedures._runs import Action, Outcome
from healthkit.quantities import digits, quantity

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene
    from healthkit.procedures._stopwatches import Timing

ACTS = False

WORTH = 0.10
"""Difference of the medians below which nobody cares, however sure it is."""
CALM = 0.5
"""Load per core from which others' work is what is measured."""
REACH = timedelta(days=400)


def steps(scene: Scene) -> Iterator[Action]:
    """Load, the three measurements, the comparison."""
    timing = _Timing(scene)
    yield Action("load", timing.load)
    yield Action("processor", partial(timing.measure, _stopwatches.processor))
    yield Action("memory", partial(timing.measure, _stopwatches.memory))
    yield Action("disk", partial(timing.measure, lambda: _stopwatches.disk(scene.workspace)))
    yield Action("compare", timing.compare)


class _Timing:
    """A benchmark under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._timings: list[Timing] = []
        self._busy = False

    def load(self) -> Outcome:
        """What else the host had to do: a benchmark beside other work measures that work."""
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        self._busy = load > CALM * cores
        message = f"load {digits(load)} on {cores} cores before it began"
        evidence = {"load1": load, "cores": cores, "busy": self._busy}
        if not self._busy:
            return Outcome(message, evidence)
        hint = "Run it in a quiet hour."
        text = f"{message}: more than {digits(CALM * cores)}, so these numbers tell of other work too"
        found = self._scene.finding(Severity.UNKNOWN, "load", text, value=load, hint=hint, threshold=CALM * cores)
        return Outcome(text, evidence, (found,))

    def measure(self, work: Any) -> Outcome:
        """Rounds of one kind of work."""
        done = list(work())
        self._timings += done
        message = "; ".join(
            f"{t.what}: {_shown(t.median, t.unit)} (rounds {_shown(min(t.rounds), t.unit)} to {_shown(max(t.rounds), t.unit)})"
            for t in done
        )
        return Outcome(message, {"timings": [t.as_dict() for t in done]})

    def compare(self) -> Outcome:
        """With the newest run of an earlier quarter on this host, of which the load was low as well."""
        since, before = self._before()
        if not before:
            message = "there is no run of an earlier quarter, made in a quiet hour, to compare with"
            return Outcome(message, {}, (self._scene.finding(Severity.INFO, "comparison", message),))
        if self._busy:
            message = f"cannot be compared with {since}: the host was busy"
            return Outcome(message, {"since": since, "compared": []})
        rows = [difference(t, before[t.name]) for t in self._timings if t.name in before]
        moved = [row for row in rows if row["verdict"] != "no difference"]
        findings = tuple(self._judge(row, since) for row in moved)
        told = "; ".join(f"{row['name']} {row['verdict']} by {abs(row['change']):.0%}" for row in moved)
        message = f"{len(moved)} of {len(rows)} numbers differ from those of {since} beyond their noise{': ' if told else ''}{told}"
        return Outcome(message, {"since": since, "compared": rows}, findings)

    def _judge(self, row: dict[str, Any], since: str) -> Finding:
        slower = row["verdict"] == "slower"
        text = f"{row['verdict']} than in {since}: {_shown(row['before'], row['unit'])} then, {_shown(row['now'], row['unit'])} now"
        hint = "Run it again in a quiet hour; then ask what changed: kernel, disk, neighbours." if slower else ""
        return self._scene.finding(
            Severity.WARNING if slower else Severity.INFO,
            row["name"],
            text,
            value=row["now"],
            unit=row["unit"],
            hint=hint,
        )

    def _before(self) -> tuple[str, dict[str, dict[str, Any]]]:
        """Label of the quarter and timings by name; nothing where there is none."""
        scene = self._scene
        quarter = Period.of("quarterly", scene.now)
        book = logbook(scene.home, since=scene.now - REACH, until=quarter.start, hosts=[scene.config.host])
        for run in book.of(scene.procedure):
            found = {
                t["name"]: t for step in ("processor", "memory", "disk") for t in run.evidence(step).get("timings", ())
            }
            if found and not run.evidence("load").get("busy", True):
                return Period.of("quarterly", run.started).label, found
        return "", {}


def difference(now: Timing, before: dict[str, Any]) -> dict[str, Any]:
    """How one number compares with an earlier one: `slower`, `faster` or `no difference`.

    Different only where the rounds of the two times do not overlap at all, and the medians lie a tenth apart.
    """
    change = now.median / before["median"] - 1
    apart = min(now.rounds) > before["high"] or max(now.rounds) < before["low"]
    more_is_better = now.unit != "seconds"
    verdict = "no difference"
    if apart and abs(change) >= WORTH:
        verdict = "faster" if (change > 0) is more_is_better else "slower"
    return {"name": now.name, "what": now.what, "unit": now.unit, "before": before["median"], "now": now.median,
            "change": change, "verdict": verdict}  # fmt: skip


def _shown(value: float, unit: str) -> str:
    return quantity(value, unit)
