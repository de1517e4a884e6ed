"""What can run out, and its daily values in a rollup."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]


class Resource(NamedTuple):
    """Something that can run out."""

    metric: str
    how: str
    """Which number of a day: `max` of what fills, `p95` of what is busy."""
    limit: str
    """Its key in `config.Limits`, and the name of the check that judges it as it is now."""
    remedy: str
    """What to do before it runs out; `{}` is the device."""


RESOURCES = (
    Resource("disk_used_ratio", "max", "disk", "Free space or enlarge {} before that."),
    Resource("inodes_used_ratio", "max", "inodes", "Remove files from {} or give it more inodes before that."),
    Resource("memory_used_ratio", "p95", "memory", "Look for leaks, or add memory, before that."),
    Resource("swap_used_ratio", "p95", "swap", "Look for leaks, or add memory, before that."),
    Resource("cpu_busy_ratio", "p95", "cpu", "Scale or tune before that."),
    Resource("http_response_seconds", "p95", "response_seconds", "See what {} waits for before that."),
)


class Histories(NamedTuple):
    """Daily values of every series that has a limit."""

    keys: list[tuple[str, str, Resource]]
    """Host, device, resource."""
    past: Array
    """(series, days), oldest first, NaN = not measured."""


def daily(rollup: pd.DataFrame, start: datetime) -> Histories:
    """The daily values in a rollup, of whole days before *start*; a series that began since has none.

    Raises:
        ParameterError: A column is missing.
    """
    import numpy as np
    import pandas as pd

    missing = {"date", "host", "metric", "device", "n", "max", "q"} - set(rollup.columns)
    if missing:
        raise ParameterError(f"not a rollup: column {', '.join(sorted(missing))} is missing")
    of = {resource.metric: resource for resource in RESOURCES}
    part = rollup[rollup["metric"].isin(of) & (rollup["n"] > 0)]
    if part.empty:
        return Histories([], np.empty((0, 1)))
    names = part[["host", "device", "metric"]].astype(str)
    code, unique = pd.factorize(pd.MultiIndex.from_frame(names))
    day = (pd.Timestamp(start) - part["date"]).dt.days.to_numpy()
    percentile = np.array([of[name].how == "p95" for name in names["metric"]])
    p95 = np.array([grid[19] for grid in part["q"]], dtype=float)
    values = np.where(percentile, p95, part["max"].to_numpy(dtype=float))
    whole = day > 0  # a series of which there is only today has a row, and no values
    past = np.full((len(unique), max(int(day.max()), 1)), np.nan)
    past[code[whole], -day[whole]] = values[whole]
    return Histories([(host, device, of[metric]) for host, device, metric in unique], past)
