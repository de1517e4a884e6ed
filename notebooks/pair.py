"""Write the `.ipynb` beside each `.py`: what is reviewed is the script, what Jupyter opens is the notebook.

Run as `make notebooks`. `tests/test_notebooks.py` holds the pairs equal, and the notebooks free of outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def paired(script: Path) -> str:
    """The notebook of a script, as JSON: no outputs, and cell ids by position so that the same script gives the same."""
    import jupytext
    import nbformat

    notebook: Any = jupytext.read(script, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return str(nbformat.writes(notebook)) + "\n"


def scripts() -> list[Path]:
    """The scripts that are notebooks."""
    return sorted(path for path in FOLDER.glob("*.py") if path.name not in {"__init__.py", Path(__file__).name})


if __name__ == "__main__":
    for script in scripts():
        script.with_suffix(".ipynb").write_text(paired(script), encoding="utf-8")
