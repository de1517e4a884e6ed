"""Checks of one's own: every file in `HOME/checks/` is one, asked like ours, and counts in `operations` with weight 1.

It is a module with `check(context) -> Iterator[Finding]`, and `LOCAL = False` if it judges samples alone and so can speak
of other hosts too. It runs as whoever runs the checks, often root: a file that somebody else may write is not run.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable
from healthkit.errors import ConfigError

if TYPE_CHECKING:
    from healthkit.checks._context import Context
    from healthkit.findings import Finding

COMPONENT = "operations"


def files(home: Path) -> dict[str, Path]:
    """The files by the name of their check; none where there is no such folder.

    A folder that we may not look into stands for whatever it holds: asked, it cannot tell.
    """
    folder = home / "checks"
    try:
        return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")}
    except PermissionError:
        return {"own": folder}


def ask(path: Path, context: Context) -> Iterator[Finding]:
    """What the check in a file finds.

    Raises:
        ConfigError: The file is no check, or others may write it.
    """
    _trusted(path)
    module = _module(path)
    if getattr(module, "LOCAL", True) and not context.local:
        yield not_applicable(path.stem, "host", f"cannot be told from samples: run it on {context.subject_host}")
        return
    if not hasattr(module, "check"):
        raise ConfigError("has no function check(context)", file=str(path))
    for finding in module.check(context):
        yield replace(finding, check=path.stem)  # or it could speak, and lose points, in another's name


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"healthkit_check_of_home_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError("cannot be loaded as Python", file=str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _trusted(path: Path) -> None:
    """Neither the file nor its folder may be somebody else's, or writable by others."""
    for place in (path, path.parent):
        seen = place.stat()
        if seen.st_uid not in (0, os.geteuid()) or seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            mode = f"owner {seen.st_uid}, mode {stat.S_IMODE(seen.st_mode):04o}"
            raise ConfigError(f"{mode}: others could change what is run as this user", file=str(place))
