"""The collecting process: `python -m healthkit.cli.resident`, settings as JSON on stdin.

The only place where collectors meet the journal. `healthkit collect` reads the configuration and then *becomes* this
process, so that what stays resident has loaded neither the command line nor YAML: standard library and psutil only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from healthkit.collectors import names
from healthkit.collectors.bells import Bell
from healthkit.collectors.children import Compaction
from healthkit.collectors.probes import Endpoint
from healthkit.collectors.procfs import Procfs
from healthkit.collectors.program import Program
from healthkit.collectors.resident import Loop, Source, milliseconds
from healthkit.collectors.worlds import World
from healthkit.errors import HealthkitError, ParameterError, StoreError
from healthkit.store.journal import Journal, journal_path, parse_path

if TYPE_CHECKING:
    from healthkit.config import Config
    from healthkit.schema import Reading

Settings = dict[str, Any]
_SETTLED = 60
"""Seconds after midnight UTC before yesterday counts as complete: another process may be writing its last tick."""
_LONGEST = 86400
_PYTHON = (sys.executable, "-P")
"""A service may be started in a folder that anybody can write to: nothing is imported from there."""


class Busy(StoreError):  # noqa: N818 - reads as the sentence it is
    """Another resident collector writes this host's journal."""

    exit_code = 75


def settings(
    config: Config, home: Path, *, only: Sequence[str] = (), every: float | None = None, duration: float | None = None
) -> Settings:
    """What the process needs to know of the configuration: plain JSON.

    Args:
        config: The configuration.
        home: The home.
        only: Names of collectors; none means all.
        every: Seconds between samples; None for one sample of everything.
        duration: Seconds until the end; None for no end.
    """
    services = [service for service in config.services if service.url]
    programs = [service for service in config.services if service.process]
    return {
        "home": str(home),
        "host": config.host,
        "names": list(only),
        "every": every,
        "for": duration,
        "services": [{"name": s.name, "url": s.url, "timeout": s.timeout, "expect": s.expect} for s in services],
        "programs": [{"name": s.name, "process": s.process} for s in programs],
        "compact": _compaction(home),
    }


def _compaction(home: Path) -> list[str] | None:
    """The command that compacts; None on a host that only collects, where another one does it."""
    if find_spec("pyarrow") is None:
        return None
    return [*_PYTHON, "-m", "healthkit", "store", "compact", "--home", str(home)]


def become(settings: Settings) -> NoReturn:
    """Replace this process by the collecting one; its exit code is the answer."""
    fd = os.memfd_create("settings")
    os.write(fd, json.dumps(settings).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    os.dup2(fd, 0)
    sys.stdout.flush()
    sys.stderr.flush()
    command = [*_PYTHON, "-m", "healthkit.cli.resident"]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, and no shell


def sample(settings: Settings) -> tuple[int, list[Reading]]:
    """One sample of everything, written to the journal: its milliseconds since 1970, and the readings.

    Takes a second, and longer where a probe does.

    Raises:
        OSError: The journal cannot be written.
    """
    with _world(settings) as world, Journal(Path(settings["home"]), settings["host"]) as journal:
        readings = Loop(_sources(settings, world), world, journal.append, warn).once()
        ts = milliseconds()
        journal.append(ts, readings)
        return ts, readings


def reside(settings: Settings, bell: Bell, *, journal: type[Journal] = Journal) -> int:
    """Collect until the bell says stop or the time is over.

    Returns:
        0, or 1 if ticks were lost.

    Raises:
        Busy: Another resident collector does so already.
        ParameterError: An interval or a collector that cannot be.
        OSError: The folder of the journal cannot be made.
    """
    home, host, every = Path(settings["home"]), settings["host"], settings["every"]
    if not 0 < every < _LONGEST:
        raise ParameterError(f"cannot collect every {every:g} s: give more than 0 and less than a day")
    folder = journal_path(home, host, datetime.now(UTC).date()).parent
    with locked(folder, host), _world(settings, bell.ring) as world, journal(home, host) as target:
        command = settings.get("compact")
        compaction = Compaction(command, lambda: _is_compaction_due(folder), warn) if command else tuple
        loop = Loop(_sources(settings, world), world, target.append, warn, extra=compaction)
        loop.run(every, bell, duration=settings.get("for"))
    return 1 if loop.lost else 0


@contextlib.contextmanager
def locked(folder: Path, host: str) -> Iterator[None]:
    """Hold the host's lock: a second resident collector would double every sample.

    Raises:
        Busy: Another process holds it; names its process id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{quote(host, safe='')}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(fd, 32, 0).decode(errors="replace").strip()
            raise Busy(f"already collecting for host {host}: process {owner or 'unknown'} holds {path}") from error
        with contextlib.suppress(OSError):  # on a full disk the lock still holds, only nameless
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def warn(sentence: str) -> None:
    """Say something to whoever reads stderr; nobody may."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in sentence)
    with contextlib.suppress(OSError, ValueError):  # the log may lie on the very disk that is full
        sys.stderr.write(f"healthkit: {text.encode('utf-8', 'backslashreplace').decode()}\n")
        sys.stderr.flush()


def main(*, journal: type[Journal] = Journal) -> int:
    """Do what the settings on stdin say.

    Returns:
        The exit code: 0 done, 1 readings were lost, 75 another collector runs.
    """
    given: Settings = json.load(sys.stdin)
    try:
        if given.get("every") is None:
            sample(given)
            return 0
        with Bell() as bell:
            return reside(given, bell, journal=journal)
    except HealthkitError as error:
        warn(str(error))
        return error.exit_code
    except OSError as error:
        warn(f"cannot write: {error}")
        return 1


@contextlib.contextmanager
def _world(settings: Settings, wake: Callable[[], None] = lambda: None) -> Iterator[World]:
    with Procfs() as proc, Procfs("/sys") as sys:
        services = tuple(Endpoint(**service) for service in settings.get("services", ()))
        programs = tuple(Program(**program) for program in settings.get("programs", ()))
        yield World(proc, sys, services=services, programs=programs, wake=wake)


def _sources(settings: Settings, world: World) -> list[Source]:
    known = names()
    for name in settings.get("names", ()):
        if name not in known:
            raise ParameterError(f"no collector {name!r}: there are {', '.join(known)}")
    return [Source(name, world, warn) for name in settings.get("names") or known]


def _is_compaction_due(folder: Path) -> bool:
    now = time.time()
    if now % 86400 < _SETTLED:
        return False
    today = datetime.fromtimestamp(now, UTC).date()
    for path in folder.glob("*.csv"):
        with contextlib.suppress(StoreError):
            if parse_path(path)[1] < today:
                return True
    return False


if __name__ == "__main__":
    sys.exit(main())
