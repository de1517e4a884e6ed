"""Space, inodes and traffic of every real disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from healthkit.collectors.mounts import Mount, real_mounts
from healthkit.collectors.procfs import Procfs
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("disk_up", "gauge", "1 if the file system told its state, 0 if it did not answer or refused."),
    Metric("disk_total_bytes", "gauge", "Size of a mounted file system."),
    Metric("disk_used_bytes", "gauge", "Space in use."),
    Metric("disk_available_bytes", "gauge", "Space that ordinary users can still fill."),
    Metric("disk_used_ratio", "gauge", "Used / (used + available), as df shows it: 1 is full for ordinary users."),
    Metric("disk_inodes", "gauge", "Files that the file system can hold; absent where it sets no limit."),
    Metric("disk_inodes_used", "gauge", "Files that it holds."),
    Metric("inodes_used_ratio", "gauge", "Share of inodes in use."),
    Metric("disk_read_only", "gauge", "1 if mounted read-only, or made so by an error."),
    Metric("disk_read_bytes_total", "counter", "Bytes read from a whole disk."),
    Metric("disk_written_bytes_total", "counter", "Bytes written to a whole disk."),
    Metric("disk_reads_completed_total", "counter", "Read requests that a whole disk has served."),
    Metric("disk_writes_completed_total", "counter", "Write requests that a whole disk has served."),
    Metric("disk_io_seconds_total", "counter", "Time during which a whole disk had requests in flight."),
)
PATIENCE = 0.5
"""Seconds that a tick waits, once, for network file systems."""
_SECTOR = 512
_Ask = Callable[[str], os.statvfs_result]


class Meter:
    """Space of all real mounts, and counters of all whole disks.

    A network file system whose server is gone blocks whoever asks, sometimes for ever. It is asked in a thread of its
    own, one at a time, which is left behind if it does not come back; such a mount is `disk_up` 0 until it does.
    """

    def __init__(
        self, proc: Procfs, sys: str = "/sys", *, statvfs: _Ask = os.statvfs, patience: float = PATIENCE
    ) -> None:
        self._proc = proc
        self._sys = sys
        self._statvfs = statvfs
        self._patience = patience
        self._parsed: tuple[bytes, list[Mount]] = (b"", [])
        self._asked: dict[str, _Answer] = {}
        self._whole: dict[bytes, bool] = {}

    def __call__(self) -> Iterator[Reading]:
        """The state of all disks now."""
        mounts = self._mounts()
        for mount in mounts:
            if mount.remote and mount.point not in self._asked:
                self._asked[mount.point] = _Answer(self._statvfs, mount.point)
        for mount in mounts:
            yield from _space(mount, self._state(mount))
        yield from self._traffic()

    def _mounts(self) -> list[Mount]:
        text = self._proc.read("self/mountinfo")
        if text != self._parsed[0]:  # mounts seldom change
            self._parsed = (text, real_mounts(text, self._proc.read("filesystems")))
        return self._parsed[1]

    def _state(self, mount: Mount) -> os.statvfs_result | None:
        if not mount.remote:
            try:
                return self._statvfs(mount.point)
            except OSError:
                return None
        answer = self._asked[mount.point]
        if not answer.wait(self._patience):
            return None
        del self._asked[mount.point]
        return answer.state

    def _traffic(self) -> Iterator[Reading]:
        """Source: https://docs.kernel.org/admin-guide/iostats.html (sectors are 512 bytes whatever the disk)."""
        for line in self._proc.read_if_there("diskstats").splitlines():
            _, _, name, *fields = line.split()
            if not self._is_whole(name):
                continue
            device = name.decode()
            yield Reading("disk_reads_completed_total", int(fields[0]), device)
            yield Reading("disk_read_bytes_total", int(fields[2]) * _SECTOR, device)
            yield Reading("disk_writes_completed_total", int(fields[4]), device)
            yield Reading("disk_written_bytes_total", int(fields[6]) * _SECTOR, device)
            yield Reading("disk_io_seconds_total", int(fields[9]) / 1000, device)

    def _is_whole(self, name: bytes) -> bool:
        """Neither a partition nor something made of other disks, files or memory."""
        known = self._whole.get(name)
        if known is None:
            built = name.startswith((b"loop", b"ram", b"zram", b"dm-", b"md", b"sr", b"fd", b"nbd"))
            block = os.path.isdir(f"{self._sys}/block/{name.decode().replace('/', '!')}")  # noqa: PTH112 - no Path here
            known = self._whole[name] = block and not built
        return known


class _Answer:
    """The state of a file system, asked for in a thread."""

    def __init__(self, statvfs: _Ask, point: str) -> None:
        self.state: os.statvfs_result | None = None
        self._late = False
        self._thread = threading.Thread(target=self._ask, args=(statvfs, point), name=f"statvfs {point}", daemon=True)
        self._thread.start()

    def _ask(self, statvfs: _Ask, point: str) -> None:
        try:
            self.state = statvfs(point)
        except OSError:
            self.state = None

    def wait(self, seconds: float) -> bool:
        """Whether it came; only the first call has patience."""
        self._thread.join(0 if self._late else seconds)
        self._late = True
        return not self._thread.is_alive()


def _space(mount: Mount, state: os.statvfs_result | None) -> Iterator[Reading]:
    point = mount.point
    if state is not None and not state.f_blocks:  # a file system without a size, such as a FUSE control mount
        return
    yield Reading("disk_up", state is not None, point)
    yield Reading("disk_read_only", mount.read_only, point)
    if state is None:
        return
    used = (state.f_blocks - state.f_bfree) * state.f_frsize
    available = state.f_bavail * state.f_frsize
    yield Reading("disk_total_bytes", state.f_blocks * state.f_frsize, point)
    yield Reading("disk_used_bytes", used, point)
    yield Reading("disk_available_bytes", available, point)
    if used + available:
        yield Reading("disk_used_ratio", used / (used + available), point)
    if state.f_files:  # btrfs and others make inodes as needed and say 0
        inodes = state.f_files - state.f_ffree
        yield Reading("disk_inodes", state.f_files, point)
        yield Reading("disk_inodes_used", inodes, point)
        yield Reading("inodes_used_ratio", inodes / state.f_files, point)


def collect(procfs: str = "/proc", sysfs: str = "/sys", *, statvfs: _Ask = os.statvfs) -> Iterator[Reading]:
    """The state of all disks now."""
    with Procfs(procfs) as proc:
        yield from Meter(proc, sysfs, statvfs=statvfs)()


def watch(world: World) -> Meter:
    """Measures on every tick."""
    return Meter(world.proc, world.sys.root)
