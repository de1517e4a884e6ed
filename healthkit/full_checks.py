"""Full checks as they are kept: every one in health.db, and the last one of each day as a file.

The file is `HOME/reports/daily/daily-YYYYMMDD.json` (the day in UTC), the runbook's name for it: tools that read it go on
working, and it is what is left of the last check while health.db cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from healthkit.errors import StoreError
from healthkit.files import write_atomically
from healthkit.jsons import plain
from healthkit.state import State

STALE = timedelta(hours=26)
"""Age from which the last full check says nothing of now: a daily one, and two hours."""
_AHEAD = timedelta(minutes=-5)
"""How far its clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class FullCheck:
    """A full check that was kept."""

    at: datetime
    """When it was made, UTC."""
    report: Mapping[str, Any]
    """The JSON of `healthkit check --format json`."""

    @property
    def score(self) -> float | None:
        """0 to 100; None where somebody else wrote something else."""
        score = self.report.get("overall_score")
        return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None

    def speaks_of(self, now: datetime) -> bool:
        """Whether it is young enough to say something of *now*."""
        return _AHEAD <= now - self.at <= STALE


def keep(home: Path, report: Mapping[str, Any], *, here: bool = True, now: datetime | None = None) -> None:
    """Keep a full check.

    Args:
        home: The home.
        report: The JSON of the contract.
        here: Whether it is of the machine that this runs on; the daily file speaks of no other.
        now: When it was made, UTC.

    Raises:
        StoreError: It could be kept neither in the database nor in the spool.
        OSError: The file could not be written.
    """
    now = now or datetime.now(UTC)
    with State(home, timeout=1) as state:  # in the spool it is as safe
        state.record_health_report(report, now=now)
    if here:
        folder = home / "reports" / "daily"
        folder.mkdir(parents=True, exist_ok=True)
        body = json.dumps(plain(report), indent=2, ensure_ascii=False)
        write_atomically(folder / f"daily-{now.astimezone(UTC):%Y%m%d}.json", f"{body}\n")


def last(home: Path, host: str) -> FullCheck | None:
    """The newest full check of a host; None if there is none that can be read."""
    if not (home / "health.db").exists():
        return _of_file(home, host)
    with State(home, timeout=0.1) as state:  # whoever asks wants to know now, and the file knows nearly as much
        try:
            row = state.last_health_report(host)
        except StoreError:
            return _of_file(home, host)
    if row is None or row["ts"] is None or not isinstance(row["report"], Mapping):
        return _of_file(home, host)
    return FullCheck(row["ts"], row["report"])


def _of_file(home: Path, host: str) -> FullCheck | None:
    for path in sorted((home / "reports" / "daily").glob("daily-[0-9]*.json"), reverse=True):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            at = datetime.fromisoformat(report["timestamp"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # somebody else's, or damaged: the day before says more than nothing
        if report.get("host") == host and at.tzinfo is not None:
            return FullCheck(at, report)
    return None
