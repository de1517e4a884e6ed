"""The doors of the house: who may import whom. A lower floor never imports a higher one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    {
        "schema",
        "errors",
        "files",
        "jsons",
        "config",
        "periods",
        "findings",
        "quantities",
        "charts",
        "colours",
        "plots",
        "display",
        "bundles",
    },
    {
        "store",
        "records",
        "spool",
        "state",
        "full_checks",
        "events",
        "incidents",
        "postmortems",
        "logbook",
        "demo",
        "manifests",
    },
    {
        "analyses",
        "series",
        "grids",
        "trends",
        "changes",
        "quantiles",
        "forecasts",
        "detections",
        "capacity",
        "imports",
    },
    {"checks", "ledger", "audits", "movements", "checklists"},
    {"procedures", "alerts", "scores"},
    {"reviews", "fleets", "sections", "schedule"},
    {"cli", "runbook", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
STANDARD = {"psutil", *__import__("sys").stdlib_module_names}


def imports(path):
    """Absolute names of all modules that a file imports, wherever in the file."""
    package = module_name(path).split(".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + (path.name == "__init__.py")] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            if module == "healthkit":
                yield from (f"healthkit.{alias.name}" for alias in node.names)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "healthkit":
        parts = ("healthkit", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(folder):
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


@pytest.mark.parametrize("path", files("healthkit"), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_floor_imports_nothing_above_it(path):
    room = module_name(path).split(".")[1:2]
    if not room:
        return
    assert room[0] in FLOOR, f"{room[0]} lives on no floor: give it one in this test and in the architecture page"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "healthkit" or len(parts) == 1:
            continue
        if parts[1] in {"collectors", "reports", "notebooks"}:
            assert room[0] in {"cli", "runbook"}, f"{path}: only a command line joins {name}"
        elif parts[1] in FLOOR and parts[1] != room[0]:
            assert FLOOR[parts[1]] <= FLOOR[room[0]], f"{path} imports {name} from a floor above"


@pytest.mark.parametrize("path", files("collectors"), ids=lambda p: p.name)
def test_collectors_import_only_names_and_errors(path):
    for name in imports(path):
        top = name.split(".")[0]
        if top == "healthkit":
            assert name.startswith(("healthkit.schema", "healthkit.errors", "healthkit.collectors")), f"{path}: {name}"
        else:
            assert top in STANDARD, f"{path} imports {name}"


def test_matplotlib_lives_in_plots_alone():
    for folder in ("healthkit", "collectors", "reports", "notebooks"):
        for path in files(folder):
            if path.relative_to(ROOT) != Path("healthkit/plots.py") and "matplotlib" in path.read_text(
                encoding="utf-8"
            ):
                assert not any(name.split(".")[0] == "matplotlib" for name in imports(path)), path


@pytest.mark.parametrize("path", files("notebooks"), ids=lambda p: p.name)
def test_notebooks_tell_and_do_not_compute(path):
    if path.name in {"__init__.py", "pair.py"}:
        return
    # A cell that writes a file holds that file's code, not the notebook's.
    cells = re.split(r"^# %%(?!writefile)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tree = ast.parse("\n".join("#" + cell for cell in cells if "# %%writefile" not in cell))
    banned = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda)
    assert not any(isinstance(node, banned) for node in ast.walk(tree)), path


def test_no_broad_except_that_swallows():
    for folder in ("healthkit", "collectors", "reports"):
        for path in files(folder):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if "except" in text else ():
                if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise":
                    caught = ast.unparse(node.type) if node.type else ""
                    assert caught not in {"", "Exception", "BaseException"}, f"{path}:{node.lineno}"
