"""Faults at the N-th system call, by strace, in a process that has everything imported already.

What is tried runs in a child forked from a preloaded server, and only once strace is attached to it. Calls, errors and kills
are the kernel's, as under `strace COMMAND`; half a second of imports a time is saved, and there are hundreds of times.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import shutil
import subprocess
from dataclasses import dataclass
from multiprocessing import forkserver

import pytest

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

PRELOADED = [
    "healthkit.store.compaction",
    "healthkit.procedures.backup",
    "healthkit.reports.outbox",
    "healthkit.cli.alert",
]


def preloaded():
    """The multiprocessing context; its server is started from the installation, not from what lies in this folder."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONSAFEPATH", "1")
        forkserver.ensure_running()
    return processes


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    """0, 1 after an exception, what a command returned, or -9: killed."""
    error: str
    """The exception, empty without one."""


def run(function, *arguments, inject, paths=(), **options):
    """Call a function in a child with a fault injected into it.

    Args:
        function: Something that a child can import; an int that it returns is the child's exit code.
        arguments: Picklable.
        inject: As strace's `-e inject=`: `fsync:signal=KILL:when=3`.
        paths: Files that alone are concerned, as strace's `-P`.
        options: Keyword arguments of the function.
    """
    processes = preloaded()
    here, there = processes.Pipe()
    child = processes.Process(target=_call, args=(there, function, arguments, options))
    child.start()
    there.close()
    here.recv()
    command = ["strace", "-f", "-o", "/dev/null", "-p", str(child.pid), "-e", f"inject={inject}"]
    command += [part for path in paths for part in ("-P", str(path))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        said = strace.stderr.readline()
        while said and "attached" not in said:
            said = strace.stderr.readline()
        assert said, "strace could not attach"
        here.send("go")
        try:
            error = here.recv()
        except EOFError:
            error = ""
        child.join()
    here.close()
    return Ended(child.exitcode, error)


def _call(gate, function, arguments, options):
    allow_ptrace_by_anyone = (0x59616D61, ctypes.c_ulong(-1))  # prctl(2): PR_SET_PTRACER; strace is no parent of ours
    ctypes.CDLL(None).prctl(*allow_ptrace_by_anyone, 0, 0, 0)
    gate.send("ready")
    gate.recv()
    try:
        returned = function(*arguments, **options)
    except Exception as error:  # noqa: BLE001 - the test says which one it expects
        gate.send(repr(error))
        raise SystemExit(1) from None
    raise SystemExit(returned if isinstance(returned, int) else 0)
