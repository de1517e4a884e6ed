"""Are the stored samples readable? The newest files first, as far as a few seconds reach.

`healthkit store verify` reads all of them, and everything else that a store consists of.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable
from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "operations"

SECONDS = 1.0
"""Time that reading may take: the other checks share the processor."""


def check(context: Context) -> Iterator[Finding]:
    """Every checksum of the newest files of statistics and samples."""
    if not (context.home / "metrics").exists():
        yield not_applicable("store", "store", "nothing has been stored yet")
        return
    from healthkit.store.layout import Place, daily_files, raw_files
    from healthkit.store.verification import raw_problem, rollup_problem

    place = Place.open(context.home)
    parts = [(part, rollup_problem) for part in daily_files(place)] + [(part, raw_problem) for part in raw_files(place)]
    parts.sort(key=lambda pair: pair[0].first, reverse=True)
    if not parts:
        yield not_applicable("store", "store", "no day is complete yet: all samples lie in journals")
        return
    until = time.monotonic() + min(SECONDS, context.remaining / 3)
    wrong = read = 0
    for part, problem in parts:
        if read and time.monotonic() > until:
            break
        read += 1
        if finding := problem(place, part):
            wrong += 1
            yield replace(finding, check="store")
    if not wrong:
        newest = "" if read == len(parts) else ", the newest"
        message = f"{read} of {len(parts)} Parquet files read{newest}: all whole"
        evidence = {"read": read, "files": len(parts), "threshold": 0, "source": str(context.home / "metrics")}
        yield Finding("store", Severity.OK, "store", message, value=0.0, evidence=evidence)
