"""Pages of rows that are whole, below a page that is not: what leads to them is gone, they are not.

Source: https://www.sqlite.org/fileformat2.html, sections 1.3 (header), 1.5 (free list), 1.6 (b-tree pages)
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from pathlib import Path

_INTERIOR, _LEAF = 0x05, 0x0D


def orphans(path: Path, roots: Collection[int]) -> Iterator[tuple[int, int]]:
    """Pages of table rows that no table leads to and that are not free: number, and columns of the first row in it.

    Args:
        path: The database, its WAL written back.
        roots: Root pages of its tables.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        pages = _Pages(data)
        known = pages.free() | pages.below(roots)
        for number in range(2, pages.count + 1):
            if number not in known and pages.kind(number) == _LEAF and (columns := pages.columns(number)):
                yield number, columns


class _Pages:
    """The pages of a file, numbered from 1."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        size = int.from_bytes(data[16:18], "big")
        self._size = 65536 if size == 1 else max(size, 512)
        self.count = len(data) // self._size

    def kind(self, number: int) -> int:
        """The first byte of its b-tree header."""
        return self._data[self._start(number)]

    def free(self) -> set[int]:
        """The free list: pages that hold nothing, or rows that were deleted."""
        found: set[int] = set()
        trunk = int.from_bytes(self._data[32:36], "big")
        while 1 < trunk <= self.count and trunk not in found:
            found.add(trunk)
            start = (trunk - 1) * self._size
            following, leaves = self._number(start), self._number(start + 4)
            leaves = min(leaves, self._size // 4 - 2)
            found |= {self._number(start + 8 + 4 * i) for i in range(leaves)}
            trunk = following
        return found

    def below(self, roots: Collection[int]) -> set[int]:
        """Every page that these lead to, themselves among them."""
        found: set[int] = set()
        todo = list(roots)
        while todo:
            number = todo.pop()
            if not 1 <= number <= self.count or number in found:
                continue
            found.add(number)
            if self.kind(number) == _INTERIOR:
                start = self._start(number)
                todo.append(self._number(start + 8))
                todo += [self._number(cell) for cell in self._cells(number, start + 12)]
        return found

    def columns(self, number: int) -> int:
        """Of the first row of a leaf; 0 if there is no row, or none can be made out."""
        cell = next(self._cells(number, self._start(number) + 8), None)
        if cell is None:
            return 0
        try:
            _, cell = self._varint(cell)  # bytes of the record
            _, start = self._varint(cell)  # its rowid
            length, place = self._varint(start)
            columns, end = 0, start + length
            while place < end and columns <= 32767:
                _, place = self._varint(place)
                columns += 1
        except IndexError:
            return 0
        return columns if place == end else 0

    def _cells(self, number: int, pointers: int) -> Iterator[int]:
        """Offsets in the file of a page's cells."""
        start = (number - 1) * self._size
        header = self._start(number)
        count = int.from_bytes(self._data[header + 3 : header + 5], "big")
        for place in range(pointers, min(pointers + 2 * count, start + self._size - 1), 2):
            offset = int.from_bytes(self._data[place : place + 2], "big")
            if 8 <= offset < self._size - 3:
                yield start + offset

    def _varint(self, place: int) -> tuple[int, int]:
        """A number of one to nine bytes, and where the next begins."""
        value = 0
        for used in range(8):
            byte = self._data[place + used]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, place + used + 1
        return value << 8 | self._data[place + 8], place + 9

    def _number(self, place: int) -> int:
        return int.from_bytes(self._data[place : place + 4], "big")

    def _start(self, number: int) -> int:
        return 100 if number == 1 else (number - 1) * self._size
