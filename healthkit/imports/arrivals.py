"""What an import brought, or would bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd

from healthkit.errors import SourceError
from healthkit.schema import COLUMNS

if TYPE_CHECKING:
    from healthkit.store.layout import Home

_OLDEST = pd.Timestamp("1990-01-01", tz="UTC")
_AHEAD = timedelta(days=1)
_SERIES = ["host", "metric", "device"]


@dataclass(slots=True)
class Arrivals:
    """Counts of an import; grows page by page, so that it is true of what was written when one fails."""

    dry_run: bool = False
    samples: int = 0
    """Values that were written, or would be."""
    unmeasured: int = 0
    """Values that are none: not a number, stale or infinite. They are left out, as what was not measured is."""
    repeated: int = 0
    """Values that another one for the same series and moment, further on in the source, took the place of."""
    first: datetime | None = None
    last: datetime | None = None
    series: set[tuple[str, str, str]] = field(default_factory=set)
    """Host, metric and device of each."""

    @property
    def hosts(self) -> list[str]:
        """Names, sorted."""
        return sorted({host for host, _, _ in self.series})

    @property
    def metrics(self) -> list[str]:
        """Names, sorted."""
        return sorted({metric for _, metric, _ in self.series})

    def as_dict(self) -> dict[str, Any]:
        """For JSON: counts, span, and the names."""
        return {
            "dry_run": self.dry_run,
            "samples": self.samples,
            "series": len(self.series),
            "unmeasured": self.unmeasured,
            "repeated": self.repeated,
            "first": self.first,
            "last": self.last,
            "hosts": self.hosts,
            "metrics": self.metrics,
        }

    def __str__(self) -> str:
        if not self.samples:
            return f"nothing to import: {self.unmeasured} values, none of them measured"
        span = f"{self.first:%Y-%m-%d %H:%M:%S} to {self.last:%Y-%m-%d %H:%M:%S} UTC"
        left = [f"{self.unmeasured} values left out as not measured"] * bool(self.unmeasured)
        left += [f"{self.repeated} replaced by a later one for the same moment"] * bool(self.repeated)
        would = "would import" if self.dry_run else "imported"
        what = f"{self.samples} samples of {len(self.series)} series on {len(self.hosts)} hosts"
        return "; ".join([f"{would} {what}, {span}", *left])


def bring_in(
    home: Home,
    frames: Iterable[pd.DataFrame],
    *,
    dry_run: bool = False,
    now: datetime | None = None,
    arrivals: Arrivals | None = None,
) -> Arrivals:
    """Write frames of samples into the store, each as a whole.

    Args:
        home: The directory, or `s3://bucket/prefix`.
        frames: Columns ts (aware), host, metric, device, value; counters as they were read.
        dry_run: Read everything and write nothing.
        now: Nothing can have been measured a day after it; default: the clock.
        arrivals: Where to count; what it holds after an error was written.

    Raises:
        SourceError: The source cannot be read, or holds times that cannot be right.
        StoreError: The store cannot be written.
    """
    from healthkit.store import write_samples

    arrivals = arrivals if arrivals is not None else Arrivals()
    arrivals.dry_run = dry_run
    limit = pd.Timestamp((now or datetime.now(UTC)) + _AHEAD)
    for frame in frames:
        measured = frame[np.isfinite(frame["value"].to_numpy(dtype=float))]
        _check_times(measured, limit)
        kept = measured.drop_duplicates(subset=["ts", *_SERIES], keep="last")
        if len(kept) and not dry_run:
            write_samples(home, kept)
        _count(arrivals, frame, measured, kept)
    return arrivals


def _check_times(samples: pd.DataFrame, limit: pd.Timestamp) -> None:
    for wrong in (samples[samples["ts"] < _OLDEST], samples[samples["ts"] > limit]):
        if len(wrong):
            row = wrong.iloc[0]
            raise SourceError(
                f"{row['metric']} of {row['host']} at {row['ts']:%Y-%m-%d %H:%M:%S} UTC: nothing was measured then. "
                "Are these seconds or milliseconds?"
            )


def _count(arrivals: Arrivals, frame: pd.DataFrame, measured: pd.DataFrame, kept: pd.DataFrame) -> None:
    arrivals.unmeasured += len(frame) - len(measured)
    arrivals.repeated += len(measured) - len(kept)
    if kept.empty:
        return
    arrivals.samples += len(kept)
    first, last = kept["ts"].min().to_pydatetime(), kept["ts"].max().to_pydatetime()
    arrivals.first = min(arrivals.first or first, first)
    arrivals.last = max(arrivals.last or last, last)
    arrivals.series |= set(kept[_SERIES].drop_duplicates().astype(str).itertuples(index=False, name=None))


def read_text(file: TextIO, source: str) -> str:
    """All of a text.

    Raises:
        SourceError: It is not UTF-8.
    """
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise SourceError(f"not UTF-8 text: {error}", source=source) from error


def samples_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Columns as a frame of samples: `ts` given in milliseconds since 1970 UTC.

    Raises:
        SourceError: A time lies outside what a calendar holds.
    """
    try:
        ts = pd.to_datetime(np.asarray(columns["ts"], dtype=np.int64), unit="ms", utc=True)
    except (OverflowError, ValueError) as error:
        raise SourceError(f"a time is none: {error}") from error
    return pd.DataFrame({**columns, "ts": ts})[list(COLUMNS)]
