"""Brings damaged databases and configuration back: writers stopped, the damaged files kept, the best that there is put in their place.

Each backup is verified before it is used, newest first; a salvage of the damaged database takes its place where it loses
less. Services start again only if everything came back. How far it came is kept in `HOME/logs/recovery/REC-<time>.json`,
so that the next run goes on where a killed one stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ProcedureError
from healthkit.findings import Finding, Severity
from healthkit.manifests import digest
from healthkit.procedures._answers import until_it_answers
from healthkit.procedures._choices import choose
from healthkit.procedures._copies import copy_file
from healthkit.procedures._damages import Damages
from healthkit.procedures._journals import Item, Journal
from healthkit.procedures._placements import keep_aside, place, prepared_path, settle
from healthkit.procedures._runs import FAILED, SKIPPED, Action, Outcome
from healthkit.procedures._stopping import PATIENCE, command_of, order, require_no_writer
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.procedures._choices import Choice
    from healthkit.procedures._scenes import Scene

ACTS = True
EMERGENCY = True
OPTIONS = {
    "backups": "where the backups are, if healthkit.yaml cannot be used",
    "prefer": "backup or salvage: use it whatever it loses",
    "unseen": "accept: processes whose files cannot be seen are taken to write nothing",
}

_KEEP = "would keep the damaged files as <file>.corrupted.<time>, with what lies beside them"
_PLACE = "would put them in their place by a rename each, and look at them again"
_START = "would start what was stopped, only if everything came back, and ask whether it answers"
_AGAIN = (
    "Put a good copy into the folder of backups and run it again: it goes on from here. The damaged files are kept."
)


def steps(scene: Scene) -> Iterator[Action]:
    """Assess, stop, keep, prepare, place, verify, start, answer."""
    if scene.options.get("prefer", "") not in ("", "backup", "salvage"):
        raise ProcedureError(f"-o prefer {scene.options['prefer']!r}: it is backup or salvage")
    recovering = _Recovering(scene)
    yield Action("assess", recovering.assess)
    if not recovering.items:
        return
    if recovering.unverified:
        yield Action("stop", recovering.stop, recovering.plan_stop)
        yield Action("keep", recovering.keep, partial(Outcome, _KEEP))
        yield Action("prepare", recovering.prepare, recovering.plan_prepare)
        yield Action("place", recovering.place, partial(Outcome, _PLACE))
        yield Action("verify", recovering.verify, partial(Outcome, _PLACE))
    yield Action("start", recovering.start, partial(Outcome, _START))
    yield Action("answer", recovering.answer, partial(Outcome, _START))


class _Recovering:
    """A recovery under way, or one that is resumed."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._damages = Damages(scene.home, scene.config, scene)
        self._journal = Journal.open(scene.home, scene.now)

    @property
    def items(self) -> dict[str, Item]:
        """What is recovered."""
        return self._journal.items

    @property
    def unverified(self) -> list[Item]:
        """What has not come back yet."""
        return [item for item in self.items.values() if item.state != "verified"]

    def assess(self) -> Outcome:
        """What is damaged; of a recovery that is resumed, what still is."""
        resumed = self._journal.begun
        for name, item in list(self.items.items()):
            if item.state in ("found", "kept", "hopeless") and not self._damages.of(item):
                del self.items[name]  # somebody repaired it
        for name, item in self._damages.find().items():
            self.items.setdefault(name, item)
        if not self.items:
            if resumed and not self._scene.dry_run:
                self._finish("nothing is damaged any more")
            message = f"nothing is damaged: {self._damages.looked}"
            return Outcome(message, {}, (self._scene.finding(Severity.OK, "recovery", message),))
        faults = {name: f"{item.path} {item.fault}" for name, item in self.items.items()}
        if not self._scene.dry_run:
            self._journal.save(f"{'resumed' if resumed else 'begun'}: {'; '.join(faults.values())}")
        word = f"{self._journal.name} goes on: " if resumed else ""
        return Outcome(
            f"{word}{len(faults)} damaged: {'; '.join(faults.values())}", {"faults": faults, "states": self._states()}
        )

    def stop(self) -> Outcome:
        """Stop what can be stopped, and see that nobody writes: a stop that failed is no matter if nobody does."""
        failed = []
        for service in self._scene.config.services:
            if command_of(service, "stop"):
                if service.name not in self._journal.stopped:
                    self._journal.stopped.append(service.name)
                    self._journal.save(f"stopping {service.name}")
                reason = order(self._scene, service, "stop")
                failed += [f"{service.name} could not be stopped: {reason}"] if reason else []
        paths = [Path(item.path) for item in self.unverified]
        try:
            looked = require_no_writer(paths, unseen=self._scene.options.get("unseen") == "accept", patience=PATIENCE)
        except ProcedureError as error:
            self._journal.save(f"refused: {error}")
            raise ProcedureError("; ".join([str(error), *failed]), severity=error.severity, hint=error.hint) from error
        message = f"{counted(len(self._journal.stopped), 'service')} stopped; nobody writes to any of {counted(looked, 'file')}"
        return Outcome("; ".join([message, *failed]), {"stopped": self._journal.stopped, "failed": failed})

    def plan_stop(self) -> Outcome:
        names = [service.name for service in self._scene.config.services if command_of(service, "stop")]
        return Outcome(
            f"would stop {', '.join(names) or 'no service: none can be'}, and refuse if anybody still writes"
        )

    def keep(self) -> Outcome:
        """The damaged files, with what lies beside them."""
        kept: list[str] = []
        for name, item in self._at("found"):
            path = Path(item.path)
            if path.exists():
                status = path.stat()
                item.mode, item.uid, item.gid = status.st_mode & 0o7777, status.st_uid, status.st_gid
                kept += map(str, keep_aside(path, self._journal.stamp))
            item.state = "kept"
            self._journal.save(f"kept {name}")
        return Outcome(f"{counted(len(kept), 'file')} kept", {"kept": kept})

    def prepare(self) -> Outcome:
        """The best that there is for each, beside its place."""
        found: list[Finding] = []
        for name, item in [*self._at("kept"), *self._at("hopeless")]:
            choice, tried = self._choice(name, item, self._kept(item))
            if choice is None:
                item.state = "hopeless"
                self._journal.save(f"nothing to recover {name} from")
                found.append(self._hopeless(name, tried))
                continue
            prepared = prepared_path(Path(item.path), self._journal.stamp)
            prepared.unlink(missing_ok=True)
            prepared.parent.mkdir(parents=True, exist_ok=True)
            copy_file(choice.path, prepared, name=name)
            item.sha256 = settle(prepared, mode=item.mode, uid=item.uid, gid=item.gid)
            item.origin, item.report, item.lossy, item.state = choice.origin, choice.report, choice.lossy, "prepared"
            self._journal.save(f"prepared {name} from {choice.origin}: {choice.report}")
        told = {name: f"{item.origin}: {item.report}" for name, item in self.items.items() if item.origin}
        return Outcome("; ".join(f"{name} from {text}" for name, text in told.items()) or "nothing", told, tuple(found))

    def plan_prepare(self) -> Outcome:
        found, told = [], {}
        for name, item in self.items.items():
            choice, tried = self._choice(name, item, Path(item.path))
            if choice is None:
                found.append(self._hopeless(name, tried))
            else:
                told[name] = f"would recover {name} from {choice.origin}: {choice.report}"
        return Outcome("; ".join(told.values()) or "there is nothing to recover from", told, tuple(found))

    def place(self) -> Outcome:
        """Each by one rename, after the old WAL is gone."""
        placed = []
        for name, item in self._at("prepared"):
            path = Path(item.path)
            place(path, prepared_path(path, self._journal.stamp), item.sha256)
            item.state = "placed"
            self._journal.save(f"placed {name}")
            placed.append(name)
        return Outcome(counted(len(placed), "file put in its place", "files put in their place"), {"placed": placed})

    def verify(self) -> Outcome:
        """What is in its place is what was prepared, and is sound."""
        found: list[Finding] = []
        for name, item in self._at("placed"):
            fault = self._damages.of(item)
            if not fault and digest(Path(item.path)) != item.sha256:
                fault = "was changed after it was put in its place: somebody writes"
            if fault:
                found.append(self._scene.finding(Severity.CRITICAL, name, f"{item.path} {fault}", hint=_AGAIN))
                continue
            item.state = "verified"
            self._journal.save(f"verified {name}")
        return Outcome(
            f"{len(self._at('verified'))} of {len(self.items)} files are sound", self._states(), tuple(found)
        )

    def start(self) -> Outcome:
        """What was stopped, only if everything came back."""
        if self.unverified:
            message = f"not started: {len(self.unverified)} files did not come back"
            found = self._scene.finding(Severity.CRITICAL, "start", message, hint=_AGAIN)
            return Outcome(message, self._states(), (found,), status=FAILED)
        failed = []
        for service in self._scene.config.services:
            if service.name in self._journal.stopped:
                reason = order(self._scene, service, "start")
                failed += (
                    [self._scene.finding(Severity.CRITICAL, service.name, f"{service.name} did not start: {reason}")]
                    if reason
                    else []
                )
                self._journal.save(reason or f"started {service.name}")
        if not self._journal.stopped:
            return Outcome("no service had been stopped")
        return Outcome(f"{len(self._journal.stopped) - len(failed)} services started", {}, tuple(failed))

    def answer(self) -> Outcome:
        """Whether the services answer; then the recovery is over."""
        told = self._told()
        if self.unverified:
            return Outcome("not reached: the services were not started", {}, told, status=SKIPPED)
        outcome = until_it_answers(self._scene)
        self._finish(f"finished: {outcome.message}")
        evidence = {**outcome.evidence, "log": str(self._journal.path.with_suffix(".log"))}
        return Outcome(outcome.message, evidence, (*told, *outcome.findings))

    def _told(self) -> tuple[Finding, ...]:
        """What came back, and what it cost."""
        found = []
        for name, item in self._at("verified"):
            severity = Severity.WARNING if item.lossy else Severity.OK
            message = f"{item.path} came back from {item.origin}: {item.report}"
            hint = "See what the lost rows mean; the damaged file is kept beside it." if item.lossy else ""
            found.append(self._scene.finding(severity, name, message, hint=hint, origin=item.origin))
        return tuple(found)

    def _choice(self, name: str, item: Item, damaged: Path) -> tuple[Choice | None, dict[str, str]]:
        backups = self._scene.config.backups
        directory = Path(backups.directory) if backups else None
        workspace = self._scene.workspace / f"item-{len(list(self._scene.workspace.iterdir()))}"
        workspace.mkdir(mode=0o700)
        if item.kind == "configuration":
            return self._damages.configuration(item, directory, workspace)
        return choose(damaged, directory, name, workspace, prefer=self._scene.options.get("prefer", ""))

    def _hopeless(self, name: str, tried: dict[str, str]) -> Finding:
        reasons = "; ".join(f"{what}: {why}" for what, why in list(tried.items())[:3]) or "there is no backup"
        message = f"nothing to recover {name} from: {reasons}"
        return self._scene.finding(Severity.CRITICAL, name, message, hint=_AGAIN, tried=tried)

    def _kept(self, item: Item) -> Path:
        path = Path(item.path)
        return path.with_name(f"{path.name}.corrupted.{self._journal.stamp}")

    def _at(self, state: str) -> list[tuple[str, Item]]:
        return [(name, item) for name, item in self.items.items() if item.state == state]

    def _states(self) -> dict[str, str]:
        return {name: item.state for name, item in self.items.items()}

    def _finish(self, line: str) -> None:
        self._journal.finished = datetime.now(UTC).isoformat()
        self._journal.save(line)
