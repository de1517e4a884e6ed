"""Which file systems are real, and where each is mounted: /proc/self/mountinfo."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "lustre", "glusterfs", "virtiofs", "orangefs"}
)
_LOCAL = frozenset({"zfs", "btrfs", "bcachefs", "overlay"})
"""Real although /proc/filesystems calls some of them `nodev`."""
_NEVER = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"})
"""Images: always full, by design."""
_DESKTOP = ("fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs", "fuse.snapfuse", "fuse.squashfuse")
_CONTAINER_FILES = frozenset({"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One file system, at the best of the places where it is mounted."""

    point: str
    device: str
    """Major and minor number: two mounts with the same one are one file system."""
    kind: str
    read_only: bool
    remote: bool
    """Whether asking it may hang: a network or FUSE file system."""


def real_mounts(mountinfo: bytes, filesystems: bytes) -> list[Mount]:
    """Every real file system once, sorted by mount point.

    Of several mounts of one file system (bind mounts, subvolumes) the one nearest to its root is kept, and of these the
    shortest path. A mount hidden by a later one at the same place does not count.

    Args:
        mountinfo: /proc/self/mountinfo.
        filesystems: /proc/filesystems: types without a block device are marked `nodev`.
    """
    pseudo = {line.split()[1].decode() for line in filesystems.splitlines() if line.startswith(b"nodev")}
    visible = {mount.point: (root, mount) for root, mount in map(_parse, mountinfo.splitlines())}
    best: dict[str, tuple[tuple[bool, int, int, str], Mount]] = {}
    for root, mount in visible.values():
        if not _is_real(mount, pseudo):
            continue
        rank = (root != "/", len(root), len(mount.point), mount.point)
        if mount.device not in best or rank < best[mount.device][0]:
            best[mount.device] = (rank, mount)
    return sorted(mount for _, mount in best.values())


def _parse(line: bytes) -> tuple[str, Mount]:
    """Root inside the file system, and the mount. Source: proc_pid_mountinfo(5)."""
    before, _, after = line.partition(b" - ")
    device, root, point, options = before.split()[2:6]
    kind, _, *more = after.split(b" ")
    flags = {*options.split(b","), *(more[0].split(b",") if more else ())}
    name = kind.decode()
    return _text(root), Mount(
        point=_text(point),
        device=device.decode(),
        kind=name,
        read_only=bool(flags & {b"ro", b"emergency_ro"}),  # an error makes ext4 read-only without a word in `options`
        remote=name in _NETWORK or name.startswith("fuse.") or name == "fuse",
    )


def _text(path: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), path))


def _is_real(mount: Mount, pseudo: set[str]) -> bool:
    if mount.kind in _NEVER or mount.kind.startswith(_DESKTOP) or mount.point in _CONTAINER_FILES:
        return False
    if mount.kind == "overlay":  # a container's own root; elsewhere it repeats the disk below
        return mount.point == "/"
    return mount.remote or mount.kind in _LOCAL or mount.kind not in pseudo
