"""Upkeep of an SQLite database that others use: what it wastes, fresh statistics, and a VACUUM that gives way.

Sources: https://www.sqlite.org/lang_vacuum.html, https://www.sqlite.org/lang_analyze.html, https://www.sqlite.org/pragma.html
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from healthkit.errors import ProcedureError
from healthkit.manifests import open_read_only
from healthkit.procedures._databases import database_bytes
from healthkit.quantities import quantity

WASTED = 0.20
"""Share of free pages from which a VACUUM pays."""
WORTH = 8 * 2**20
"""Bytes that it must win back."""
ROOM = 2.1
"""Free space that it takes, as a multiple of the database: a copy, and the journal or WAL of as much."""
_LIMIT = 1000
"""Rows of each index that ANALYZE reads at most; without one it reads them all."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a database takes, and how much of it is empty."""

    name: str
    path: str
    bytes: int
    """File and WAL."""
    pages: int
    free_pages: int
    """On the freelist: taken from the disk, and empty."""
    page_bytes: int
    journal: str
    """Journal mode."""
    analyzed: bool
    """Whether there are statistics for the query planner."""

    @property
    def free_bytes(self) -> int:
        """What a VACUUM would win back at least."""
        return self.free_pages * self.page_bytes

    @property
    def wasted(self) -> float:
        """Share of free pages, 0 to 1."""
        return self.free_pages / self.pages if self.pages else 0.0

    @property
    def pays(self) -> bool:
        """Whether a VACUUM is worth its cost."""
        return self.wasted >= WASTED and self.free_bytes >= WORTH

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"free_bytes": self.free_bytes, "wasted": self.wasted, "pays": self.pays}

    def __str__(self) -> str:
        return (
            f"{self.name}: {quantity(self.bytes, 'bytes')}, of which {quantity(self.free_bytes, 'bytes')} "
            f"({quantity(self.wasted, 'ratio')}) are empty pages"
        )


def look(name: str, path: Path, *, wait: float = 2) -> Upkeep:
    """Measure a database; read only.

    Raises:
        sqlite3.Error: It cannot be read, is an empty file, or stayed locked for *wait* seconds.
        OSError: It is not there.
    """
    size = path.stat().st_size  # SQLite would say of a missing file that it is unable to open it, and not why
    if not size:
        raise sqlite3.DatabaseError("it is a file of 0 bytes")  # which SQLite takes for a database without tables
    with open_read_only(path, timeout=wait) as db:
        pages, free, page, journal = (
            db.execute(f"PRAGMA {pragma}").fetchone()[0]
            for pragma in ("page_count", "freelist_count", "page_size", "journal_mode")
        )
        analyzed = bool(db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone()[0])
    return Upkeep(name, str(path), max(database_bytes(path), size), pages, free, page, journal, analyzed)


def analyze(path: Path, *, wait: float) -> float:
    """Fresh statistics for the query planner, from so many rows an index that it is over in a moment; seconds taken.

    Raises:
        sqlite3.Error: Locked for longer than *wait* seconds, damaged, or read-only.
    """
    began = time.monotonic()
    with closing(_open(path, wait)) as db:
        db.execute(f"PRAGMA analysis_limit = {_LIMIT}")
        db.execute("ANALYZE")
        db.execute("PRAGMA optimize")
    return time.monotonic() - began


def require_space(database: Upkeep) -> None:
    """Whether a VACUUM fits: beside the database, and where SQLite makes its temporary copy.

    Raises:
        ProcedureError: It does not.
    """
    needed = int(database.bytes * ROOM)
    for folder in {Path(database.path).parent, Path(tempfile.gettempdir())}:
        free = shutil.disk_usage(folder).free
        if free < needed:
            hint = f"Make room in {folder}, then run it again."
            text = f"{database.name}: a VACUUM takes {quantity(needed, 'bytes')}, {quantity(free, 'bytes')} are free in {folder}"
            raise ProcedureError(text, hint=hint)


def vacuum(path: Path, *, wait: float, hold: float) -> float:
    """Rewrite a database without its empty pages, and give way where that holds others up too long; seconds taken.

    Until it commits the database is as it was, also after a power cut. It waits at most *wait* seconds for a writer, and
    is broken off after *hold* seconds, in which writers had to wait for it.

    Raises:
        sqlite3.OperationalError: `database is locked`, or `interrupted` after *hold* seconds.
        sqlite3.Error: It is damaged, or the disk is full.
    """
    began = time.monotonic()
    with closing(_open(path, wait)) as db:
        db.execute("BEGIN IMMEDIATE")  # the waiting is over here, and the holding begins
        db.execute("ROLLBACK")
        held = time.monotonic()
        db.set_progress_handler(lambda: int(time.monotonic() - held > hold), 2000)
        db.execute("VACUUM")
        db.set_progress_handler(None, 0)
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        errors = [str(row[0]) for row in db.execute("PRAGMA quick_check(5)")]
    if errors != ["ok"]:
        raise sqlite3.DatabaseError(f"damaged after the VACUUM: {errors[0]}")
    return time.monotonic() - began


def _open(path: Path, wait: float) -> sqlite3.Connection:
    """For writing; never made by opening it."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=wait, isolation_level=None)
