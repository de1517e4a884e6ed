"""A notebook's cells run in this process, with the outputs that a kernel would have given.

Starting a kernel, its imports and fifty saves cost more than most reports; IPython itself runs in any process. The
shell below records what a kernel sends to its client: results, displays and their updates, streams, errors.

What a notebook changes in the process (working directory, environment, `sys.path`, warning filters, `__main__`) is put
back afterwards. Imported modules stay imported: that is what makes the next report cheap.
"""

from __future__ import annotations

import atexit
import base64
import builtins
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output
from traitlets import Type

from healthkit import plots
from healthkit.reports.tapes import Stream, Tape, descriptors


class _Hook(DisplayHook):  # type: ignore[misc]  # IPython is untyped
    """The value of a cell's last expression."""

    def write_output_prompt(self) -> None:
        """A notebook shows the number elsewhere."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Record the result."""
        count = self.prompt_count
        data = _jsonable(format_dict)
        if data:
            self.shell.tape.add(new_output("execute_result", data=data, metadata=md_dict or {}, execution_count=count))

    def finish_displayhook(self) -> None:
        """Nothing to flush."""

    def flush(self) -> None:
        """The names go with the shell. IPython collects garbage here, which costs more than a short notebook."""


class _Publisher(DisplayPublisher):  # type: ignore[misc]  # IPython is untyped
    """What `display` shows."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        """Record a display, or the update of one."""
        display_id = (transient or {}).get("display_id")
        if update and display_id:
            self.shell.tape.update(display_id, _jsonable(data), metadata or {})
        else:
            self.shell.tape.add(new_output("display_data", data=_jsonable(data), metadata=metadata or {}), display_id)

    def clear_output(self, wait: bool = False) -> None:
        """Drop what the cell showed so far."""
        self.shell.tape.clear(wait=wait)


class Shell(InteractiveShell):  # type: ignore[misc]  # IPython is untyped
    """IPython without a terminal and without a kernel."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)

    def __init__(self, folder: str) -> None:
        self.tape = Tape()
        super().__init__(ipython_dir=folder, history_load_length=0)

    def init_history(self) -> None:
        """Nobody asks a report what was typed: no database, no thread."""
        self.config.HistoryManager.enabled = False
        super().init_history()

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no window."""

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.tape.add(new_output("error", ename=etype.__name__, evalue=str(evalue), traceback=list(stb)))

    def run(self, cell: Any) -> BaseException | None:
        """Run a code cell and record its outputs in it.

        Returns:
            What it raised.
        """
        cell.outputs = []
        cell.execution_count = self.execution_count
        self.tape.start(cell.outputs)
        with descriptors(self.tape):
            result = self.run_cell(cell.source, store_history=True)
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error


@contextmanager
def shell() -> Iterator[Shell]:
    """A fresh shell, which `get_ipython()` and `display` find while it is open."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="healthkit-ipython-", ignore_cleanup_errors=True)
        )
        stack.enter_context(_as_it_was())
        stack.enter_context(warnings.catch_warnings())
        _fresh_filters()
        made = Shell(folder)
        stack.callback(_close, made)
        stack.enter_context(_found(made))
        sys.stdin = stack.enter_context(io.StringIO(""))  # nobody is there to answer
        sys.stdout, sys.stderr = Stream(made.tape, "stdout"), Stream(made.tape, "stderr")
        if "matplotlib" in sys.modules:  # else the variable of `_as_it_was` chooses the same when it is imported
            stack.enter_context(plots.set_aside())
            _show_figures(made)
        stack.enter_context(_wide_tables())
        yield made


def _show_figures(made: Shell) -> None:
    """Figures appear below their cell, as in a kernel."""
    from matplotlib_inline.backend_inline import configure_inline_support

    vars(configure_inline_support)["current_backend"] = "unset"  # or it enables its formats in the first shell only
    made.enable_matplotlib("inline")


def _wide_tables() -> AbstractContextManager[None]:
    """As many columns as in a kernel: outside of one pandas cuts a table to the width of the terminal."""
    import pandas as pd

    return pd.option_context("display.max_columns", 20)


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what a notebook may change in the process."""
    folder, environment, path = Path.cwd(), dict(os.environ), list(sys.path)
    standard = sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook
    main = sys.modules["__main__"]
    underscore = {
        k: vars(builtins).pop(k) for k in ("_",) if k in vars(builtins)
    }  # with it IPython sets no `_` of its own
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.environ.update(COLUMNS="80", LINES="60")  # the width of a text must not depend on who runs the report
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        vars(builtins).update(underscore)
        sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook = standard
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        with suppress(OSError):  # it was removed meanwhile
            os.chdir(folder)


def _fresh_filters() -> None:
    """The warning filters that an interpreter starts with: a kernel has them, whatever this process was told."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # nobody gives the last two arguments


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    """To the cell's stderr, whatever this process does with its own."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


@contextmanager
def _found(made: Shell) -> Iterator[None]:
    """Make it the one that IPython's functions find, and the former one again afterwards."""
    classes = list(Shell._walk_mro())  # noqa: SLF001 - traitlets has no public way to swap a singleton
    former = [kind._instance for kind in classes]  # noqa: SLF001
    for kind in classes:
        kind._instance = made  # noqa: SLF001
    try:
        yield
    finally:
        for kind, instance in zip(classes, former, strict=True):
            kind._instance = instance  # noqa: SLF001


def _close(made: Shell) -> None:
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)
    made.restore_sys_module_state()


def _jsonable(data: dict[str, Any]) -> dict[str, Any]:
    """Binary representations as base64 text, as the protocol sends them."""
    return {
        kind: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for kind, value in data.items()
    }
