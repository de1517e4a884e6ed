"""Rotates logs through the host's logrotate, then proves that no line was lost and no archive overwritten.

Ours is the policy (configuration), the dry run, the verification and the retention: archives that we made are removed by
age and, oldest first, by total size; never one of the last day, and nobody else's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.checks._context import printable
from healthkit.errors import ProcedureError
from healthkit.files import write_atomically
from healthkit.findings import Finding, Severity
from healthkit.procedures._log_files import Inventory, LogFile, World, count_lines
from healthkit.procedures._log_proofs import expired, lost_archives, lost_lines, too_large
from healthkit.procedures._logrotate import pass_by, rotate, stanzas
from healthkit.procedures._reopening import REOPEN, stragglers, tell, would_tell
from healthkit.procedures._runs import Action, Outcome
from healthkit.procedures._writers import name_of, writers
from healthkit.quantities import counted, quantity
from healthkit.schema import Reading
from healthkit.store.journal import Journal

if TYPE_CHECKING:
    from healthkit.config import Logs
    from healthkit.procedures._scenes import Scene

ACTS = True
OPTIONS = {"force": "`yes` rotates now; without it each log is rotated once a day, the first time on the day after"}


def steps(scene: Scene) -> Iterator[Action]:
    """Look, rotate, have writers reopen, verify, remove what is old, measure."""
    config = scene.config.logs
    if config is None:
        hint = "Name their folders under `logs:` in healthkit.yaml."
        raise ProcedureError("no logs are configured", severity=Severity.INFO, hint=hint)
    rotation = _Rotation(scene, config)
    yield Action("look", rotation.look)
    yield Action("rotate", rotation.rotate, rotation.plan_rotate)
    yield Action("reopen", rotation.reopen, rotation.plan_reopen)
    yield Action("verify", rotation.verify, rotation.plan_verify)
    yield Action("retention", rotation.retention, rotation.plan_retention)
    yield Action("metrics", rotation.measure, rotation.plan_measure)


class _Rotation:
    """A rotation under way."""

    def __init__(self, scene: Scene, config: Logs) -> None:
        self._scene = scene
        self._config = config
        self._proc = Path(scene.root) / "proc"
        self._before = World()
        self._lines: dict[Path, int | None] = {}
        self._held: dict[Path, str] = {}
        self._rotated: dict[Path, LogFile] = {}

    def look(self) -> Outcome:
        """What there is, how many lines it has, and which logs must wait because of their writers."""
        found = [
            self._scene.finding(
                Severity.UNKNOWN, name, f"there is no folder {name}", hint="Correct `logs: directories`."
            )
            for name in self._config.directories
            if not Path(name).is_dir()
        ]
        self._before = World.of(self._config)
        for folder in self._before.folders:
            if folder.odd:
                first = next(iter(folder.odd.items()))
                message = f"{len(folder.odd)} entries are not rotated; the first: {first[0]}: {first[1]}"
                hint = "Move them elsewhere, or make them regular files with plain names."
                found.append(
                    self._scene.finding(Severity.WARNING, f"{folder.folder}: odd", message, hint=hint, odd=folder.odd)
                )
        self._hold_back(found)
        plain = [log for log in self._before.archives.values() if not log.compressed]
        for log in [*self._before.live.values(), *plain]:
            self._lines[log.path] = count_lines(log, limit=log.bytes)
        size = sum(folder.allocated for folder in self._before.folders)
        message = f"{len(self._before.live)} logs, {len(self._before.archives)} archives, {quantity(size, 'bytes')}"
        return Outcome(message, {"logs": [str(path) for path in self._before.live], "bytes": size}, tuple(found))

    def _hold_back(self, found: list[Finding]) -> None:
        """Leave alone a log whose last archive still has a writer: the next rotation would compress it under them."""
        plain = {path: log for path, log in self._before.archives.items() if not log.compressed}
        seen = writers((log.inode for log in plain.values()), proc=self._proc)
        for path, log in plain.items():
            who = [name_of(pid, proc=self._proc) for pid in seen.of(log.inode)]
            if who:
                live = path.with_name(path.name.rsplit("-", 2)[0])
                self._held[live] = f"{', '.join(who)} still writes to {path.name}"
        if self._held:
            message = f"{counted(len(self._held), 'log is', 'logs are')} not rotated: {next(iter(self._held.values()))}"
            held = {str(path): why for path, why in self._held.items()}
            found.append(self._scene.finding(Severity.WARNING, "held", message, hint=REOPEN, held=held))
        if seen.blind and os.geteuid() != 0:
            message = (
                f"the open files of {seen.blind} processes may not be seen: whether they write to an archive is unknown"
            )
            found.append(self._scene.finding(Severity.UNKNOWN, "writers", message, hint="Run it as root."))

    def rotate(self) -> Outcome:
        """logrotate, with our stanza and our state."""
        folder = self._scene.home / "logrotate"
        folder.mkdir(parents=True, exist_ok=True)
        pass_by({log.stamp for log in self._before.archives.values()})
        said = self._call(folder / "logrotate.conf", folder / "status", dry=False)
        after = {log.inode: log for log in World.of(self._config).archives.values()}
        self._rotated = {path: after[log.inode] for path, log in self._before.live.items() if log.inode in after}
        names = {str(path): log.path.name for path, log in self._rotated.items()}
        message = (
            f"{len(names)} of {counted(len(self._before.live), 'log')} {'was' if len(names) == 1 else 'were'} rotated"
        )
        return Outcome(message, {"rotated": names, "said": said[-2000:]})

    def plan_rotate(self) -> Outcome:
        state = self._scene.home / "logrotate" / "status"
        if not state.exists():
            state = self._scene.workspace / "status"
        said = self._call(self._scene.workspace / "logrotate.conf", state, dry=True)
        would = [line.strip() for line in said.splitlines() if "renaming" in line or "compressing" in line]
        message = f"logrotate would rotate {counted(sum('renaming' in line for line in would), 'log')}"
        return Outcome(message, {"would": would, "said": said[-4000:]})

    def _call(self, conf: Path, state: Path, *, dry: bool) -> str:
        due = [path for path in self._before.live if path not in self._held]
        if not due:
            return "there is no log to rotate"
        write_atomically(conf, stanzas(due), mode=0o600)
        return rotate(self._scene, conf, state, dry=dry, force=self._scene.options.get("force") == "yes")

    def reopen(self) -> Outcome:
        """Tell writers to open their logs anew."""
        how = self._config.reopen
        if how is None or not self._rotated:
            return Outcome("nothing was rotated" if how else "no signal or command is configured: `logs: reopen`")
        return tell(self._scene, how, self._rotated.values(), proc=self._proc)

    def plan_reopen(self) -> Outcome:
        return Outcome(would_tell(self._config.reopen))

    def verify(self) -> Outcome:
        """Every line and every archive of before is still there; nobody writes to what was rotated."""
        found = [*stragglers(self._scene, self._rotated.values(), proc=self._proc)]
        after = World.of(self._config)
        faults = [
            *lost_lines(self._before, after, self._rotated, self._lines),
            *lost_archives(self._before, after, self._lines),
        ]
        lines = sum(self._lines[path] or 0 for path in self._rotated)
        uncounted = sum(self._lines[path] is None for path in self._rotated)
        message = f"{counted(len(self._rotated), 'log')} rotated, {counted(lines, 'line')} in them, all there"
        if uncounted:
            message += f"; {uncounted} are too large to count, but whole by inode and size"
        evidence = {"rotated": len(self._rotated), "lines": lines, "faults": faults[:50]}
        if faults:
            message = f"{len(faults)} faults; the first: {faults[0]}"
            hint = "See what else rotates these logs: /etc/logrotate.d, cron, the application itself."
            found.append(self._scene.finding(Severity.CRITICAL, "lines", message, value=float(len(faults)), hint=hint))
        else:
            found.append(self._scene.finding(Severity.OK, "lines", message, value=0.0, lines=lines))
        return Outcome(message, evidence, tuple(found))

    def plan_verify(self) -> Outcome:
        return Outcome("would compare lines, names and inodes with those of before")

    def retention(self) -> Outcome:
        """Remove what is too old or too much, if it is still what we looked at."""
        gone, found = [], self._oversize()
        for log, reason in expired(World.of(self._config), self._config, self._scene.now.timestamp()):
            if log.path.lstat().st_ino == log.inode[1]:
                log.path.unlink()
                gone.append(f"{printable(log.path)}: {reason}")
        return Outcome(f"{len(gone)} archives removed", {"removed": gone}, found)

    def plan_retention(self) -> Outcome:
        going = expired(World.of(self._config), self._config, self._scene.now.timestamp())
        would = [f"{printable(log.path)}: {reason}" for log, reason in going]
        return Outcome(f"would remove {len(would)} archives", {"would_remove": would}, self._oversize())

    def _oversize(self) -> tuple[Finding, ...]:
        """Folders that are too large even without every archive that may go."""
        found = []
        for folder, total in too_large(World.of(self._config), self._config, self._scene.now.timestamp()):
            message = f"{quantity(total, 'bytes')} remain; the limit is {quantity(self._config.max_total, 'bytes')}"
            hint = "See what writes so much. Live logs, archives of the last day and those of others are not removed."
            subject = f"{folder}: size"
            found.append(
                self._scene.finding(Severity.WARNING, subject, message, value=float(total), unit="bytes", hint=hint)
            )
        return tuple(found)

    def measure(self) -> Outcome:
        """Sizes and counts of every folder, into the store."""
        readings = [*_readings(World.of(self._config).folders, len(self._rotated))]
        with Journal(self._scene.home, self._scene.config.host) as journal:
            written = journal.append(int(self._scene.now.timestamp() * 1000), readings)
        return Outcome(
            f"{counted(written, 'sample')} written", {f"{r.metric}{{{r.device}}}": r.value for r in readings}
        )

    def plan_measure(self) -> Outcome:
        return Outcome("would write the folders' sizes and counts into the store")


def _readings(folders: Iterable[Inventory], rotated: int) -> Iterator[Reading]:
    for folder in folders:
        device = printable(folder.folder)
        yield Reading("log_directory_bytes", float(folder.allocated), device)
        yield Reading("log_archive_bytes", float(sum(log.allocated for log in folder.archives.values())), device)
        yield Reading("log_archives", float(len(folder.archives)), device)
        yield Reading("log_files", float(len(folder.live)), device)
    yield Reading("logs_rotated", float(rotated))
