"""A backup brought back into a private folder, and what is wrong with what came back.

A backup may have been tampered with: a path that leads out of the folder, a link, a device, an archive that holds such,
are refused before anything is written.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from healthkit.checks._context import printable
from healthkit.checks.configuration import judge_file
from healthkit.config import parse_config
from healthkit.errors import ConfigError, ProcedureError
from healthkit.findings import Severity
from healthkit.manifests import NAME, Backup, Manifest, read_manifest
from healthkit.procedures._copies import copy_file, require_room, walk
from healthkit.procedures._databases import faults_of
from healthkit.procedures._strangers import describe

_LARGEST = 1 << 20


@dataclass(frozen=True)
class Restored:
    """What came back."""

    folder: Path
    manifest: Manifest
    faults: tuple[str, ...]
    """What did not, or is not what the manifest says."""
    extra: tuple[str, ...]
    """What lies in the backup and is not in its manifest; not restored."""
    seconds: float
    """How long it took."""

    @property
    def bytes(self) -> int:
        """Size of what the manifest names."""
        return sum(file.bytes for file in self.manifest.files)


def open_backup(place: Path, workspace: Path) -> Backup:
    """A backup at a path: its folder, or a tar archive of one, which is unpacked into the workspace.

    Raises:
        ProcedureError: The archive holds something hostile, or no backup.
        StoreError: The manifest is damaged.
        OSError: It cannot be read.
    """
    if place.is_dir():
        return Backup(place, read_manifest(place) if (place / NAME).exists() else describe(place))
    target = workspace / "archive"
    target.mkdir(mode=0o700)
    try:
        with tarfile.open(place) as archive:
            members = archive.getmembers()
            require_room(workspace, sum(member.size for member in members))
            archive.extractall(target, members=members, filter="data")
    except tarfile.TarError as error:
        hint = "Do not restore it: see where it comes from, and take another backup."
        raise ProcedureError(f"{place} is refused: {error}", hint=hint) from error
    found = sorted(target.rglob("manifest.json"), key=lambda path: len(path.parts))
    if not found:
        raise ProcedureError(f"{place} holds no backup: there is no manifest in it")
    return Backup(found[0].parent, read_manifest(found[0].parent))


def restore(backup: Backup, target: Path) -> Restored:
    """Bring back every file that the manifest names, comparing each with its SHA-256.

    Args:
        backup: The backup; nothing in it is changed.
        target: A new folder, mode 0700.

    Raises:
        ProcedureError: It does not fit.
        OSError: The target cannot be written.
    """
    began = time.monotonic()
    manifest = backup.manifest
    require_room(target.parent, sum(file.bytes for file in manifest.files))
    target.mkdir(mode=0o700)
    faults = [*manifest.faults]
    for file in manifest.files:
        refusal = _refusal(backup.folder, file.path)
        if refusal:
            faults.append(f"{file.path}: {refusal}")
            continue
        there = target / file.path
        there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            copied = copy_file(backup.folder / file.path, there, name=file.path)
        except FileNotFoundError:
            faults.append(f"{file.path} is missing")
            continue
        except OSError as error:
            if error.filename != str(backup.folder / file.path):
                raise  # the workspace's own trouble says nothing of the backup
            faults.append(f"{file.path}: {error.strerror}")
            continue
        if copied.bytes != file.bytes:
            faults.append(f"{file.path} has {copied.bytes} bytes, the manifest says {file.bytes}")
        elif copied.sha256 != file.sha256:
            faults.append(f"{file.path} has another SHA-256 than the manifest")
    extra = tuple(_extra(backup))
    return Restored(target, manifest, tuple(faults), extra, time.monotonic() - began)


def _refusal(folder: Path, name: str) -> str:
    """Why a path of a manifest must not be followed; empty if it may."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        return "leads out of the backup: refused"
    if (folder / path).resolve() != folder.resolve() / path:
        return "is a link, or lies behind one: refused"
    return ""


def _extra(backup: Backup) -> Iterator[str]:
    known = {file.path for file in backup.manifest.files} | {"manifest.json"}
    for path, _ in walk(backup.folder, []):
        name = printable(path.relative_to(backup.folder))
        if name not in known:
            yield name


def database_faults(restored: Restored, configured: Iterable[str]) -> dict[str, list[str]]:
    """What is wrong with each database, by name; an empty list where nothing is. Opens the restored files.

    Args:
        restored: What came back.
        configured: Names of the databases that must be in it.
    """
    found: dict[str, list[str]] = {name: ["is not in the backup"] for name in configured}
    for backed in restored.manifest.databases:
        path = restored.folder / backed.path
        if _refusal(restored.folder, backed.path) or not path.is_file():
            found[backed.name] = ["did not come back"]
        else:
            found[backed.name] = list(faults_of(path, backed))
    return found


def configuration_faults(restored: Restored) -> tuple[dict[str, str], list[str]]:
    """Configuration files that cannot be used, with the reason; and those whose form we do not know.

    A file that was cut off may still parse, as nothing or as a line of text: neither is a configuration.
    """
    faults, unjudged = {}, []
    for file in restored.manifest.files:
        path = restored.folder / file.path
        if not file.path.startswith("config/") or not path.is_file():
            continue
        reason = configuration_fault(path)
        if reason is None:
            unjudged.append(file.path)
        elif reason:
            faults[file.path] = reason
    return faults, unjudged


def configuration_fault(path: Path) -> str | None:
    """Why a file of configuration cannot be used; empty if it can, None if its form is not one that we know."""
    judge = _own if path.name == "healthkit.yaml" else _JUDGES.get(path.suffix.lower())
    return judge(path) if judge is not None else None


def _own(path: Path) -> str:
    """Our own: its whole schema, as at every start."""
    try:
        parse_config(path.read_text(encoding="utf-8"))
    except (ConfigError, UnicodeDecodeError) as error:
        return str(error)
    return ""


def _yaml(path: Path) -> str:
    """As the check `configuration` judges it: content, keys and values, and the types of the keys that are known."""
    bad = (Severity.CRITICAL, Severity.UNKNOWN)
    return next((finding.message for finding in judge_file(path) if finding.severity in bad), "")


def _json(path: Path) -> str:
    import json

    try:
        data = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return "" if isinstance(data, (dict, list)) else "holds a single value: cut off?"


def _toml(path: Path) -> str:
    import tomllib

    try:
        return "" if tomllib.loads(_text(path)) else "empty: nothing is configured by it"
    except (ValueError, RecursionError) as error:
        return f"not TOML: {error}"


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"larger than {_LARGEST} bytes: not looked at")
    return path.read_text(encoding="utf-8")


_JUDGES = {".yaml": _yaml, ".yml": _yaml, ".json": _json, ".toml": _toml}
