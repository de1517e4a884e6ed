"""What can be seen of a host before anybody touches it: each piece a text with the times between which it was taken.

Every source is asked in a thread of its own; one that hangs, as a disk does that does not answer, is left behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from healthkit.errors import HealthkitError
from healthkit.files import sync_folder, write_atomically

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

SECONDS = 20.0
"""How long all of them may take."""
LARGEST = 4 * 2**20
"""Bytes that are kept of a piece: its end."""
_LINES = 200
_SECRET = re.compile(r"(?i)((?:password|passwd|secret|token|api[-_]?key)\S*?[=: ]\s*)(\S+)")


@dataclass(frozen=True)
class Piece:
    """One piece of evidence."""

    name: str
    started: str
    """ISO 8601, UTC."""
    ended: str
    text: str
    problem: str = ""
    """Why there is none, or not all."""


def collect(scene: Scene) -> list[Piece]:
    """Ask every source at the same time."""
    began = time.monotonic()
    seekers = [_Seeker(name, source, scene) for name, source in SOURCES.items()]
    for seeker in seekers:
        seeker.start()
    for seeker in seekers:
        seeker.join(max(began + SECONDS - time.monotonic(), 0.01))
    return [seeker.piece() for seeker in seekers]


def archive(pieces: list[Piece], folder: Path) -> list[str]:
    """Write them down; when this returns they are on disk. Readable by their owner alone.

    Returns:
        Names of the files.

    Raises:
        OSError: They cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True)
    index = []
    for piece in pieces:
        write_atomically(folder / f"{piece.name}.txt", piece.text, mode=0o600)
        about = {name: value for name, value in asdict(piece).items() if name != "text"}
        index.append(
            about | {"bytes": len(piece.text.encode()), "sha256": hashlib.sha256(piece.text.encode()).hexdigest()}
        )
    write_atomically(folder / "index.json", json.dumps(index, indent=1) + "\n", mode=0o600)
    sync_folder(folder.parent)
    return [f"{piece.name}.txt" for piece in pieces]


class _Seeker(threading.Thread):
    """One source. A daemon: one that hangs holds nobody up."""

    def __init__(self, name: str, source: Callable[[Scene], str], scene: Scene) -> None:
        super().__init__(name=f"evidence-{name}", daemon=True)
        self._source, self._scene = source, scene
        self._since = datetime.now(UTC)
        self._found: Piece | None = None

    def run(self) -> None:
        self._since = datetime.now(UTC)
        text = problem = ""
        try:
            text = self._source(self._scene)
        except (OSError, ValueError, ImportError, psutil.Error, subprocess.SubprocessError, HealthkitError) as error:
            problem = f"{type(error).__name__}: {error}"
        clean = _SECRET.sub(r"\1***", text[-LARGEST:]).encode("utf-8", "backslashreplace").decode()
        self._found = self._piece(clean, problem)

    def piece(self) -> Piece:
        return self._found or self._piece("", f"no answer within {SECONDS:g} s")

    def _piece(self, text: str, problem: str) -> Piece:
        name = self.name.removeprefix("evidence-")
        return Piece(name, self._since.isoformat(), datetime.now(UTC).isoformat(), text or f"{problem}\n", problem)


def _processes(_: Scene) -> str:
    fields = ["pid", "ppid", "username", "status", "create_time", "num_threads", "name", "cmdline"]
    lines = ["pid ppid user status started cpu_seconds rss_bytes threads command"]
    for process in psutil.process_iter():
        with process.oneshot():
            try:
                seen = process.as_dict(fields)
                cpu, rss = sum(process.cpu_times()[:2]), process.memory_info().rss
            except psutil.Error:
                continue  # it ended while we looked
        born = datetime.fromtimestamp(seen["create_time"] or 0, UTC).isoformat(timespec="seconds")
        command = " ".join(seen["cmdline"] or ()) or f"[{seen['name']}]"
        lines.append(
            f"{seen['pid']} {seen['ppid']} {seen['username']} {seen['status']} {born} {cpu:.1f} {rss} {seen['num_threads']} {command}"
        )
    return "\n".join(lines) + "\n"


def _sockets(_: Scene) -> str:
    lines = ["status local remote pid"]
    for one in psutil.net_connections("inet"):
        local, remote = (":".join(map(str, end)) if end else "-" for end in (one.laddr, one.raddr))
        lines.append(f"{one.status} {local} {remote} {one.pid or '-'}")
    return "\n".join(lines) + "\n"


def _pressure(scene: Scene) -> str:
    proc = Path(scene.root) / "proc"
    files = [
        proc / "loadavg",
        proc / "uptime",
        *(proc / "pressure" / name for name in ("cpu", "memory", "io")),
        proc / "meminfo",
    ]
    return "".join(f"== {path.name}\n{path.read_text()}" for path in files if path.exists())


def _disks(_: Scene) -> str:
    lines = ["mount device type used_bytes total_bytes inodes_free inodes options"]
    for part in psutil.disk_partitions(all=False):
        use, room = psutil.disk_usage(part.mountpoint), os.statvfs(part.mountpoint)
        lines.append(
            f"{part.mountpoint} {part.device} {part.fstype} {use.used} {use.total} {room.f_favail} {room.f_files} {part.opts}"
        )
    return "\n".join(lines) + "\n"


def _kernel(scene: Scene) -> str:
    return _said(scene, "dmesg", "--time-format", "iso")


def _journal(scene: Scene) -> str:
    units = [word for service in scene.config.services if service.unit for word in ("-u", service.unit)]
    since = ("--since", "-1h", "--no-pager", "-o", "short-iso", "-n", "5000")
    own = _said(scene, "journalctl", *units, *since) if units else ""
    return own + _said(scene, "journalctl", "-p", "err", *since)


def _units(scene: Scene) -> str:
    units = [service.unit for service in scene.config.services if service.unit]
    return _said(scene, "systemctl", "status", "--no-pager", "-l", "--", *units) if units else "no unit is configured\n"


def _samples(scene: Scene) -> str:
    from healthkit.store import load

    now = datetime.now(UTC)
    return str(load(scene.home, hosts=[scene.config.host], start=now - timedelta(hours=1), end=now).to_csv(index=False))


def _changes(scene: Scene) -> str:
    from healthkit.events import events
    from healthkit.state import State

    since = datetime.now(UTC) - timedelta(days=7)
    lines = [f"{e.at.isoformat()} {e.host or 'every host'} {e.kind}: {e.text}" for e in events(scene.home, start=since)]
    with State(scene.home, timeout=1) as state:
        runs = state.records("task_runs", since=since, limit=_LINES)
    lines += [
        f"{run['started'].isoformat()} task {run['task']}: {run['status']}, exit code {run['exit_code']}"
        for run in runs
    ]
    return "\n".join(lines) + "\n"


def _logs(scene: Scene) -> str:
    return "".join(_tails(scene)) or "no log is configured\n"


def _tails(scene: Scene) -> Iterator[str]:
    for directory in scene.config.logs.directories if scene.config.logs else ():
        for path in sorted(Path(directory).glob("*.log"))[:50]:
            if path.is_file():  # no FIFO, which would hang whoever reads it
                with path.open("rb") as file:
                    file.seek(max(file.seek(0, os.SEEK_END) - 200 * _LINES, 0))
                    lines = file.read(200 * _LINES).decode("utf-8", "replace").splitlines()[-_LINES:]
                yield f"== {path}\n" + "\n".join(lines) + "\n"


def _said(scene: Scene, *command: str) -> str:
    done = scene.tool(*command, timeout=SECONDS - 2)
    return f"$ {' '.join(command)}\n{done.stdout}{done.stderr}"


SOURCES: dict[str, Callable[[Scene], str]] = {
    "processes": _processes, "sockets": _sockets, "pressure": _pressure, "disks": _disks, "kernel": _kernel,
    "journal": _journal, "units": _units, "samples": _samples, "changes": _changes, "logs": _logs,
}  # fmt: skip
"""What is asked, by the name of its file."""
