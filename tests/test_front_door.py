"""The public names, and what they cost to reach."""

from __future__ import annotations

import subprocess
import sys

import pytest

import healthkit as hk

HEAVY = {"pandas", "numpy", "statsmodels", "matplotlib", "pyarrow", "scipy", "msgspec", "yaml", "click"}


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sorted(m.partition('.')[0] for m in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_is_light():
    assert not loaded_by("import healthkit") & HEAVY


def test_every_public_name_is_there_and_sorted():
    assert list(hk.__all__) == sorted(hk.__all__)
    for name in hk.__all__:
        assert getattr(hk, name) is not None
    assert set(hk.__all__) <= set(dir(hk))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        hk.no_such_name  # noqa: B018


def test_no_public_name_is_shadowed_by_a_module_of_that_name():
    """`hk.percentiles` must stay the function after somebody has imported every module."""
    code = (
        "import importlib, pkgutil, types, healthkit as hk\n"
        "for m in pkgutil.iter_modules(hk.__path__):\n"
        "    m.name == '__main__' or importlib.import_module(f'healthkit.{m.name}')\n"
        "assert not [n for n in hk.__all__ if isinstance(getattr(hk, n), types.ModuleType)]"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
