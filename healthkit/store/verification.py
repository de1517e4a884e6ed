"""Is everything in the store whole? Reads all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from healthkit.errors import StoreError
from healthkit.findings import Finding, Findings, Severity
from healthkit.store.coverage import DAY_MS
from healthkit.store.journal import parse_path
from healthkit.store.journal_tables import read_journal
from healthkit.store.layout import DAMAGED, TEMPORARY, Home, Place, daily_files, raw_files, stray_files
from healthkit.store.parquet_files import LaterSchemaError, read_groups, scan
from healthkit.store.raw import Quality, read_quality
from healthkit.store.rollup_files import SCHEMA as ROLLUP_SCHEMA
from healthkit.store.tables import SCHEMA as SAMPLE_SCHEMA
from healthkit.store.tables import is_in_order, milliseconds, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.store.layout import PartFile

_REPAIR = "healthkit store repair"


def verify(home: Home) -> Findings:
    """Read every file of a store and say what is wrong with it.

    Returns:
        CRITICAL: a file that is damaged: its samples are lost, or its rollup until it is repaired. WARNING: samples
        without rollup, damaged journal lines, temporary files of a crash. UNKNOWN: a file of a later version. INFO: data
        quality (the clock went back, samples replaced, torn tails). OK: how much was read and found whole.
    """
    place = Place.open(home)
    found: list[Finding] = []
    sound: list[PartFile] = []
    for part in raw_files(place):
        problem = raw_problem(place, part)
        found.extend([problem] if problem else _quality(part.path, read_quality(place, part.path)))
        sound.extend([] if problem else [part])
    for part in daily_files(place):
        problem = rollup_problem(place, part)
        found.extend([problem] if problem else [])
        sound.extend([] if problem else [part])
    found.extend(_journals(place))
    found.extend(_strays(place))
    found.extend(_missing(place, sound))
    size = sum(part.size for part in sound)
    found.append(_finding(Severity.OK, "store", f"{len(sound)} Parquet files ({size} bytes) read and whole"))
    return Findings(found)


def raw_problem(place: Place, part: PartFile) -> Finding | None:
    """What is wrong with a file of samples; None if it is whole."""
    try:
        previous = ""
        for table in read_groups(place, part.path, SAMPLE_SCHEMA):
            samples = to_frame(table)
            problem = _misfit(samples, part, previous)
            if problem:
                return _finding(Severity.CRITICAL, part.path, problem, _REPAIR)
            previous = str(samples["host"].iloc[-1])
    except LaterSchemaError as error:
        return _finding(Severity.UNKNOWN, part.path, str(error), "use the version that wrote it")
    except StoreError as error:
        return _finding(Severity.CRITICAL, part.path, str(error), _REPAIR)
    return None


def rollup_problem(place: Place, part: PartFile) -> Finding | None:
    """What is wrong with a file of rollups; None if it is whole."""
    try:
        scan(place, [part.path], ROLLUP_SCHEMA)
    except LaterSchemaError as error:
        return _finding(Severity.UNKNOWN, part.path, str(error), "use the version that wrote it")
    except StoreError as error:
        return _finding(Severity.CRITICAL, part.path, str(error), _REPAIR)
    return None


def missing_rollups(place: Place, raw: list[PartFile], daily: list[PartFile]) -> dict[str, list[date]]:
    """Days that have samples and no rollup, by host.

    Raises:
        StoreError: A file is damaged.
    """
    table = scan(place, [part.path for part in daily], ROLLUP_SCHEMA, columns=["date", "host"]).unify_dictionaries()
    pairs = table.group_by(["date", "host"]).aggregate([])
    known = set(zip(pairs["date"].to_pylist(), pairs["host"].to_pylist(), strict=True))
    missing: dict[str, list[date]] = {}
    for part in raw:
        for host in hosts_of(place, part):
            if (part.first, host) not in known:
                missing.setdefault(host, []).append(part.first)
    return missing


def hosts_of(place: Place, part: PartFile) -> list[str]:
    """The hosts whose samples a file holds, sorted.

    Raises:
        StoreError: The file is damaged.
    """
    if part.host is not None:
        return [part.host]
    table = scan(place, [part.path], SAMPLE_SCHEMA, columns=["host"])
    return sorted(str(host) for host in pc.unique(table["host"].cast("string")).to_pylist())


def _misfit(samples: pd.DataFrame, part: PartFile, previous: str) -> str:
    """How samples break the rules of their file: one host a group, hosts ascending, sorted, of this day."""
    hosts = samples["host"].cat.categories
    if len(hosts) != 1 or hosts[0] <= previous or (part.host is not None and hosts[0] != part.host):
        return f"{part.path}: samples of {', '.join(map(repr, hosts[:3]))} where they do not belong"
    if not is_in_order(samples):
        return f"{part.path}: samples are not sorted"
    day = milliseconds(samples["ts"]) // DAY_MS
    if (day != (part.first - date(1970, 1, 1)).days).any():
        return f"{part.path}: samples of another day"
    return ""


def _quality(path: str, quality: Quality) -> Iterator[Finding]:
    seen = {
        "the clock went back {} times": quality.clock_steps,
        "{} samples were replaced by a later value for the same moment": quality.duplicates,
        "{} lines were torn by a crash and dropped": quality.torn,
        "{} damaged journal lines were set aside": quality.damaged,
    }
    for message, count in seen.items():
        if count:
            yield _finding(Severity.INFO, path, f"{path}: {message.format(count)}", value=count)


def _journals(place: Place) -> Iterator[Finding]:
    if place.directory is None:
        return
    for path in sorted((place.directory / "journal").glob("*.csv")):
        try:
            parse_path(path)
            table = read_journal(path)
        except FileNotFoundError:
            continue  # compacted meanwhile
        except StoreError as error:
            yield _finding(Severity.WARNING, str(path), str(error), "move it away, or name it as its host and day")
            continue
        if damaged := table.quality.damaged:
            message = f"{path}: {damaged} of {damaged + len(table.samples)} lines have a wrong checksum"
            hint = "the next compaction keeps them in <journal>.damaged; check the disk"
            yield _finding(Severity.WARNING, str(path), message, hint, damaged)
        yield from _quality(str(path), replace(table.quality, damaged=0))


def _strays(place: Place) -> Iterator[Finding]:
    for path in stray_files(place, TEMPORARY):
        message = f"{path}: left by a writer that was killed, or being written now"
        yield _finding(Severity.WARNING, path, message, "the next compaction removes it")
    for path in stray_files(place, DAMAGED):
        yield _finding(Severity.INFO, path, f"{path}: set aside as damaged", "delete it when nobody needs it any more")


def _missing(place: Place, sound: list[PartFile]) -> Iterator[Finding]:
    raw = [part for part in sound if "/raw/date=" in part.path]
    daily = [part for part in sound if "/daily/month=" in part.path]
    for host, days in sorted(missing_rollups(place, raw, daily).items()):
        span = f"{days[0]}" if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]}"
        yield _finding(Severity.WARNING, host, f"{host}: samples without rollup: {span}", _REPAIR, len(days))


def _finding(severity: Severity, subject: str, message: str, hint: str = "", value: float | None = None) -> Finding:
    return Finding("store", severity, subject, message, value=value, hint=hint)
