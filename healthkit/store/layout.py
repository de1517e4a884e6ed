"""Where everything lies under a home: folders, partitions, file names, on a disk or in a bucket.

A file is named by the host whose rows it holds, percent-encoded as in the journal, so the metrics of several homes merge
by copying them together. A part made of many hosts has a `+` in its name, which an encoded host never has.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow.fs as pafs

from healthkit.errors import ParameterError, StoreError
from healthkit.store.journal import parse_path

Home = str | os.PathLike[str]
"""A directory, or `s3://bucket/prefix` (anything `pyarrow.fs.FileSystem.from_uri` understands)."""

SUFFIX = ".parquet"
TEMPORARY = ".tmp"
DAMAGED = ".damaged"
MANY_HOSTS = "+"


@dataclass(frozen=True, slots=True)
class Place:
    """A home, opened."""

    filesystem: Any
    """`pyarrow.fs.FileSystem`"""
    root: str
    """Path of `HOME/metrics` on that file system."""
    directory: Path | None
    """`HOME/metrics` on this machine's disk; None for a bucket, which has no journal."""

    @classmethod
    def open(cls, home: Home) -> Place:
        """The place of a home; nothing is created.

        Raises:
            StoreError: No file system is named so.
        """
        text = os.fspath(home)
        if "://" not in text:
            directory = Path(text).absolute() / "metrics"
            return cls(pafs.LocalFileSystem(), str(directory), directory)
        try:
            filesystem, root = pafs.FileSystem.from_uri(text)
        except (OSError, ValueError) as error:
            raise StoreError(f"{text}: {error}") from error
        return cls(filesystem, f"{root.rstrip('/')}/metrics", None)

    def listing(self, folder: str) -> list[Any]:
        """`pyarrow.fs.FileInfo` of what is in a folder below the root, by name; empty where there is no folder.

        Raises:
            StoreError: The bucket does not exist or is out of reach: not the same as empty.
        """
        selector = pafs.FileSelector(f"{self.root}/{folder}", allow_not_found=True)
        try:
            found = self.filesystem.get_file_info(selector)
            bucket = self.root.partition("/")[0]
            if not found and self.directory is None and not self._exists(bucket):
                raise StoreError(f"{bucket}: there is no such bucket")
        except OSError as error:
            raise StoreError(f"{self.root}/{folder}: cannot be listed: {error}") from error
        return sorted(found, key=lambda info: str(info.base_name))

    def _exists(self, path: str) -> bool:
        return bool(self.filesystem.get_file_info(path).type != pafs.FileType.NotFound)

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return bool(self.filesystem.get_file_info(path).type == pafs.FileType.File)


@dataclass(frozen=True, slots=True)
class PartFile:
    """A Parquet file of the store."""

    path: str
    first: date
    """The day that it holds, or the first day of its month."""
    host: str | None
    """None: it holds many hosts."""
    size: int
    """Bytes."""


def raw_path(place: Place, host: str, day: date) -> str:
    """Where the samples of *host* on *day* lie."""
    return f"{place.root}/raw/date={day.isoformat()}/{file_name(host)}{SUFFIX}"


def daily_path(place: Place, host: str, month: date) -> str:
    """Where the rollup of *host* in the month of the day *month* lies."""
    return f"{place.root}/daily/month={month:%Y-%m}/{file_name(host)}{SUFFIX}"


def file_name(host: str) -> str:
    """A host's name as a file's.

    Raises:
        ParameterError: It is empty.
    """
    if not host:
        raise ParameterError("a sample needs the name of its host")
    return quote(host, safe="")


def raw_files(
    place: Place, *, first: date = date.min, last: date = date.max, hosts: Collection[str] | None = None
) -> list[PartFile]:
    """The files that can hold samples of *hosts* from *first* to *last*, both included.

    In order of precedence: where two hold the same sample, the later file has the newer value.
    """
    return [part for part in _parts(place, "raw", "date=", hosts) if first <= part.first <= last]


def daily_files(
    place: Place, *, first: date = date.min, last: date = date.max, hosts: Collection[str] | None = None
) -> list[PartFile]:
    """The files that can hold rollups of *hosts* from *first* to *last*, both included."""
    month = first.replace(day=1)
    return [part for part in _parts(place, "daily", "month=", hosts) if month <= part.first <= last]


def _parts(place: Place, table: str, prefix: str, hosts: Collection[str] | None) -> Iterator[PartFile]:
    for folder in place.listing(table):
        first = _first_day(folder.base_name.removeprefix(prefix)) if folder.base_name.startswith(prefix) else None
        if first is None:
            continue
        files = [info for info in place.listing(f"{table}/{folder.base_name}") if info.base_name.endswith(SUFFIX)]
        for info in sorted(files, key=lambda info: (MANY_HOSTS not in info.base_name, info.base_name)):
            name = info.base_name.removesuffix(SUFFIX)
            host = None if MANY_HOSTS in name else unquote(name)
            if hosts is None or host is None or host in hosts:
                yield PartFile(info.path, first, host, info.size or 0)


def _first_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError:
        return None


def journals(
    place: Place, *, first: date = date.min, last: date = date.max, hosts: Collection[str] | None = None
) -> list[Path]:
    """The journals of *hosts* from *first* to *last*, both included, by name."""
    if place.directory is None:
        return []
    found = []
    for path in sorted((place.directory / "journal").glob("*.csv")):
        try:
            host, day = parse_path(path)
        except StoreError:
            continue  # somebody else's file: `verify` names it
        if first <= day <= last and (hosts is None or host in hosts):
            found.append(path)
    return found


def stray_files(place: Place, suffix: str) -> list[str]:
    """Temporary or damaged files in the folders of the store."""
    if place.directory is None:
        return []
    return sorted(str(path) for path in place.directory.glob(f"**/*{suffix}"))
