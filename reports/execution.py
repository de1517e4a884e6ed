"""Run a notebook through papermill; what it produced is kept, up to the cell that failed."""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from healthkit.errors import ParameterError, ReportError
from healthkit.reports import files, notebooks, parameters, startup

if TYPE_CHECKING:
    from healthkit.reports.engines import Progress

EngineName = Literal["healthkit", "stock"]
_HIDDEN = "•••"


def execute(
    notebook: Path,
    output: Path,
    given: Mapping[str, Any],
    *,
    engine: EngineName = "healthkit",
    timeout: float | None = 1800,
    progress: Progress | None = None,
) -> Any:
    """Run a notebook and write it with its outputs.

    Args:
        notebook: Path of the notebook to run.
        output: Where the executed one is written, in one piece, also when a cell fails.
        given: Values for its parameters. Secrets by reference; neither the notebook nor its outputs show them.
        engine: `healthkit` runs the cells in this process, `stock` in the kernel that the notebook names.
        timeout: Seconds for the whole run; None for no limit.
        progress: Called with the number of cells done and of all.

    Returns:
        The executed notebook.

    Raises:
        ParameterError: A parameter is unknown or does not fit; no cell was run.
        ReportError: A cell failed. Names it, and `notebook` is the path of what was executed.
    """
    executed, failure = run(notebook, given, engine=engine, timeout=timeout, progress=progress)
    executed.metadata.papermill["output_path"] = str(output)
    files.write(output, startup.nbformat().writes(executed) + "\n")
    if failure:
        raise ReportError(failure, notebook=str(output))
    return executed


def run(
    notebook: Path,
    given: Mapping[str, Any],
    *,
    engine: EngineName = "healthkit",
    timeout: float | None = 1800,
    progress: Progress | None = None,
) -> tuple[Any, str]:
    """Run a notebook. Arguments as of `execute`, but nothing is written.

    Returns:
        The executed notebook, and which cell failed and how; empty if none did.

    Raises:
        ParameterError: A parameter is unknown or does not fit; no cell was run.
    """
    source = notebooks.read(notebook)
    if engine == "healthkit" and source.metadata.kernelspec.get("language", "python") != "python":
        raise ParameterError(f"{notebook}: not a Python notebook: run it with the stock engine")
    known = parameters.infer(source)
    values = parameters.check(known, given)
    secrets = {name: str(value) for name, value in values.items() if known[name].secret}
    _add_secrets(source, secrets)
    public = {name: value for name, value in values.items() if name not in secrets}
    executed, failure = _papermill(source, public, engine=engine, timeout=timeout, progress=progress)
    executed.metadata.papermill.update(input_path=str(notebook), output_path="")
    if secrets:
        nbformat = startup.nbformat()
        hidden = [parameters.reveal(reference) for reference in secrets.values()]
        executed = nbformat.reads(_hide(nbformat.writes(executed), hidden), as_version=4)
        failure = json.loads(_hide(json.dumps(failure), hidden))
    return executed, f"{notebook.name}: {failure}" if failure else ""


def _papermill(
    source: Any, values: Mapping[str, Any], *, engine: EngineName, timeout: float | None, progress: Progress | None
) -> tuple[Any, str]:
    """The executed notebook, and what failed in it in one line."""
    import papermill
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError

    from healthkit.reports.engines import InProcess, Kernel

    logging.getLogger("papermill").setLevel(logging.WARNING)
    papermill_engines.register("healthkit", InProcess)  # it is, unless this is a bare checkout without entry points
    papermill_engines.register("healthkit-stock", Kernel)
    last: list[Any] = []
    failure = ""
    try:
        papermill.execute_notebook(
            source,
            None,  # written once, by us, when it is known what must be hidden in it
            dict(values),
            engine_name="healthkit" if engine == "healthkit" else "healthkit-stock",
            progress_bar=False,
            timeout=timeout,
            progress=progress,
            done=last.append,
        )
    except PapermillExecutionError as error:
        failure = f"{error.ename}: {error.evalue}".partition("\n")[0]
    executed = last[0]
    if found := notebooks.failing_cell(executed):
        failure = f"cell {found[0]} failed: {failure}"
    return executed, failure


def _add_secrets(notebook: Any, secrets: Mapping[str, str]) -> None:
    """A cell behind the parameters that looks the secrets up: the notebook then shows where they are, not what."""
    from nbformat.v4 import new_code_cell

    if not secrets:
        return
    lines = [f"{name} = {parameters.lookup(reference)}" for name, reference in secrets.items()]
    cell = new_code_cell("\n".join(["import os", "import pathlib", "", *lines]))
    cell.metadata["tags"] = ["injected-secrets"]
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, cell)


def _hide(text: str, secrets: list[str]) -> str:
    """The notebook's JSON without the secrets, however a cell may have printed them."""
    for secret in filter(None, secrets):
        for form in {secret, html.escape(secret), repr(secret)[1:-1]}:
            text = text.replace(json.dumps(form, ensure_ascii=False)[1:-1], _HIDDEN)
            text = text.replace(json.dumps(form)[1:-1], _HIDDEN)
    return text
