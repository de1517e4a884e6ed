"""Imports that cost more than a report, put off until somebody needs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any


@cache
def nbformat() -> Any:
    """The library of the notebook format.

    It imports jsonschema, which, where `rfc3987_syntax` is installed (JupyterLab brings it), builds an Earley parser for
    internationalised addresses: more than a second, for a format that no notebook has. That parser is built when it is
    first asked.
    """
    with _put_off("rfc3987_syntax", "is_valid_syntax"):
        return import_module("nbformat")


@contextmanager
def _put_off(module: str, function: str) -> Iterator[None]:
    """`from module import function` gives, meanwhile, a function that imports the real one when it is called."""
    if module in sys.modules:
        yield
        return

    def later(*args: Any, **options: Any) -> Any:
        return getattr(import_module(module), function)(*args, **options)

    stand_in = ModuleType(module)
    setattr(stand_in, function, later)
    sys.modules[module] = stand_in
    try:
        yield
    finally:
        del sys.modules[module]
