"""Our papermill engine: the cells run in this process, one save at the end, one time-out for the whole run.

Registered under papermill's entry point group `papermill.engine`, so that plain `papermill --engine healthkit` works.
"""

from __future__ import annotations

import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nbformat.v4 import new_output
from papermill.engines import Engine, NBClientEngine

Progress = Callable[[int, int], None]
"""Called with the number of cells done and of all, before the first and after each: between cells, never during one."""


class OutOfTime(BaseException):
    """The run took longer than allowed. Not an `Exception`: a cell that catches those must not go on for ever."""


class InProcess(Engine):  # type: ignore[misc]  # papermill is untyped
    """Runs a Python notebook in this process."""

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Any: there is no kernel."""
        return str(name or nb.metadata.get("kernelspec", {}).get("name", "python3"))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Python, unless the notebook says otherwise."""
        return str(language or nb.metadata.get("kernelspec", {}).get("language", "python"))

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,  # noqa: ARG003 - papermill's signature
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        done: Callable[[Any], object] = lambda _notebook: None,
        **_: Any,
    ) -> None:
        """Run all cells up to the first that fails.

        Args:
            nb_man: papermill's manager of the notebook.
            kernel_name: Ignored.
            timeout: Seconds for the whole run. Python code and sleeping calls are stopped; a single call into C code
                only when it returns. Outside the main thread it is looked at between cells.
            progress: Told about each cell.
            done: Handed the executed notebook, also when a cell failed.
        """
        from healthkit.reports.shells import shell

        started = time.monotonic()
        total = len(nb_man.nb.cells)
        report = progress or (lambda _done, _total: None)
        report(0, total)
        error: BaseException | None = None
        with shell() as made, _alarm(timeout) as check:
            for index, cell in enumerate(nb_man.nb.cells):
                if cell.cell_type == "code" and cell.source.strip() and not _skipped(cell):
                    nb_man.cell_start(cell, index)
                    error = _run(made, cell, check)
                    if error is not None and "raises-exception" not in cell.metadata.get("tags", ()):
                        nb_man.cell_exception(cell, cell_index=index, exception=error)
                        nb_man.cell_complete(cell, cell_index=index)
                        break
                    nb_man.cell_complete(cell, cell_index=index)
                report(index + 1, total)
        nb_man.nb.metadata["language_info"] = {"name": "python", "version": sys.version.split()[0]}
        _note(nb_man.nb, "healthkit", started, resource.RUSAGE_SELF)
        done(nb_man.nb)
        if isinstance(error, KeyboardInterrupt):
            raise error


class Kernel(NBClientEngine):  # type: ignore[misc]  # papermill is untyped
    """papermill's own engine and a kernel, with one time-out for the whole run."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        done: Callable[[Any], object] = lambda _notebook: None,
        **options: Any,
    ) -> None:
        """Run all cells up to the first that fails. Arguments as of `InProcess`."""
        started, latest = time.monotonic(), nb_man.nb.cells[:1]
        report, total = progress or (lambda _done, _total: None), len(nb_man.nb.cells)

        def remaining(_cell: Any) -> float | None:
            return max(started + timeout - time.monotonic(), 0.05) if timeout else None

        def complete(cell: Any, cell_index: int | None = None, **more: Any) -> None:
            finish(cell, cell_index=cell_index, **more)
            latest[:] = [cell]
            report(total if cell_index is None else cell_index + 1, total)

        finish, nb_man.cell_complete = nb_man.cell_complete, complete
        try:
            super().execute_managed_notebook(nb_man, kernel_name, timeout_func=remaining, **options)
        except TimeoutError:  # nbclient's, which leaves no trace in the notebook
            latest[0].metadata.papermill["exception"] = True
            late = f"the notebook ran longer than {timeout:g} s"
            # In front: the kernel was interrupted, and may have said so.
            latest[0].outputs.insert(0, new_output("error", ename="OutOfTime", evalue=late, traceback=[late]))
        finally:
            _note(nb_man.nb, "stock", started, resource.RUSAGE_CHILDREN)
            done(nb_man.nb)


def _note(notebook: Any, engine: str, started: float, who: int) -> None:
    """What the run took. Memory is the most that the process, or its largest child so far, ever had."""
    notebook.metadata["healthkit"] = {
        "engine": engine,
        "seconds": round(time.monotonic() - started, 3),
        "peak_memory_bytes": resource.getrusage(who).ru_maxrss * 1024,
    }


def _skipped(cell: Any) -> bool:
    return "skip-execution" in cell.metadata.get("tags", ())  # nbclient's tag


def _run(made: Any, cell: Any, check: Callable[[], None]) -> BaseException | None:
    """Run a cell; what it raised, also when the time is up."""
    try:
        check()
        error: BaseException | None = made.run(cell)
    except OutOfTime as late:
        error = late
    if isinstance(error, OutOfTime) and not any(output.output_type == "error" for output in cell.outputs):
        cell.outputs.append(new_output("error", ename="OutOfTime", evalue=str(error), traceback=[str(error)]))
    return error


@contextmanager
def _alarm(timeout: float | None) -> Iterator[Callable[[], None]]:
    """Raise `OutOfTime` in the main thread when the time is up; the value raises it in any thread when called."""
    message = f"the notebook ran longer than {timeout:g} s" if timeout else ""
    deadline = time.monotonic() + timeout if timeout else float("inf")

    def check() -> None:
        if time.monotonic() >= deadline:
            raise OutOfTime(message)

    def ring(_signum: int, _frame: Any) -> None:
        raise OutOfTime(message)

    if not timeout or threading.current_thread() is not threading.main_thread():
        yield check
        return
    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout, 5.0)  # again, should a bare `except:` have swallowed the first
    try:
        yield check
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
