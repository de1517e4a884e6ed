"""What became of a damaged database: what was saved of each table, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST, LAST = -(2**63), 2**63 - 1
"""The rowids that there can be."""
_SPARSE = 10


@dataclass
class Table:
    """What became of one table."""

    name: str
    rows: int = 0
    """In the new database."""
    read: list[tuple[int, int]] = field(default_factory=list)
    """Rowids, first and last, between which everything could be read; used only where there is trouble."""
    counted: int | None = None
    """Rows that an index, which is whole, says there were; None if none could tell."""
    absent: int | None = None
    """Rowids between the first and the last that are not there: lost, or deleted before; None where nobody numbers."""
    trouble: str = ""
    """Why it was not read to the end; empty if it was."""

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Rowids, first and last, between which nothing could be read; some of them may never have been used.

        SQLite numbers from 1: where nothing smaller was ever read, the first gap begins there.
        """
        found, following = [], 1 if all(last > 0 for _, last in self.read) else FIRST
        for low, high in sorted(self.read):
            if low > following:
                found.append((following, low - 1))
            following = max(following, high + 1)
        return [*found, (following, LAST)] if following <= LAST else found

    @property
    def lost(self) -> int | None:
        """Rows that there were and that are not in the new database: as an index tells, else by the gaps.

        None: nobody knows, because a gap has no end. A page that is damaged and can be read all the same hides more.
        """
        if not self.trouble:
            return 0
        if self.counted is not None:
            return max(self.counted - self.rows, 0)
        if not self.read or any(first == FIRST or last == LAST for first, last in self.gaps):
            return None
        widest = sum(last - first + 1 for first, last in self.gaps)
        return (
            widest if widest <= _SPARSE * max(self.rows, 100) else None
        )  # rowids that are not numbered on tell nothing

    def __str__(self) -> str:
        if not self.trouble:
            return f"{self.name}: all {self.rows} rows"
        where = ", ".join(_range(first, last) for first, last in self.gaps[:5])
        more = f" and {len(self.gaps) - 5} more gaps" if len(self.gaps) > 5 else ""
        lost = "an unknown number" if self.lost is None else str(self.lost)
        by = "" if self.lost is None or self.counted is not None else " by the gaps"
        more_absent = self.absent is not None and self.absent > (self.lost or 0)
        besides = f"; of its rowids {self.absent} are not there, lost now or deleted before" if more_absent else ""
        return f"{self.name}: {self.rows} rows, {lost} lost{by}{f' (rowids {where}{more})' if where else ''}{besides}"


@dataclass
class Salvaged:
    """What became of a database."""

    tables: dict[str, Table] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What of the schema could not be made, and why the result is not sound; empty if it is."""

    @property
    def rows(self) -> int:
        """In all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def lost(self) -> int | None:
        """Rows lost in all tables, at most; None if nobody knows."""
        losses = [table.lost for table in self.tables.values()]
        return None if None in losses else sum(loss for loss in losses if loss is not None)


def _range(first: int, last: int) -> str:
    if first == FIRST or last == LAST:
        return f"up to {last}" if last != LAST else f"from {first}" if first != FIRST else "unknown"
    return f"{first}" if first == last else f"{first} to {last}"
