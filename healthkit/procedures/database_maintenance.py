"""Looks after every SQLite database: size, empty pages, fresh statistics for its planner, VACUUM where that pays.

A VACUUM is made only where it wins back a fifth of the file, fits on the disk twice, and gets the lock in time; it is
broken off when it has held writers up for too long. Whatever is not done is said, with the number that decided it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ParameterError, ProcedureError
from healthkit.findings import Finding, Severity
from healthkit.procedures._runs import OK, Action, Outcome
from healthkit.procedures._sources import Sources
from healthkit.procedures._upkeep import WASTED, Upkeep, analyze, look, require_space, vacuum
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

ACTS = True
OPTIONS = {
    "wait": "seconds to wait for a writer that holds the lock, 10 by default",
    "hold": "seconds that a VACUUM may hold writers up, 30 by default",
}

LARGE = 500 * 10**6
"""Bytes from which the runbook advises to archive old rows."""


def steps(scene: Scene) -> Iterator[Action]:
    """Look, then statistics and VACUUM of each database, then look again."""
    keeping = _Keeping(scene)
    yield Action("look", keeping.look)
    for name in keeping.found:
        yield Action(f"analyze {name}", partial(keeping.analyze, name), partial(keeping.plan_analyze, name))
        yield Action(f"vacuum {name}", partial(keeping.vacuum, name), partial(keeping.plan_vacuum, name))
    if keeping.found and not scene.dry_run:
        yield Action("after", keeping.after)


class _Keeping:
    """Maintenance under way."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._wait = _seconds(scene, "wait", 10)
        self._hold = _seconds(scene, "hold", 30)
        self.found: dict[str, Upkeep] = {}

    def look(self) -> Outcome:
        """Every database, as it is."""
        findings: list[Finding] = []
        sources = Sources(self._scene.home, self._scene.config).databases()
        for name, path in sources.items():
            try:
                self.found[name] = look(name, path)
            except (sqlite3.Error, OSError) as error:
                hint = "See `healthkit check databases`."
                findings.append(
                    self._scene.finding(Severity.UNKNOWN, name, f"{path} cannot be read: {error}", hint=hint)
                )
        findings += [self._large(one) for one in self.found.values() if one.bytes > LARGE]
        message = "; ".join(map(str, self.found.values())) or f"none of {len(sources)} databases could be looked at"
        return Outcome(message, {"databases": [one.as_dict() for one in self.found.values()]}, tuple(findings))

    def analyze(self, name: str) -> Outcome:
        """Statistics for the query planner."""
        try:
            seconds = analyze(Path(self.found[name].path), wait=self._wait)
        except sqlite3.OperationalError as error:
            return self._postponed(name, "statistics", error)
        return Outcome(f"statistics renewed in {quantity(seconds, 'seconds')}", {"seconds": seconds})

    def plan_analyze(self, name: str) -> Outcome:
        """What the dry run says."""
        had = "renew" if self.found[name].analyzed else "make the first"
        return Outcome(f"would {had} statistics of {name}")

    def vacuum(self, name: str) -> Outcome:
        """Where it pays, fits, and holds nobody up too long."""
        database = self.found[name]
        if not database.pays:
            return Outcome(_why_not(database), {"pays": False})
        try:
            require_space(database)
            seconds = vacuum(Path(database.path), wait=self._wait, hold=self._hold)
        except ProcedureError as error:
            found = self._scene.finding(Severity.WARNING, name, str(error), hint=error.hint)
            return Outcome(str(error), {"pays": True, "done": False}, (found,), status=OK)
        except sqlite3.OperationalError as error:
            return self._postponed(name, "VACUUM", error)
        after = look(name, Path(database.path), wait=self._wait)
        won = database.bytes - after.bytes
        message = f"{quantity(won, 'bytes')} won back in {quantity(seconds, 'seconds')}: {after}"
        evidence = {
            "pays": True,
            "done": True,
            "before": database.as_dict(),
            "after": after.as_dict(),
            "seconds": seconds,
        }
        return Outcome(message, evidence)

    def plan_vacuum(self, name: str) -> Outcome:
        """What the dry run says, the space it takes included."""
        database = self.found[name]
        if not database.pays:
            return Outcome(_why_not(database), {"pays": False})
        require_space(database)
        return Outcome(f"would win back {quantity(database.free_bytes, 'bytes')} of {name}", {"pays": True})

    def after(self) -> Outcome:
        """Sizes at the end, measured anew."""
        now = [look(name, Path(one.path), wait=self._wait) for name, one in self.found.items()]
        won = sum(one.bytes for one in self.found.values()) - sum(one.bytes for one in now)
        change = f"{quantity(abs(won), 'bytes')} {'less' if won >= 0 else 'more'} than before"
        return Outcome(
            f"{change}; {'; '.join(map(str, now))}", {"databases": [one.as_dict() for one in now], "won": won}
        )

    def _postponed(self, name: str, what: str, error: sqlite3.OperationalError) -> Outcome:
        """A busy database is left alone; that is no failure, and it is said."""
        broken = "interrupted" in str(error)
        why = (
            f"broken off after {self._hold:g} s in which writers waited" if broken else f"{error} for {self._wait:g} s"
        )
        if not broken and "locked" not in str(error) and "busy" not in str(error):
            raise error
        hint = f"Run it in a quiet hour, or give it longer: -o {'hold' if broken else 'wait'} SECONDS."
        message = f"{what} of {name} postponed: {why}; the database is as it was"
        found = self._scene.finding(Severity.WARNING, name, message, hint=hint)
        return Outcome(message, {"done": False, "reason": str(error)}, (found,), status=OK)

    def _large(self, one: Upkeep) -> Finding:
        message = f"takes {quantity(one.bytes, 'bytes')}, more than {quantity(LARGE, 'bytes')}"
        hint = "Archive rows that nobody reads any more."
        return self._scene.finding(
            Severity.INFO, one.name, message, value=float(one.bytes), unit="bytes", hint=hint, threshold=LARGE
        )


def _why_not(database: Upkeep) -> str:
    return (
        f"a VACUUM of {database.name} does not pay: {quantity(database.free_bytes, 'bytes')} "
        f"({quantity(database.wasted, 'ratio')}) are empty, it takes {quantity(WASTED, 'ratio')} and 8 MiB"
    )


def _seconds(scene: Scene, name: str, usual: float) -> float:
    text = scene.options.get(name, str(usual))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 86400:
        raise ParameterError(f"option {name} {text!r}: seconds, from 0 to a day")
    return seconds
