"""Python packages of an environment: which need which, what is missing, and what the index has newer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, distributions
from typing import TYPE_CHECKING, Any

from healthkit.checks import Context
from healthkit.checks.vulnerabilities import environments as configured
from healthkit.checks.vulnerabilities import site_packages

if TYPE_CHECKING:
    from healthkit.procedures._scenes import Scene

PATIENCE = 120.0
"""Seconds that the index may take."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Tree:
    """What is installed in one environment."""

    path: str
    packages: dict[str, str]
    """Version by name."""
    needs: dict[str, tuple[str, ...]]
    """Installed packages that a package needs, by its name."""
    top: tuple[str, ...]
    """Packages that no other needs: what somebody asked for."""
    broken: tuple[str, ...]
    """Needs that nothing meets."""

    @property
    def depth(self) -> int:
        """Longest chain of needs."""
        return max((self._depth(name, ()) for name in self.top), default=0)

    def _depth(self, name: str, above: tuple[str, ...]) -> int:
        below = [self._depth(one, (*above, name)) for one in self.needs[name] if one not in (*above, name)]
        return 1 + max(below, default=0)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def __str__(self) -> str:
        told = f"{len(self.packages)} packages in {self.path}, {len(self.top)} of them needed by no other"
        return f"{told}, {len(self.broken)} needs unmet"


def environments(scene: Scene) -> list[str]:
    """Folders of packages: those that the audit looks at."""
    context = Context(home=scene.home, config=scene.config, now=scene.now, root=scene.root, run=scene.run)
    return [path for path in map(site_packages, configured(context)) if path]


def tree(path: str) -> Tree:
    """What is installed in a folder of packages, by its metadata: needs no network."""
    found = {_canonical(d.metadata["Name"]): d for d in distributions(path=[path]) if d.metadata["Name"]}
    needs = {name: _needs(one) for name, one in found.items()}
    needed = {need for one in needs.values() for need in one}
    broken = tuple(
        f"{name} needs {need}, which is not there"
        for name, one in sorted(needs.items())
        for need in one
        if need not in found
    )
    return Tree(
        path,
        {name: one.version for name, one in sorted(found.items())},
        {name: tuple(need for need in one if need in found) for name, one in needs.items()},
        tuple(sorted(found.keys() - needed)),
        broken,
    )


def _needs(one: Distribution) -> tuple[str, ...]:
    """What a package needs here: without its extras, and without what is for other systems or versions."""
    from packaging.requirements import InvalidRequirement, Requirement

    names = []
    for text in one.requires or ():
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            names.append(_canonical(need.name))
    return tuple(sorted(set(names)))


def _canonical(name: str) -> str:
    """One spelling for every name. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def outdated(scene: Scene, path: str) -> tuple[list[dict[str, Any]], str]:
    """Packages with a newer version on the index, as pip tells; or why that cannot be told.

    Without a network pip lists none and exits 0; so the index is asked for something that it must know first.
    """
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "--timeout", "10")
    try:
        asked = ("install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "pip")
        known = scene.tool(*pip, *asked, timeout=PATIENCE)
        if known.returncode:
            return [], f"the package index does not answer: {_last(known.stderr)}"
        listed = scene.tool(*pip, "list", "--outdated", "--format", "json", "--path", path, timeout=PATIENCE)
        return (json.loads(listed.stdout), "") if not listed.returncode else ([], f"pip: {_last(listed.stderr)}")
    except subprocess.TimeoutExpired as error:
        return [], f"pip did not answer within {error.timeout:.0f} s"
    except ValueError as error:
        return [], f"pip's answer cannot be read: {error}"


def _last(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    return (lines or ["it says nothing"])[-1][:200]
