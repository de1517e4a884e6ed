"""Notebooks as files: where they are, what is in them, which cell failed."""

from __future__ import annotations

from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from healthkit.errors import ParameterError, ReportError
from healthkit.reports import startup


def find(home: Path, name: str) -> Path:
    """The notebook of this name: a path, one in `HOME/notebooks`, or one of ours.

    Raises:
        ParameterError: There is none; names those there are.
    """
    if name.endswith(".ipynb"):
        if not Path(name).is_file():
            raise ParameterError(f"no notebook {name}")
        return Path(name)
    ours = Path(str(resources("healthkit.notebooks")))
    known = {path.stem: path for folder in (ours, home / "notebooks") for path in sorted(folder.glob("*.ipynb"))}
    if name not in known:
        raise ParameterError(f"no report {name!r}; there are {', '.join(sorted(known))}, and PATH.ipynb")
    return known[name]


def read(path: Path) -> Any:
    """A notebook, in version 4 of the format, named after a kernel even if it names none.

    Raises:
        ReportError: It cannot be read or is no notebook.
    """
    nbformat = startup.nbformat()
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError) as error:
        raise ReportError(f"{path}: not a notebook: {error}") from error
    notebook.metadata.setdefault("kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"})
    return notebook


def failing_cell(notebook: Any) -> tuple[int, Any] | None:
    """Number (from 1, as the input notebook counts its cells) and cell of the failure, if one failed."""
    cells = [cell for cell in notebook.cells if not _is_papermills(cell)]
    for number, cell in enumerate(cells, 1):
        if cell.metadata.get("papermill", {}).get("exception") is True and not _has_left(cell):
            return number - sum(_is_injected(former) for former in cells[: number - 1]), cell
    return None


def _has_left(cell: Any) -> bool:
    """Whether it ended the notebook with `sys.exit()`: papermill takes that for success, and so do we."""
    return any(output.get("ename") == "SystemExit" and output.get("evalue") in {"", "0"} for output in cell.outputs)


def _is_papermills(cell: Any) -> bool:
    return "papermill-error-cell-tag" in cell.metadata.get("tags", ())


def _is_injected(cell: Any) -> bool:
    return bool({"injected-parameters", "injected-secrets"} & set(cell.metadata.get("tags", ())))
