"""One table of a damaged database, copied in ranges of its rowid.

From the middle upwards and downwards until an error, then within what is left between, the widest gap first, until no gap
is left but the damaged pages.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from healthkit.procedures._losses import FIRST, LAST, Table

PROBES = 4_000
"""Statements spent on the gaps of one table: sparse rowids could be halved for ever."""


class Copying:
    """One table on its way from `bad` to `main`."""

    def __init__(self, new: sqlite3.Connection, name: str) -> None:
        self._db, self._table = new, Table(name)
        self._name = quoted(name)
        known = new.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", [name]).fetchall()
        columns = [column for column, hidden in known if hidden in (0, 1)]
        taken = {column.lower() for column in columns}
        self.rowid = next((word for word in ("rowid", "_rowid_", "oid") if word not in taken), "rowid")
        try:
            new.execute(f"SELECT {self.rowid} FROM main.{self._name} LIMIT 0")  # noqa: S608
        except sqlite3.OperationalError:  # WITHOUT ROWID
            self.rowid = ""
        self._columns = ", ".join([*([self.rowid] if self.rowid else []), *map(quoted, columns)])
        self._insert = f"INSERT OR IGNORE INTO main.{self._name} ({self._columns})"

    def take(self) -> Table:
        """All of it at once where it is whole; in ranges where it is not."""
        table = self._table
        try:
            self._db.execute(f"{self._insert} SELECT {self._columns} FROM bad.{self._name}")  # noqa: S608
        except sqlite3.Error as error:
            table.trouble = str(error)
            if self.rowid:
                self._in_ranges()
            else:
                self._from_both_ends()
            table.counted = self._count()
            table.absent = self._absent()
        table.rows = self._db.execute(f"SELECT count(*) FROM main.{self._name}").fetchone()[0]  # noqa: S608
        return table

    def _absent(self) -> int | None:
        """How many numbers are not used between the first and the last."""
        if not self.rowid:
            return None
        query = f"SELECT max({self.rowid}) - min({self.rowid}) + 1 - count(*), count(*) FROM main.{self._name}"  # noqa: S608
        absent, rows = self._db.execute(query).fetchone()
        return int(absent) if absent is not None and absent <= 10 * rows else None

    def _count(self) -> int | None:
        """As an index that is whole tells."""
        names = self._db.execute(
            "SELECT name FROM bad.sqlite_master WHERE type = 'index' AND tbl_name = ?", [self._table.name]
        )
        for (index,) in names.fetchall():
            query = f"SELECT count(*) FROM bad.{self._name} INDEXED BY {quoted(index)}"  # noqa: S608
            with suppress(sqlite3.Error):
                return int(self._db.execute(query).fetchone()[0])
        return None

    def _in_ranges(self) -> None:
        """Widest gap first, so that what the probes are spent on is likely to be worth it."""
        gaps = [(FIRST - LAST, FIRST, LAST)]
        for _ in range(PROBES):
            if not gaps:
                break
            _, first, last = heapq.heappop(gaps)
            for low, high in (gap for gap in self._probe(first, last) if gap[0] <= gap[1]):
                heapq.heappush(gaps, (low - high, low, high))

    def _from_both_ends(self) -> None:
        """A table without rowids: row by row until an error, in both orders of its key."""
        keys = self._db.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", [self._table.name])
        names = [quoted(name) for (name,) in keys]
        marks = ", ".join("?" * (self._columns.count(",") + 1))
        for order in ("ASC", "DESC"):
            by = ", ".join(f"{name} {order}" for name in names)
            rows = self._db.execute(f"SELECT {self._columns} FROM bad.{self._name} ORDER BY {by}")  # noqa: S608
            with suppress(sqlite3.Error):
                self._db.executemany(f"{self._insert} VALUES ({marks})", rows)

    def _probe(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Read up and down from the middle; what is left on either side of what could be read."""
        middle = (first + last) // 2
        top = self._reach(middle, last, "ASC")
        if top < last:
            yield max(top, middle) + 1, last
        low = self._reach(first, middle - 1, "DESC") if first < middle else first
        if low > first:
            yield first, min(low, middle) - 1

    def _reach(self, low: int, high: int, order: str) -> int:
        """How far from one end towards the other it can be read; what can is copied."""
        up = order == "ASC"
        start, goal = (low, high) if up else (high, low)
        query = f"SELECT {self.rowid} FROM bad.{self._name} NOT INDEXED WHERE {self.rowid} BETWEEN ? AND ? ORDER BY 1 {order}"  # noqa: S608
        before = reached = start - 1 if up else start + 1
        try:
            for (row,) in self._db.execute(query, [low, high]):
                reached = row
            reached = goal
        except sqlite3.DatabaseError:
            # Python steps to the next row before it hands out one: the last before the damage is asked for by itself.
            rest = (reached + 1, high) if up else (low, reached - 1)
            with suppress(sqlite3.DatabaseError):
                last = self._db.execute(f"{query} LIMIT 1", rest).fetchone()
                reached = last[0] if last else reached
            if reached == before:
                return reached
        self._copy(*((start, reached) if up else (reached, start)))
        return reached

    def _copy(self, first: int, last: int) -> None:
        """A range whose rowids can be read; halved where a row's own pages cannot."""
        todo = [(first, last)]
        query = f"{self._insert} SELECT {self._columns} FROM bad.{self._name} NOT INDEXED WHERE {self.rowid}"  # noqa: S608
        while todo:
            low, high = todo.pop()
            try:
                if low == high:  # a range looks for its end in the next page, which may be the damaged one
                    self._db.execute(f"{query} = ?", [low])
                else:
                    self._db.execute(f"{query} BETWEEN ? AND ?", [low, high])
                self._table.read.append((low, high))
            except sqlite3.DatabaseError:
                if low < high:
                    middle = (low + high) // 2
                    todo += [(low, middle), (middle + 1, high)]


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'
