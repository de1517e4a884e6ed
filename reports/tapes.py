"""What a cell writes and shows, in order: its streams, its displays, and what its subprocesses write."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import IO, Any, Literal

from nbformat.v4 import new_output

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


@contextmanager
def descriptors(tape: Tape) -> Iterator[None]:
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
