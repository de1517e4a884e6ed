"""Starts one program and answers for it: nothing that it started, daemons among it, is left when this process ends.

Run as a file of its own, by the interpreter alone (`python -I -S _keeper.py`): it imports nothing of healthkit. The first
line of its input is JSON: `command`, `environment`, `folder`, `log`, `user`, and `view` where it is isolated. It tells on its
output, a JSON line each, that the program was started, that it ended, and that nothing is left of it. When its input ends
(whoever asked wants no more of it, or was killed) it ends whatever is left.

Source: prctl(2), PR_SET_CHILD_SUBREAPER: orphans below us become our children, so "no child left" means nothing is left.
"""

import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

_SUBREAPER = 36
_NEW_NETWORK, _NEW_MOUNTS = 0x40000000, 0x00020000
_BIND, _PRIVATE = 0x1000, 0x44000
_SET_FLAGS = 0x8914
_UP = 0x1 | 0x40
PATIENCE = 5.0
"""Seconds between asking what is left to end and ending it."""


def main() -> None:
    """Start, watch, end."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        with Path(asked["log"]).open("ab") as log:
            if asked["view"]:
                isolate(libc, *asked["view"])
            program = start(asked, log)
    except (OSError, KeyError) as error:
        tell(failed=f"{asked['command'][0]}: {getattr(error, 'strerror', None) or error}")
        return
    tell(started=program)
    try:
        watch(program)
    finally:
        end_all()


def isolate(libc: ctypes.CDLL, folder: str, place: str) -> None:
    """A network that holds nothing else, and *folder* to be seen at *place*, where every user may come: unshare(2)."""
    need("a network and mounts of its own", libc.unshare(_NEW_NETWORK | _NEW_MOUNTS))
    need("private mounts", libc.mount(b"none", b"/", None, _PRIVATE, None))
    need(f"its folder at {place}", libc.mount(os.fsencode(folder), os.fsencode(place), None, _BIND, None))
    raise_loopback()


def need(what: str, failed: int) -> None:
    """Raises: OSError, if what was asked for failed."""
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, f"it cannot have {what}: {os.strerror(number)}")


def start(asked: dict[str, Any], log: BinaryIO) -> int:
    """Start the program, in a session of its own, as another user where one is named; its process identifier."""
    who: dict[str, Any] = {}
    if asked["user"]:
        entry = pwd.getpwnam(asked["user"])
        who = {
            "user": entry.pw_uid,
            "group": entry.pw_gid,
            "extra_groups": os.getgrouplist(entry.pw_name, entry.pw_gid),
        }
    program = subprocess.Popen(
        asked["command"], cwd=asked["folder"], env=asked["environment"], stdin=subprocess.DEVNULL,
        stdout=log, stderr=log, start_new_session=True, **who,
    )  # fmt: skip
    return program.pid


def raise_loopback() -> None:
    """In a new namespace even 127.0.0.1 is down: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def watch(first: int) -> None:
    """Bury the dead until the input ends; tell when the program itself ended, and when nothing is left at all."""
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            tell(left=0)
            select.select([sys.stdin], [], [])
            return
        if pid == first:
            tell(ended=os.waitstatus_to_exitcode(status))


def end_all() -> None:
    """Ask, wait, kill, until no child is left."""
    deadline, number = time.monotonic() + PATIENCE, signal.SIGTERM
    asked: set[tuple[int, int]] = set()
    while True:
        for pid in descendants():
            if (pid, number) not in asked:
                asked.add((pid, number))
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if time.monotonic() > deadline:
            number = signal.SIGKILL
            asked = set()
        time.sleep(0.02)


def descendants() -> list[int]:
    """Every process below this one."""
    below: dict[int, list[int]] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            below.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(process.name))
    found, todo = [], [os.getpid()]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


def tell(**what: object) -> None:
    """One line; nobody to read it is no reason to leave processes behind."""
    try:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()
    except OSError:
        return


if __name__ == "__main__":
    main()
