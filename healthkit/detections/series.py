"""One pandas Series, with its times."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from healthkit.detections.batches import NEEDED, anomalies_many
from healthkit.detections.results import Anomalies, Anomaly
from healthkit.errors import NotEnoughData

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.detections.detectors import Event


def anomalies(series: pd.Series[Any], *, season: int | None = None) -> Anomalies:
    """What is unusual in a series of hours or days, worst first.

    Level: running median of three cycles, beside a smooth course that what grows follows. Season: median profile of a day
    and of a week, each only if it explains days that it was not learnt from. Band: where one value in 5000 would lie, from the residuals' own tails. An event is
    told once and again only at a new maximum of 24 hours.

    Args:
        series: Values on one step (`hk.select(..., every="1h")`), aware times, oldest first. NaN = not measured.
        season: Steps of a cycle; 1 for none. By default a day for steps below a day, else a week.

    Raises:
        NotEnoughData: Fewer than 21 values.
        BadSeries: No numbers over aware, distinct, ordered times of one step.
        ParameterError: The season is no whole number of steps from 1.

    Sources:
        Seasonal profile and band after Hyndman (2021), "Detecting time series outliers"; latch after the scoring of the
        Numenta Anomaly Benchmark, Lavin and Ahmad (2015), arXiv 1510.03336.
    """
    import numpy as np
    import pandas as pd

    from healthkit.series import can_be, named, regular

    values, step = regular(series)
    name, unit = named(series)
    n = int(np.count_nonzero(~np.isnan(values)))
    if n < NEEDED:
        raise NotEnoughData(n=n, needed=NEEDED, what=f"anomalies of {name or 'the series'}")
    day = pd.Timedelta(days=1) / step
    if season is None:
        season = max(1, round(day)) if day > 1 else 7
    first = pd.DatetimeIndex(series.index)[0].tz_convert("UTC")
    events = anomalies_many(values[None], season, day=day)
    low, high = can_be(name, values)

    def when(position: int) -> datetime:
        moment: datetime = (first + position * step).to_pydatetime()
        return moment

    def told(event: Event) -> Anomaly:
        lasts = event.kind in {"gap", "flat-line"}
        factor = step.total_seconds() if lasts else 1.0
        floor, ceiling = (0.0, math.inf) if lasts else (low, high)
        return Anomaly(
            kind=event.kind,
            start=when(event.start),
            end=when(event.end),
            peak=when(event.peak),
            value=float(event.value * factor),
            lower=float(np.clip(event.lower * factor, floor, ceiling)),
            upper=float(np.clip(event.upper * factor, floor, ceiling)),
            unit="seconds" if lasts else unit,
            score=float(event.score),
        )

    return Anomalies(
        items=tuple(told(event) for event in events),
        metric=name,
        unit=unit,
        n=n,
        coverage=n / len(values),
        series=series,
        season=season,
        method=f"running median, seasonal profile of {season} steps, band from the tails of the residuals",
    )
