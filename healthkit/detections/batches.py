"""Many series at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit.detections.detectors import DETECTORS, Event, Setting
from healthkit.errors import ParameterError
from healthkit.series import check_table

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

NEEDED = 21
"""Values below which nothing is called unusual."""
PER_STEPS = 5000.0
"""The band is drawn where one value in so many would leave it."""
_BUDGET = 2.0  # events of one kind in 30 days above which they are usual
_CHUNK = 2_000_000  # values analysed at once: bounds memory to some 200 MB


def anomalies_many(values: Array, season: int, *, day: float | None = None) -> tuple[Event, ...]:
    """Events of many series at once, worst first.

    Args:
        values: (series, steps) float64 on one step, NaN = not measured. Rows with fewer than 21 values give no events.
        season: Steps of a cycle, 24 for hours and 7 for days; 1 for none.
        day: Steps of 24 hours; by default the season if it is not 7, else 1.

    Raises:
        BadSeries: Not a two-dimensional array of numbers, or infinite values.
        ParameterError: The season is no whole number of steps from 1.
    """
    import numpy as np

    from healthkit.detections.expectations import expect

    values = check_table(values)
    if not season >= 1 or season % 1:
        raise ParameterError(f"season is {season}, must be whole steps: 1 (none) or more")
    season = int(season)
    day = day or (1.0 if season == 7 else float(season))
    setting = Setting(max(1, round(day)), season, 30 * day, _BUDGET)
    rows = np.flatnonzero(np.count_nonzero(~np.isnan(values), axis=1) >= NEEDED)
    each = max(1, _CHUNK // max(1, values.shape[1]))
    found: list[Event] = []
    for first in range(0, len(rows), each):
        some = rows[first : first + each]
        part = values[some]
        expected = expect(part, season, window=window_of(season), per_steps=PER_STEPS)
        for detect in DETECTORS:
            found += (event._replace(row=int(some[event.row])) for event in detect(part, expected, setting))
    return tuple(sorted(found, key=lambda event: (-event.score, event.row, event.start, event.kind)))


def window_of(season: int) -> int:
    """Steps of the running median: three cycles."""
    return 3 * max(season, 5) + 1
