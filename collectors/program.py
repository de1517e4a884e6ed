"""Programs named in the configuration: how many processes, their memory, processor time and open files."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from healthkit.collectors.procfs import slurp
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("program_running_count", "gauge", "Processes of the program; 0 when it does not run."),
    Metric("program_memory_bytes", "gauge", "Resident memory of its processes; shared pages count in each."),
    Metric("program_cpu_seconds_total", "counter", "Processor time of its processes; falls when one of them ends."),
    Metric("program_open_files", "gauge", "Open files of its processes; absent without the right to see them."),
)
_PAGE = resource.getpagesize()
_TICK = os.sysconf("SC_CLK_TCK")
_SHELL = re.compile(r"(?:ba|da|z|k|a)?sh|busybox")
_INTERPRETER = re.compile(r"(?:python|pypy|perl|ruby|node|nodejs|php|java|bash|dash|sh|zsh|ksh)[\d.]*")


class Program(NamedTuple):
    """What to count."""

    name: str
    """Device of the readings."""
    process: str = ""
    """Name of the process: of the executable, or of the script or module that an interpreter runs."""
    pattern: str = ""
    """Regular expression to find in the whole command line, instead of a name."""


class Process(NamedTuple):
    """One process, as /proc tells."""

    pid: int
    parent: int
    comm: str
    """Name that the kernel keeps: cut after 15 bytes."""
    state: str
    cpu_seconds: float
    memory_bytes: int
    arguments: tuple[str, ...]
    """Command line; empty for kernel threads and zombies."""


def count(programs: Iterable[Program], procfs: str = "/proc", *, own: int = 0) -> Iterator[Reading]:
    """Readings of all *programs*.

    What merely mentions a program is not the program. Never counted: this process and its ancestors (a cron shell), any
    other healthkit process, a shell that was given a command line to run (`sh -c '/opt/app/backup.sh'`), zombies.

    Args:
        programs: What to count.
        procfs: Where the processes are.
        own: Process id of the collector; 0 for this process.

    Raises:
        PermissionError: /proc hides the processes of others (hidepid), so that none found would not mean none there.
    """
    found = {process.pid: process for process in processes(procfs)}
    if 1 not in found:
        raise PermissionError(f"{procfs} hides other users' processes: cannot count programs")
    left_out = _ancestors(found, own or os.getpid())
    candidates = [process for process in found.values() if process.pid not in left_out and _counts(process)]
    for program in programs:
        matching = [process for process in candidates if _matches(process, program)]
        yield Reading("program_running_count", len(matching), program.name)
        if matching:
            yield from _sums(matching, program.name, procfs)


def processes(procfs: str = "/proc") -> Iterator[Process]:
    """Every process that can be seen. Source: proc_pid_stat(5)."""
    for name in os.listdir(procfs):  # noqa: PTH208 - a Path costs more than the call
        if not name.isdigit():
            continue
        try:
            stat = slurp(f"{procfs}/{name}/stat")
            line = slurp(f"{procfs}/{name}/cmdline")
        except OSError:  # it has ended in the meantime
            continue
        comm, _, rest = stat.partition(b"(")[2].rpartition(b") ")
        fields = rest.split()
        yield Process(
            pid=int(name),
            parent=int(fields[1]),
            comm=os.fsdecode(comm),
            state=fields[0].decode(),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICK,
            memory_bytes=int(fields[21]) * _PAGE,
            arguments=tuple(os.fsdecode(line).rstrip("\0").split("\0")) if line else (),
        )


def _ancestors(found: dict[int, Process], pid: int) -> set[int]:
    chain: set[int] = set()
    while pid in found and pid not in chain:
        chain.add(pid)
        pid = found[pid].parent
    return chain - {1}  # init is everybody's ancestor and may well be the program, in a container


def _counts(process: Process) -> bool:
    arguments = process.arguments
    if process.state in "ZX":
        return False
    if not arguments:
        return True
    program = os.path.basename(arguments[0])  # noqa: PTH119 - thousands of them
    if _SHELL.fullmatch(program.lstrip("-")) and any(re.fullmatch(r"-[a-z]*c", item) for item in arguments[1:3]):
        return False
    return not any(names == "healthkit" or names.startswith("healthkit.") for names in _names(process))


def _names(process: Process) -> Iterator[str]:
    """What the process may be called: its executable, and the script or module that an interpreter runs."""
    arguments = process.arguments
    if len(process.comm.encode(errors="surrogateescape")) < 15:  # a longer one is cut
        yield process.comm
    if not arguments:
        return
    program = os.path.basename(arguments[0].split(" ")[0])  # noqa: PTH119 - a title such as "nginx: master" has blanks
    yield program.removesuffix(":")
    if _INTERPRETER.fullmatch(program):
        yield from _script(arguments[1:])


def _script(arguments: Sequence[str]) -> Iterator[str]:
    for option, value in zip(arguments, (*arguments[1:], ""), strict=True):
        if option in {"-m", "-jar"} and value:
            yield os.path.basename(value)  # noqa: PTH119
            return
        if not option.startswith("-"):
            script = os.path.basename(option)  # noqa: PTH119
            yield script
            yield script.partition(".")[0]
            return


def _matches(process: Process, program: Program) -> bool:
    if program.pattern:
        return bool(process.arguments and _compiled(program.pattern).search(" ".join(process.arguments)))
    return program.process in _names(process)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _sums(matching: list[Process], device: str, procfs: str) -> Iterator[Reading]:
    yield Reading("program_memory_bytes", sum(process.memory_bytes for process in matching), device)
    yield Reading("program_cpu_seconds_total", sum(process.cpu_seconds for process in matching), device)
    try:
        files = sum(len(os.listdir(f"{procfs}/{process.pid}/fd")) for process in matching)  # noqa: PTH208
    except OSError:
        return
    yield Reading("program_open_files", files, device)


def collect(programs: Iterable[Program] = (), procfs: str = "/proc") -> Iterator[Reading]:
    """Readings of all *programs* now."""
    programs = tuple(programs)
    if programs:
        yield from count(programs, procfs)


class Meter:
    """Counts the configured programs on every tick."""

    def __init__(self, programs: tuple[Program, ...], procfs: str) -> None:
        self._programs = programs
        self._procfs = procfs

    def __call__(self) -> Iterator[Reading]:
        """The counts now."""
        return collect(self._programs, self._procfs)


def watch(world: World) -> Meter:
    """Measures on every tick."""
    return Meter(world.programs, world.proc.root)
