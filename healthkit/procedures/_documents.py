"""Documents under the runbook's names: whole or not there, in a folder that is made where it is missing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from healthkit.files import write_atomically
from healthkit.periods import Period


def keep(home: Path, cadence: str, name: str, content: str) -> Path:
    """Write `HOME/reports/<cadence>/<name>`; returns where.

    Raises:
        OSError: It cannot be written; an older document is as it was.
    """
    folder = home / "reports" / cadence
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    write_atomically(path, content)
    return path


def month_later(moment: datetime) -> datetime:
    """The same day and time of the next month, or its last day where it has no such day.

    >>> from datetime import UTC
    >>> month_later(datetime(2026, 1, 31, 1, tzinfo=UTC)).isoformat()
    '2026-02-28T01:00:00+00:00'
    """
    following = Period.of("monthly", moment).next()
    return moment.replace(year=following.start.year, month=following.start.month, day=min(moment.day, following.days))
