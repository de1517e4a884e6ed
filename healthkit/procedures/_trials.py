"""A service started on trial: on a spare port or in a network namespace of its own, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from healthkit.checks._probes import Answer, Probe
from healthkit.config import Service
from healthkit.errors import ProcedureError

if TYPE_CHECKING:
    from healthkit.config import Drill
    from healthkit.procedures._restores import Restored

_KEEPER = Path(__file__).with_name("_keeper.py")
_NEW_NETWORK = 0x40000000
_PLACE = next((place for place in map(Path, ("/media", "/mnt", "/srv")) if place.is_dir()), Path("/tmp"))  # noqa: S108 - in mounts of its own
"""Where an isolated service sees its folder; the host's own is as it was."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Our own environment is not handed on: it may hold a password."""
_TAIL = 2000
_PAUSE = 0.05


@dataclass(frozen=True)
class Answered:
    """What came of asking a trial for its health."""

    healthy: bool
    status: int | None
    """Of the last answer; None if there was none."""
    reason: str
    """The last answer in words."""
    seconds: float
    """Since the service was started."""
    tries: int


class Trial:
    """One trial, a context manager: it is ended, with everything that it started, however the block is left.

    Args:
        drill: What is started, and how it is asked.
        folder: What it may see: `restored` and `service`, where it is started and its output is kept.
    """

    def __init__(self, drill: Drill, folder: Path) -> None:
        self.isolated = drill.isolate and os.geteuid() == 0
        """Whether it has a network of its own, and sees the folder at a place where users other than root may come."""
        self.port = drill.port or spare_port()
        self._drill, self._folder = drill, folder
        self._seen = _PLACE if self.isolated else folder
        restored = self._seen / "restored"
        self._places = {
            "port": str(self.port), "folder": str(restored), "databases": str(restored / "databases"),
            "config": str(restored / "config"), "work": str(self._seen / "service"),
        }  # fmt: skip
        self._log = folder / "service" / "service.log"
        self._told: dict[str, Any] = {}
        self._heard = b""
        self._began = 0.0
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if not self.isolated and is_taken(self.port):
            hint = "Choose another `drill: port`, or none."
            raise ProcedureError(
                f"port {self.port} is in use: what answers there is not the restored service", hint=hint
            )
        pipe = subprocess.PIPE
        command = [sys.executable, "-I", "-S", str(_KEEPER)]
        self._keeper = keeper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, cwd="/")
        os.set_blocking(_out(keeper).fileno(), False)
        self._began = time.monotonic()
        _in(keeper).write(json.dumps(self._order()).encode() + b"\n")
        _in(keeper).flush()
        return self

    def _order(self) -> dict[str, Any]:
        """What the keeper is told to do."""
        work = self._places["work"]
        own = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": work, "TMPDIR": work}
        return {
            "command": [self.fill(word) for word in self._drill.command],
            "environment": own | {name: self.fill(value) for name, value in self._drill.environment.items()},
            "folder": work,
            "log": str(self._log),
            "user": self._drill.user,
            "view": [str(self._folder), str(_PLACE)] if self.isolated else None,
        }

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> str:
        """End it, and whatever it started; why that is not sure, empty if it is."""
        keeper = self._keeper
        if keeper is None:
            return ""
        _in(keeper).close()  # the end of its input is what it waits for
        code = keeper.wait()
        _out(keeper).close()
        self._keeper = None
        return f"what watched over it ended with exit code {code}" if code else ""

    def fill(self, text: str) -> str:
        """A word of the command with its placeholders filled; other braces stay as they are."""
        for name, value in self._places.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    @property
    def url(self) -> str:
        """Where its health is asked."""
        return f"http://127.0.0.1:{self.port}{self._drill.health}"

    @property
    def ended(self) -> str:
        """Why nothing of it runs any more; empty while something does. A daemon's parent may end, its child goes on."""
        self._listen()
        if "failed" in self._told:
            return f"it could not be started: {self._told['failed']}"
        if self._told.get("left") == 0:
            return f"it ended with exit code {self._told.get('ended')}"
        return ""

    def wait(self, seconds: float, *, healthy: bool) -> Answered:
        """Ask until it answers, or answers well; no longer than so many seconds after its start, nor than it lives."""
        tries = 0
        while True:
            answer, tries = self._ask(), tries + 1
            since, gone = time.monotonic() - self._began, self.ended
            good = answer.status is not None and self._is_good(answer.status)
            done = good if healthy else answer.status is not None
            if gone:
                return Answered(False, answer.status, f"{gone}; it answered before: {answer.status}" if answer.status else gone, since, tries)  # fmt: skip
            if done or since > seconds:
                reason = f"status {answer.status}" if answer.status is not None else f"no answer: {answer.error}"
                return Answered(good, answer.status, reason, since, tries)
            time.sleep(_PAUSE)

    def last_words(self) -> str:
        """The end of what it printed."""
        try:
            return self._log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return ""

    def _listen(self) -> None:
        """Take in what the keeper has told so far."""
        with contextlib.suppress(BlockingIOError):
            while self._keeper and (block := os.read(_out(self._keeper).fileno(), 4096)):
                self._heard += block
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            try:
                self._told |= json.loads(line)
            except ValueError:  # a traceback of the keeper's
                self._told["failed"] = line.decode("utf-8", "replace")

    def _ask(self) -> Answer:
        pid = self._keeper.pid if self._keeper and self.isolated else 0
        timeout = float(self._drill.timeout)
        probe = _Inside(Service(name="drill", url=self.url, timeout=timeout), pid)
        probe.start()
        return probe.wait(timeout)

    def _is_good(self, status: int) -> bool:
        return status == self._drill.expect if self._drill.expect else 200 <= status < 300


class _Inside(Probe):
    """A request from within the network namespace of a process: setns(2) moves this thread alone, which ends after it."""

    def __init__(self, service: Service, pid: int) -> None:
        super().__init__(service)
        self._pid = pid

    def run(self) -> None:
        if self._pid:
            try:
                with Path(f"/proc/{self._pid}/ns/net").open("rb") as namespace:
                    failed = ctypes.CDLL(None).setns(namespace.fileno(), _NEW_NETWORK)
            except OSError as error:
                self.answered = Answer(None, None, f"its network is gone: {error}")
                return
            if failed:
                self.answered = Answer(None, None, "its network cannot be entered")
                return
        super().run()


def view(restored: Restored, folder: Path) -> Path:
    """What a trial may see: the restored files with the owners and modes of their sources, and a place to work in.

    The folders are open to every user, because services seldom run as root; nobody else comes there, since what holds
    *folder* is closed.
    """
    folder.mkdir(mode=0o755)
    (folder / "service").mkdir()
    top = restored.folder.rename(folder / "restored")
    for parent, names, _ in os.walk(top):
        for name in names:
            (Path(parent) / name).chmod(0o777)
    for place in (folder, folder / "service", top):
        place.chmod(0o777)  # a database needs its -wal beside it
    for file in restored.manifest.files:
        path = top / file.path
        if file.uid is not None and file.gid is not None and os.geteuid() == 0:
            os.chown(path, file.uid, file.gid)
        if file.mode is not None:
            path.chmod(file.mode & 0o777 | 0o400)
    return folder


def spare_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _in(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101 - stdin=PIPE
    return process.stdin


def _out(process: subprocess.Popen[bytes] | None) -> IO[bytes]:
    assert process is not None  # noqa: S101 - a trial under way
    assert process.stdout is not None  # noqa: S101 - stdout=PIPE
    return process.stdout
