"""A notebook's cells run in this process, with the outputs that a kernel would have given.

Starting a kernel, its imports and fifty saves cost more than most reports; IPython itself runs in any process. The
shell below records what a kernel sends to its client: results, displays and their updates, streams, errors.

What a notebook changes in the process (working directory, environment, `sys.path`, warning filters, `__main__`) is put
back afterwards. Imported modules stay imported: that is what makes the next report cheap.
"""

from __future__ import annotations

import atexit
import base64
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output
from traitlets import Type

_DESCRIPTORS: dict[int, Literal["stdout", "stderr"]] = {1: "stdout", 2: "stderr"}


class Tape:
    """The outputs of the cell that runs, put together as a notebook client does (Jupyter messaging protocol 5.4)."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self._shown: dict[str, list[Any]] = {}
        self._clear_next = False
        self.drain: Callable[[], None] = lambda: None
        """Called before anything is recorded: what was written to the descriptors came first."""

    def start(self, outputs: list[Any]) -> None:
        """Record into *outputs* from now on."""
        self.outputs = outputs
        self._clear_next = False

    def add(self, output: Any, display_id: str | None = None) -> None:
        """Append an output; one with a display id can be updated later, also from another cell."""
        self.drain()
        if self._clear_next:
            self.clear(wait=False)
        self.outputs.append(output)
        if display_id:
            self._shown.setdefault(display_id, []).append(output)

    def update(self, display_id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Replace what every display with this id shows."""
        for output in self._shown.get(display_id, ()):
            output.update(data=data, metadata=metadata)

    def write(self, name: Literal["stdout", "stderr"], text: str) -> None:
        """Append to the stream; neighbours become one output."""
        self.drain()
        self._write(name, text)

    def read(self, files: Mapping[Literal["stdout", "stderr"], IO[bytes]]) -> None:
        """Append what was written to the descriptors since the last time."""
        for name, file in files.items():
            if new := os.pread(file.fileno(), os.fstat(file.fileno()).st_size - file.tell(), file.tell()):
                file.seek(len(new), os.SEEK_CUR)
                self._write(name, new.decode("utf-8", "replace"))

    def _write(self, name: Literal["stdout", "stderr"], text: str) -> None:
        if self._clear_next:
            self.clear(wait=False)
        if self.outputs and self.outputs[-1].get("name") == name:
            self.outputs[-1]["text"] += text
        elif text:
            self.outputs.append(new_output("stream", name=name, text=text))

    def clear(self, *, wait: bool) -> None:
        """Drop the cell's outputs, now or when the next one comes."""
        self._clear_next = wait
        if not wait:
            self.outputs.clear()


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a cell."""

    encoding = "utf-8"

    def __init__(self, tape: Tape, name: Literal["stdout", "stderr"]) -> None:
        self._tape = tape
        self._name = name

    def write(self, text: str) -> int:
        """Record the text."""
        self._tape.write(self._name, text)
        return len(text)

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The process' own descriptor, for subprocesses; it is recorded as well."""
        return 1 if self._name == "stdout" else 2


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
        with _descriptors(self.tape):
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
            made.enable_matplotlib("inline")
        stack.enter_context(_wide_tables())
        yield made


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
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.environ.update(COLUMNS="80", LINES="60")  # the width of a text must not depend on who runs the report
    try:
        yield
    finally:
        sys.modules["__main__"] = main
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


@contextmanager
def _descriptors(tape: Tape) -> Iterator[None]:
    """Record what subprocesses and C code write to descriptors 1 and 2: it belongs to the cell, not to our stdout."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream and not stream.closed:
            stream.flush()
    with ExitStack() as stack:
        files: dict[Literal["stdout", "stderr"], IO[bytes]] = {}
        for descriptor, name in _DESCRIPTORS.items():
            files[name] = stack.enter_context(tempfile.TemporaryFile(buffering=0))
            kept = os.dup(descriptor)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, descriptor)
            appending = os.open(f"/proc/self/fd/{files[name].fileno()}", os.O_WRONLY | os.O_APPEND)
            os.dup2(appending, descriptor)
            os.close(appending)
        tape.drain = partial(tape.read, files)
        try:
            yield
        finally:
            tape.drain()
            tape.drain = lambda: None


def _jsonable(data: dict[str, Any]) -> dict[str, Any]:
    """Binary representations as base64 text, as the protocol sends them."""
    return {
        kind: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for kind, value in data.items()
    }
