"""One run of a procedure at a time, and an orderly end when it is told to stop."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from healthkit.errors import ProcedureError
from healthkit.findings import Severity


class BusyError(ProcedureError):
    """Another run of the same procedure is at work."""


@contextmanager
def alone(home: Path, name: str) -> Iterator[None]:
    """Hold the lock of a procedure; the kernel lets go of it even after a kill -9.

    Raises:
        BusyError: Another process, or another thread of this one, holds it.
        OSError: The home cannot be written.
    """
    path = home / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with _held(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), str(path)) as fd:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that several homes may share.

    Raises:
        BusyError: Somebody else holds it.
        OSError: The folder cannot be opened.
    """
    with _held(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), str(folder)):
        yield


@contextmanager
def _held(fd: int, what: str) -> Iterator[int]:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = stat.S_ISREG(os.fstat(fd).st_mode)
        holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() if written else ""
        os.close(fd)
        who = f" (process {holder})" if holder else ""
        raise BusyError(
            f"another run is at work{who}: {what} is locked", severity=Severity.WARNING, hint="Wait for it to end."
        ) from None
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `SystemExit`, so that what a run has begun is undone and recorded.

    Only in the main thread: elsewhere Python has no say in signals. What is ignored (nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
