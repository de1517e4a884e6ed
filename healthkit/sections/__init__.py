"""What a report says: one function a section, one call in a notebook.

Each takes a `Review` and returns a `Section`, which shows itself as HTML, text and JSON. A new section is a file here
with a function of the file's name, and a heading and a call in a notebook.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any


def names() -> list[str]:
    """Names of all sections."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_SECTIONS)


_NOT_SECTIONS = {"section", "courses"}


def section(name: str) -> Any:
    """The function that makes a section.

    Raises:
        AttributeError: There is none of that name.
    """
    if name not in names():
        raise AttributeError(f"no section {name!r}; there are: {', '.join(names())}")
    return getattr(import_module(f"healthkit.sections.{name}"), name)


def __getattr__(name: str) -> Any:
    return section(name)
