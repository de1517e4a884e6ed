"""Records that the database could not take, kept as files until it can: `HOME/spool/<time>-<uid>.json`.

One file a record, written whole or not at all, so that nobody appends to a file that is being drained.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from healthkit.errors import StoreError


def spool(directory: Path, table: str, row: Mapping[str, Any]) -> Path:
    """Keep a record; when this returns it survives a crash.

    Raises:
        StoreError: It could not be written: the record is lost.
    """
    path = directory / f"{time.time_ns():020d}-{row['uid']}.jsonl"
    temporary = path.with_suffix(".tmp")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"table": table, "record": dict(row)}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(
            f"record for {table} lost: neither database nor {directory} can be written: {error}"
        ) from error
    return path


def drain(directory: Path, store: Callable[[str, Mapping[str, Any]], None]) -> tuple[int, int, Callable[[], None]]:
    """Hand every spooled record to *store*, oldest first.

    Returns:
        How many were handed over, how many files are damaged, and what to call once the records are safe: it removes
        the files and keeps the damaged ones under `.damaged`.
    """
    done: list[Path] = []
    damaged: list[Path] = []
    for path in sorted(directory.glob("*.jsonl")):
        try:
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            entries = [(str(line["table"]), dict(line["record"])) for line in lines]
        except (ValueError, TypeError, KeyError):
            damaged.append(path)
            continue
        for table, row in entries:
            store(table, row)
        done.append(path)

    def finish() -> None:
        for path in done:
            path.unlink(missing_ok=True)
        for path in damaged:
            path.replace(path.with_suffix(".damaged"))

    return len(done), len(damaged), finish
