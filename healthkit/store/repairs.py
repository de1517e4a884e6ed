"""Make the store whole again: set damaged files aside, roll up again what has no rollup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import StoreError
from healthkit.findings import Finding, Findings, Severity
from healthkit.store.files import locked, replacing, sync_folder
from healthkit.store.layout import DAMAGED, Home, Place, daily_files, raw_files
from healthkit.store.verification import missing_rollups, raw_problem, rollup_problem
from healthkit.store.writing import refresh_rollup

if TYPE_CHECKING:
    from healthkit.store.layout import PartFile


def repair(home: Home) -> Findings:
    """Set damaged Parquet files aside as `<name>.damaged`, and rebuild rollups that are missing from the samples.

    Nothing is deleted but temporary files of writers that were killed. A journal needs no repair: its damaged lines are
    skipped, and kept by the compaction.

    Returns:
        What was done: WARNING for samples that are lost until somebody restores the file, INFO for the rest.

    Raises:
        StoreError: The store cannot be written, or is a bucket.
    """
    place = Place.open(home)
    if place.directory is None:
        raise StoreError(f"{home}: a bucket is repaired by putting the objects of its hosts there again")
    with locked(place):
        done = [*_aside(place), *_rebuilt(place)]
    if not done:
        done = [Finding("store", Severity.OK, "store", "nothing to repair")]
    return Findings(done)


def _aside(place: Place) -> Iterator[Finding]:
    for part in raw_files(place):
        if _is_damaged(raw_problem(place, part)):
            yield _set_aside(part, Severity.WARNING, "its samples are missing until the file is restored")
    for part in daily_files(place):
        if _is_damaged(rollup_problem(place, part)):
            yield _set_aside(part, Severity.INFO, "rolled up again, where there are samples")


def _is_damaged(problem: Finding | None) -> bool:
    return problem is not None and problem.severity is Severity.CRITICAL


def _set_aside(part: PartFile, severity: Severity, consequence: str) -> Finding:
    path = Path(part.path)
    target, number = path.with_name(path.name + DAMAGED), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.{number}{DAMAGED}")
    path.rename(target)
    sync_folder(path.parent)
    return Finding("store", severity, part.path, f"{part.path}: damaged, now {target.name}; {consequence}")


def _rebuilt(place: Place) -> Iterator[Finding]:
    for host, days in sorted(missing_rollups(place, raw_files(place), daily_files(place)).items()):
        with replacing(place) as files:
            refresh_rollup(files, host, days)
        yield Finding("store", Severity.INFO, host, f"{host}: {len(days)} days rolled up again", value=len(days))
