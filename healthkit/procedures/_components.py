"""The components of a host and their versions: system, kernel, libraries, and the program behind each service."""

from __future__ import annotations

import platform
import shlex
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

import healthkit

if TYPE_CHECKING:
    from healthkit.config import Service
    from healthkit.procedures._scenes import Scene


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the system."""

    name: str
    version: str
    """Empty where it cannot be told."""
    source: str
    """Who says so."""
    reason: str = ""
    """Why it cannot be told."""
    until: str = ""
    """Day on which its maker's support ends, where the system itself says so."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def __str__(self) -> str:
        tail = f", supported until {self.until}" if self.until else ""
        return f"{self.name} {self.version or 'unknown'}{tail}"


def components(scene: Scene) -> list[Component]:
    """Of this host; services in the order of the configuration."""
    release = _release(Path(scene.root) / "etc/os-release")
    system = Component(
        release.get("NAME", "system"),
        release.get("VERSION", release.get("VERSION_ID", "")),
        "/etc/os-release",
        "" if release else "there is no /etc/os-release",
        until=release.get("SUPPORT_END", ""),
    )
    return [
        system,
        Component("kernel", platform.release(), "uname"),
        Component("Python", platform.python_version(), "sys"),
        Component("SQLite", sqlite3.sqlite_version, "sqlite3"),
        Component("healthkit", healthkit.__version__, "package metadata"),
        *(_service(scene, service) for service in scene.config.services),
    ]


def _release(path: Path) -> dict[str, str]:
    """Source: os-release(5)."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {key: " ".join(shlex.split(value)) for key, _, value in pairs}


def _service(scene: Scene, service: Service) -> Component:
    """The package that brought the program of a service; by its running process."""
    if not service.process:
        return Component(service.name, "", "", "no `process` is configured for it")
    paths = sorted(
        {exe for exe in map(_exe, psutil.process_iter(["name"])) if exe and Path(exe).name.startswith(service.process)}
    )
    if not paths:
        return Component(service.name, "", "", f"no process {service.process} runs, or it may not be seen")
    try:
        owner = scene.tool("dpkg-query", "--search", paths[0], timeout=30).stdout.partition(":")[0]
        shown = scene.tool("dpkg-query", "--show", "--showformat=${Version}", owner, timeout=30) if owner else None
    except OSError as error:
        return Component(service.name, "", paths[0], f"dpkg-query: {error.strerror}")
    if shown is None or shown.returncode or not shown.stdout:
        return Component(service.name, "", paths[0], f"no package brought {paths[0]}")
    return Component(service.name, f"{owner} {shown.stdout}", paths[0])


def _exe(process: psutil.Process) -> str:
    try:
        return str(process.exe())
    except psutil.Error:
        return ""
