"""A systemd that has booted: this machine's own tree under an overlay that is thrown away, in a container.

It shares the network with the machine and nothing else; what it writes is gone when it stops. A test that uses it is
marked `@booted`, which keeps all of them on one worker: the boot is paid for once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SHARED = "/srv/shared"
ROOT = Path(__file__).parents[1]
_BOOT = """
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -e $hierarchy/cgroup.procs ] || continue
  mkdir -p $hierarchy/$2 && echo $$ > $hierarchy/$2/cgroup.procs
done
set -e
mount -t tmpfs tmpfs $1
mkdir $1/upper $1/work $1/root
mount -t overlay overlay -o lowerdir=/,upperdir=$1/upper,workdir=$1/work $1/root
shift 2
exec "$@"
"""
_MASKED = (
    "systemd-tmpfiles-setup.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-udevd.service",
    "ldconfig.service",
)
"""What a container has no use for; the first would empty /tmp."""

booted = pytest.mark.xdist_group("booted_systemd")


@dataclass(frozen=True)
class BootedSystemd:
    """A container whose process 1 is systemd."""

    init: int
    """Process id of its systemd, as this machine sees it."""
    folder: Path
    """A folder of this machine that is `SHARED` inside."""

    def run(self, *command, check=True, timeout=60):
        """Run a command inside, as root, and wait for it."""
        inside = ["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        inside.append(f"--root=/proc/{self.init}/root")
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        return subprocess.run(
            [*inside, "--wd=/", *map(str, command)],
            check=check, capture_output=True, text=True, timeout=timeout, env=environment,
        )  # fmt: skip


def why_not():
    """Why nothing can boot here, such as a sandbox that allows no mounts; empty where it can.

    Then these tests are left out and that is said; what `systemd-analyze` thinks of the units is tested everywhere.
    """
    lacking = [tool for tool in ("systemd-nspawn", "unshare", "nsenter") if not shutil.which(tool)]
    if os.geteuid() != 0 or lacking:
        return f"needs {', '.join(lacking) or 'root'}"
    with tempfile.TemporaryDirectory() as folder:
        name = f"healthkit-probe-{os.getpid()}"
        container = [
            "systemd-nspawn",
            "--quiet",
            f"--directory={folder}/root",
            "--register=no",
            "--keep-unit",
            "/bin/true",
        ]
        done = subprocess.run(_inside(folder, name, container), capture_output=True, text=True, check=False)
        _remove_groups(name)
    return (done.stderr.strip()[-200:] or "no container starts") if done.returncode else ""


def _inside(folder, name, command):
    """A command in control groups and mounts of its own, with the tree that it may write."""
    return ["unshare", "--mount", "--propagation", "private", "bash", "-c", _BOOT, "bash", str(folder), name, *command]


def _boot(folder, shared, name):
    binds = {str(ROOT), sys.prefix, sys.base_prefix}
    container = [
        "systemd-nspawn", "--quiet", f"--directory={folder}/root", f"--machine={name}", "--register=no", "--keep-unit",
        "--boot", "--console=pipe", "--link-journal=no", f"--bind={shared}:{SHARED}",
        *(f"--bind-ro={path}" for path in sorted(binds) if not path.startswith("/usr")),
        "systemd.unit=basic.target", *(f"systemd.mask={unit}" for unit in _MASKED),
    ]  # fmt: skip
    command = _inside(folder, name, container)
    with (folder.parent / "console").open("wb") as console:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)


def _init_of(nspawn):
    """The container's process 1; None while there is none."""
    children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
    return next((int(child) for child in children if b"systemd" in Path(f"/proc/{child}/cmdline").read_bytes()), None)


@pytest.fixture(scope="session")
def booted_systemd(tmp_path_factory):
    folder, shared = tmp_path_factory.mktemp("booted") / "tree", tmp_path_factory.mktemp("shared")
    folder.mkdir()
    name = f"healthkit-{os.getpid()}"
    process = _boot(folder, shared, name)
    try:
        yield _wait(process, shared, folder.parent / "console")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _remove_groups(name)


def _wait(process, shared, console, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        init = _init_of(process.pid)
        if init:
            machine = BootedSystemd(init, shared)
            if machine.run("systemctl", "is-active", "basic.target", check=False).stdout.strip() == "active":
                return machine
        time.sleep(0.1)
    return pytest.fail(f"it did not come up: {console.read_text(errors='replace').strip()[-500:]}")


def _remove_groups(name):
    for hierarchy in ("systemd", "unified", "."):
        top = Path("/sys/fs/cgroup", hierarchy, name)
        if top.is_dir():
            for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                group.rmdir()
            top.rmdir()
