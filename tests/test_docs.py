"""What the documentation says is run: doctests of every module."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import healthkit

MODULES = sorted(m.name for m in pkgutil.walk_packages(healthkit.__path__, "healthkit."))


@pytest.mark.parametrize(
    "name", [n for n in MODULES if not n.startswith(("healthkit.notebooks", "healthkit.__main__"))]
)
def test_doctests(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
