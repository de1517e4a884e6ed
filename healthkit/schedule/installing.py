"""Put the schedule where cron or systemd finds it, and take away again what we put there, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from healthkit.errors import StoreError
from healthkit.files import sync_folder, write_atomically
from healthkit.schedule.crontabs import crontab, crontab_path
from healthkit.schedule.places import MARKER, Place
from healthkit.schedule.tasks import ready
from healthkit.schedule.units import COLLECTOR, units, units_folder

if TYPE_CHECKING:
    from healthkit.config import Config

Kind = Literal["cron", "systemd"]


@dataclass(frozen=True)
class Change:
    """What was done to the system."""

    written: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know: what was not verified, or did not start."""


def choose(root: Path) -> Kind:
    """Systemd where it runs, or, in another tree, where it is installed; cron otherwise."""
    mark = root / "run" / "systemd" / "system"
    return "systemd" if mark.is_dir() or (root != Path("/") and units_folder(root).is_dir()) else "cron"


def plan(kind: Kind, place: Place, config: Config, *, root: Path = Path("/")) -> dict[Path, str]:
    """The files of a schedule and their text; only tasks that can run.

    Raises:
        ParameterError: A path cannot be written in them.
    """
    user, every, delay = config.schedule.user, float(config.collect.every), float(config.schedule.random_delay)
    if kind == "cron":
        mailto = ",".join(config.mail.recipients.operators) or user
        return {
            crontab_path(root): crontab(
                ready(config.schedule.notebooks), place, user=user, mailto=mailto, delay=delay, every=every
            )
        }
    folder = units_folder(root)
    found = units(ready(config.schedule.notebooks), place, user=user, delay=delay, every=every)
    return {folder / name: text for name, text in found.items()}


def install(kind: Kind, place: Place, config: Config, *, root: Path = Path("/")) -> Change:
    """Write the schedule, in place of an earlier one of either kind, and start it where *root* is this system.

    Raises:
        StoreError: A file of somebody else has one of our names, or systemd does not accept a unit: nothing is changed.
        OSError: A folder cannot be written.
    """
    files = plan(kind, place, config, root=root)
    for path in files:
        if path.exists() and not is_ours(path):
            raise StoreError(f"{path} was not written by healthkit: move it away first")
    notes = _verify(files) if kind == "systemd" else []
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    links = [_enable(path) for path in files if path.suffix == ".timer" or path.name == COLLECTOR]
    keep = {*files, *links}
    removed = [path for path in _installed(root) if path not in keep]
    _stop([path for path in removed if not path.is_symlink()], root)
    _delete(removed)
    since(place.home, now=datetime.now(UTC))
    if kind == "systemd":
        notes += _start([path.name for path in links], root)
    return Change(tuple(files), tuple(removed), tuple(notes))


def remove(*, root: Path = Path("/")) -> Change:
    """Stop and delete everything that `install` wrote."""
    found = list(_installed(root))
    _stop([path for path in found if not path.is_symlink()], root)
    _delete(found)
    return Change(removed=tuple(found), notes=tuple(_systemctl(root, "daemon-reload")))


def is_ours(path: Path) -> bool:
    """Whether a file has our mark on a line of its own."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return any(MARKER in text for text in file.readlines(4096))
    except OSError:
        return False


def since(home: Path, *, now: datetime) -> datetime:
    """Since when tasks are scheduled in a home; from *now* on if nobody wrote it down.

    What was due before is not made up for.
    """
    path = home / "schedule.json"
    try:
        return datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["since"])
    except (OSError, ValueError, KeyError, TypeError):
        home.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"since": now.isoformat()}) + "\n")
        return now


def _installed(root: Path) -> Iterator[Path]:
    """Our files, and the links to them."""
    if is_ours(crontab_path(root)):
        yield crontab_path(root)
    folder = units_folder(root)
    for place in (crontab_path(root).parent, folder):  # what a process left that was killed while it wrote
        yield from (path for path in sorted(place.glob(".healthkit*.tmp")) if is_ours(path) or not path.stat().st_size)
    for path in sorted(folder.glob("healthkit-*")):
        if path.is_file() and is_ours(path):
            yield path
            yield from (link for link in sorted(folder.glob(f"*.wants/{path.name}")) if link.is_symlink())


def _enable(path: Path) -> Path:
    """What `systemctl enable` does, also in a tree that does not run."""
    target = "multi-user.target" if path.name == COLLECTOR else "timers.target"
    link = path.parent / f"{target}.wants" / path.name
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(Path("..") / path.name)
        sync_folder(link.parent)
    return link


def _delete(paths: list[Path]) -> None:
    for path in sorted(paths, key=lambda path: not path.is_symlink()):
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        sync_folder(folder)


def _verify(files: dict[Path, str]) -> list[str]:
    """Ask systemd itself, before anything is installed.

    Raises:
        StoreError: It does not accept a unit.
    """
    import tempfile

    tool = shutil.which("systemd-analyze")
    if tool is None:
        return ["systemd-analyze is not installed: the units were not verified"]
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for path, text in files.items():
            names.append(str(Path(folder) / path.name))
            Path(names[-1]).write_text(text, encoding="utf-8")
        done = _run([tool, "verify", "--man=no", *names])
    ours = [line for line in done.stderr.splitlines() if "healthkit" in line]
    if ours:
        raise StoreError(f"systemd does not accept the units: {ours[0]}")
    return []


def _start(names: list[str], root: Path) -> list[str]:
    return _systemctl(root, "daemon-reload") + _systemctl(root, "restart", *names)


def _stop(paths: list[Path], root: Path) -> None:
    names = [path.name for path in paths if path.suffix == ".timer" or path.name == COLLECTOR]
    if names:
        _systemctl(root, "stop", *names)


def _systemctl(root: Path, *arguments: str) -> list[str]:
    """Tell the running systemd, if this is its tree; what it complains of."""
    tool = shutil.which("systemctl")
    if root != Path("/") or tool is None or not Path("/run/systemd/system").is_dir():
        return []
    done = _run([tool, "--no-ask-password", *arguments])
    return [f"systemctl {arguments[0]}: {done.stderr.strip()}"] if done.returncode else []


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
