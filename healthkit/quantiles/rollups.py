"""Percentiles of a period from the rollup: the days' grids are merged, their percentiles are never averaged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from healthkit.errors import NotEnoughData, ParameterError
from healthkit.quantiles.results import Percentile, Percentiles, needed, too_few, wanted_of
from healthkit.schema import rate_unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]


def merge(
    rollup: pd.DataFrame, q: Sequence[float] = (50, 90, 95, 99), *, by: Literal["host", "device"] | None = None
) -> Percentiles:
    """Percentiles of a period from the rollup's daily grids; daily percentiles are never averaged.

    Args:
        rollup: Rows of one metric as `load_rollup` returns them: columns metric, host, device, n, coverage, q; and mean, which
            tells how many a day's rare events are: without it their percentiles have a great `error`.
        q: Percentiles, between 0 and 100.
        by: One group for each host or device; without it all rows are pooled.

    Returns:
        Values with `error` in rank points; `lower` and `upper` are where the rank may be that far off.

    Raises:
        NotEnoughData: No values, or too few for every one of *q*.
        ParameterError: A column is missing, several metrics, an unknown *by*, or a percentile outside 0 to 100.
    """
    if by not in {None, "host", "device"}:
        raise ParameterError(f"by={by!r}: one of host, device")
    missing = {"metric", "n", "q", "coverage", *([by] if by else [])} - set(rollup.columns)
    if missing:
        raise ParameterError(f"not a rollup: column {', '.join(sorted(missing))} is missing")
    wanted = wanted_of(q)
    rollup = rollup[rollup["n"] > 0]
    names = sorted(set(rollup["metric"]))
    if len(names) > 1:
        raise ParameterError(f"percentiles of one metric at a time, not of {', '.join(names[:5])}")
    total, least = int(rollup["n"].sum()), min(needed(one) for one in wanted)
    if total < least:
        raise NotEnoughData(n=total, needed=least, what=f"percentiles of {names[0] if names else 'the period'}")
    groups = [(str(key), part) for key, part in rollup.groupby(by, sort=True)] if by else [("", rollup)]
    return Percentiles(
        rows=tuple(row for group, part in groups for row in _merged(group, part, wanted)),
        metric=names[0],
        unit=rate_unit(names[0]),
        n=total,
        coverage=float(rollup["coverage"].mean()),
        by=by or "",
        method="merged from daily 21-point quantile grids",
    )


def _merged(group: str, part: pd.DataFrame, wanted: tuple[float, ...]) -> Iterator[Percentile]:
    import numpy as np

    from healthkit.grids import merge_grids

    grids, n = (
        np.stack([np.asarray(grid, dtype=np.float64) for grid in part["q"]]),
        part["n"].to_numpy(dtype=np.float64),
    )
    mean = part["mean"].to_numpy(dtype=np.float64) if "mean" in part else None
    at = np.array(wanted)
    values, errors, _ = merge_grids(grids, n, at, mean=mean)
    lower = merge_grids(grids, n, np.maximum(at - errors, 0), mean=mean)[0]
    upper = merge_grids(grids, n, np.minimum(at + errors, 100), mean=mean)[0]
    total = int(n.sum())
    for index, q in enumerate(wanted):
        if total < needed(q):
            yield Percentile(group, q, math.nan, -math.inf, math.inf, total, unknown=too_few(total, q))
            continue
        ends = float(lower[index]), float(upper[index])
        yield Percentile(group, q, float(values[index]), *ends, total, error=float(errors[index]))
