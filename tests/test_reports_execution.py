"""Notebooks run through papermill, in this process and in a kernel, with the same outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import nbformat
import pytest
from sample_notebook import notebook, write

from healthkit.errors import ParameterError, ReportError
from healthkit.reports.execution import execute

pytestmark = pytest.mark.notebook

SEMANTICS = notebook(
    "import sys\nprint('out', days)\nprint('err', file=sys.stderr)\nprint('more')\nget_ipython() is not None",
    "from IPython.display import HTML, Image, display, clear_output\nhandle = display(HTML('<b>1</b>'), display_id=True)\n"
    "display({'application/json': {'a': 1}, 'text/plain': 'x'}, raw=True)",
    "handle.update(HTML('<b>2</b>'))\nprint('gone')\nclear_output()\n3",
    "print('gone')\nclear_output(wait=True)\nprint('stays')",
    "%%bash\necho from bash\necho to stderr >&2",
    "!echo from a shell",
    "import subprocess\nprint('before')\nsubprocess.run(['echo', 'to the descriptor'], check=True)\nprint('after')\n'last'",
    "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "'silent';",
    "_, __name__, Out[2]",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "import pandas as pd\npd.DataFrame({'a': [1]})",
    "class Both:\n    def _repr_mimebundle_(self, **_): return {'text/html': '<i>x</i>', 'text/plain': 'x'}, {'text/html': {'isolated': True}}\nBoth()",
    "Image(data=b'\\x89PNG\\r\\n\\x1a\\n0000', format='png')",
    "%%capture caught\nprint('captured')",
    "caught.stdout",
    "%%html\n<u>x</u>",
    "import warnings\nwarnings.simplefilter('ignore')\n1 / 0",
    "'never reached'",
    parameters="days: int = 7",
)


def outputs(made):
    """Outputs without what differs from run to run: colours, and when a kernel flushes its two streams."""
    found = []
    for cell in made.cells:
        merged = []
        for output in cell.get("outputs", ()):
            if output["output_type"] == "stream":
                if not merged or "streams" not in merged[-1]:
                    merged.append({"streams": {"stdout": "", "stderr": ""}})
                merged[-1]["streams"][output["name"]] += output["text"]
                continue
            plain = {name: value for name, value in output.items() if name != "execution_count"}
            if output["output_type"] == "error":
                plain["traceback"] = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
            merged.append(plain)
        found.append((cell.source, cell.get("execution_count"), merged))
    return found


def failing(path, output, engine="healthkit", **options):
    with pytest.raises(ReportError) as caught:
        execute(path, output, {}, engine=engine, **options)
    assert caught.value.notebook == str(output)
    return str(caught.value), nbformat.read(output, 4)


@pytest.mark.slow
def test_both_engines_give_the_same_outputs(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # a kernel that sees it leaves descriptors 1 and 2 alone
    path = write(SEMANTICS, tmp_path / "semantics.ipynb")
    (ours, mine), (theirs, stock) = (failing(path, tmp_path / f"{e}.ipynb", e) for e in ("healthkit", "stock"))
    assert ours == theirs
    assert "cell 19 failed: ZeroDivisionError: division by zero" in ours
    for one, other in zip(outputs(mine), outputs(stock), strict=True):
        assert one == other


@pytest.mark.slow
def test_plain_papermill_finds_the_engine(tmp_path):
    path = write(notebook("print(days)", parameters="days = 7"), tmp_path / "in.ipynb")
    command = [
        sys.executable,
        "-P",
        "-m",
        "papermill",
        "--engine",
        "healthkit",
        str(path),
        "out.ipynb",
        "-p",
        "days",
        "9",
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, timeout=60)
    assert nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs[0].text == "9\n"


@pytest.mark.parametrize("engine", ["healthkit", "stock"])
def test_an_unknown_parameter_stops_before_any_cell(tmp_path, engine):
    path = write(notebook(f"open({str(tmp_path / 'ran')!r}, 'w')", parameters="days = 7"), tmp_path / "in.ipynb")
    with pytest.raises(ParameterError, match="'dayz'; the notebook knows days"):
        execute(path, tmp_path / "out.ipynb", {"dayz": 7}, engine=engine)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out.ipynb").exists()


def test_a_failing_third_cell_keeps_what_was_made(tmp_path):
    message, made = failing(
        write(notebook("1", "2", "print('so far')\n1/0", "4"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb"
    )
    assert message == "in.ipynb: cell 3 failed: ZeroDivisionError: division by zero"
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain")
        for cell in made.cells
        for output in cell.get("outputs", ())
    ]
    assert texts[:3] == ["1", "2", "so far\n"]
    assert "4" not in texts


def test_a_syntax_error_names_its_cell(tmp_path):
    message, _ = failing(write(notebook("1", "2 2"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb")
    assert "cell 2 failed: SyntaxError" in message


def test_a_cell_may_be_meant_to_fail(tmp_path):
    made = notebook("1 / 0", "'went on'")
    made.cells[0].metadata["tags"] = ["raises-exception"]
    path = write(made, tmp_path / "in.ipynb")
    with pytest.raises(ReportError, match="ZeroDivisionError"):  # papermill raises for it all the same, at the end
        execute(path, tmp_path / "out.ipynb", {})
    assert nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs[0].data["text/plain"] == "'went on'"


def test_exit_ends_a_notebook_without_failing_it(tmp_path):
    made = execute(
        write(notebook("1", "import sys\nsys.exit()", "3"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb", {}
    )
    assert not made.cells[-1].outputs


def test_nobody_is_asked(tmp_path):
    message, _ = failing(write(notebook("input('password? ')"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb")
    assert "EOFError" in message


@pytest.mark.parametrize(
    "cell", ["import time\ntime.sleep(60)", "while True:\n    try:\n        pass\n    except Exception:\n        pass"]
)
def test_a_run_that_takes_too_long_is_stopped(tmp_path, cell):
    started = time.monotonic()
    message, made = failing(write(notebook("1", cell, "3"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb", timeout=0.5)
    assert time.monotonic() - started < 20
    assert "cell 2 failed: OutOfTime: the notebook ran longer than 0.5 s" in message
    assert made.cells[-1].outputs == []


@pytest.mark.slow
def test_a_kernel_that_takes_too_long_in_all_is_stopped(tmp_path):
    path = write(notebook(*["import time\ntime.sleep(0.7)"] * 5), tmp_path / "in.ipynb")
    message, made = failing(path, tmp_path / "out.ipynb", "stock", timeout=2)
    assert re.search(r"cell [1-5] failed: OutOfTime: the notebook ran longer than 2 s", message)
    assert made.metadata.healthkit.engine == "stock"
    assert made.metadata.healthkit.peak_memory_bytes > 2e7


def test_outside_the_main_thread_the_time_is_looked_at_between_cells(tmp_path):
    path = write(notebook("import time\ntime.sleep(0.3)", "2"), tmp_path / "in.ipynb")
    caught = []

    def run():
        try:
            execute(path, tmp_path / "out.ipynb", {}, timeout=0.2)
        except ReportError as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert "cell 2 failed: OutOfTime" in caught[0]


def test_the_process_is_as_it_was(tmp_path, capfd):
    cells = [
        f"import os, sys, warnings\nos.chdir({str(tmp_path)!r})\nos.environ['LEFT'] = 'over'\nsys.path.append('/nowhere')",
        "warnings.simplefilter('ignore')\nsys.stdout.write('text')\nos.system('echo descriptor')",
        "name = __name__",
    ]
    before = Path.cwd(), dict(os.environ), list(sys.path), sys.modules["__main__"], list(warnings.filters), sys.stdout
    made = execute(write(notebook(*cells), tmp_path / "in.ipynb"), tmp_path / "out.ipynb", {})
    after = Path.cwd(), dict(os.environ), list(sys.path), sys.modules["__main__"], list(warnings.filters), sys.stdout
    assert before == after
    assert capfd.readouterr() == ("", "")
    assert "descriptor" in made.cells[1].outputs[0].text


def test_runs_do_not_see_each_other(tmp_path):
    execute(write(notebook("left = 1"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb", {})
    message, _ = failing(write(notebook("left"), tmp_path / "in.ipynb"), tmp_path / "out.ipynb")
    assert "NameError" in message


def test_figures_are_shown_in_every_run(tmp_path):
    path = write(notebook("import matplotlib.pyplot as plt\nplt.plot([1, 2]);"), tmp_path / "in.ipynb")
    for _ in range(2):
        made = execute(path, tmp_path / "out.ipynb", {})
        assert [set(output.data) for output in made.cells[0].outputs] == [{"image/png", "text/plain"}]


def test_a_figure_that_was_open_is_neither_drawn_on_nor_lost(tmp_path):
    from matplotlib import pyplot as plt

    mine = plt.figure()
    try:
        test_figures_are_shown_in_every_run(tmp_path)
        assert plt.gcf() is mine
        assert mine.axes == []
    finally:
        plt.close(mine)


def test_progress_is_told_between_cells(tmp_path):
    seen = []
    path = write(notebook("# Title", "1", "2"), tmp_path / "in.ipynb")
    execute(path, tmp_path / "out.ipynb", {}, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("engine", ["healthkit", pytest.param("stock", marks=pytest.mark.slow)])
def test_a_secret_is_in_no_output(tmp_path, monkeypatch, engine):
    monkeypatch.setenv("REPORT_TOKEN", 'hunter2 & "friends" ü')
    cells = ("print(api_token)\napi_token", "from IPython.display import HTML\nimport html\nHTML(html.escape(api_token))",
             "raise ValueError(api_token)")  # fmt: skip
    path = write(notebook(*cells, parameters='days = 1\napi_token = ""'), tmp_path / "in.ipynb")
    with pytest.raises(ReportError) as caught:
        execute(path, tmp_path / "out.ipynb", {"api_token": "env:REPORT_TOKEN", "days": 2}, engine=engine)
    text = (tmp_path / "out.ipynb").read_text()
    assert "hunter2" not in text
    assert "friends" not in text
    assert "REPORT_TOKEN" in text
    assert text.count("•••") >= 3
    assert "hunter2" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.ipynb", "out.ipynb"]


def test_a_path_with_braces(tmp_path):
    folder = tmp_path / "{a}"
    execute(write(notebook("1"), folder / "in {x}.ipynb"), folder / "out {x}.ipynb", {})
    assert sorted(p.name for p in folder.iterdir()) == ["in {x}.ipynb", "out {x}.ipynb"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"cells": 3}'])
def test_what_is_no_notebook_is_a_report_error(tmp_path, content):
    (tmp_path / "in.ipynb").write_bytes(content)
    with pytest.raises(ReportError, match="not a notebook"):
        execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {})
    with pytest.raises(ReportError, match="not a notebook"):
        execute(Path("/nowhere.ipynb"), tmp_path / "out.ipynb", {})


def test_another_language_needs_the_stock_engine(tmp_path):
    made = notebook("1")
    made.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    with pytest.raises(ParameterError, match="stock engine"):
        execute(write(made, tmp_path / "in.ipynb"), tmp_path / "out.ipynb", {})
