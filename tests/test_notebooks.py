"""The notebooks: pairs equal, no outputs, and they run under plain papermill."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted(p for p in NOTEBOOKS.glob("*.py") if p.name not in {"__init__.py", "pair.py"})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_the_pair_is_equal(script):
    paired = import_module("healthkit.notebooks.pair").paired
    assert script.with_suffix(".ipynb").read_text(encoding="utf-8") == paired(script), "run `make notebooks`"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_is_stripped_and_its_cells_are_short(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            writes_a_file = cell["source"][0].startswith("%%writefile")
            assert writes_a_file or sum(1 for line in cell["source"] if line.strip()) <= 5
