"""Percentiles of the samples of several hosts, as `hk.load` returns them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from healthkit.errors import BadSeries, ParameterError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]

_COLUMNS = ("ts", "host", "metric", "device", "value")


def tidy(data: pd.DataFrame) -> tuple[pd.DataFrame, str, float]:
    """The measured samples in order of host, device and time, the name of their metric, and their coverage.

    Raises:
        ParameterError: A column is missing, or there are several metrics.
        BadSeries: A series of them is not numbers over aware, distinct times, or is of nobody.
    """
    import numpy as np
    import pandas as pd

    from healthkit.series import check_series, coverage

    missing = [name for name in _COLUMNS if name not in data.columns]
    if missing:
        raise ParameterError(f"not a table of samples: column {', '.join(missing)} is missing")
    if data[["host", "metric", "device"]].isna().any(axis=None):
        raise BadSeries("a host, metric or device is missing: an empty text is what says that there is none")
    names = sorted({str(name) for name in data["metric"].unique()})
    if len(names) > 1:
        raise ParameterError(f"percentiles of one metric at a time, not of {', '.join(names[:5])}")
    data = data.sort_values(["host", "device", "ts"], kind="stable")
    shares = []
    for (host, device), part in data.groupby(["host", "device"], observed=True):
        try:
            series = check_series(pd.Series(part["value"].to_numpy(), pd.DatetimeIndex(part["ts"])))
        except ValueError as error:  # pandas' of times that are none, and BadSeries, which is one
            raise BadSeries(f"{' '.join(filter(None, (str(host), str(device))))}: {error}") from None
        shares.append(coverage(series))
    return data.dropna(subset="value"), names[0] if names else "", float(np.mean(shares)) if shares else 0.0


def by_column(data: pd.DataFrame, column: str) -> Iterator[tuple[str, Array]]:
    """The values of each host, or of each device."""
    for name, part in data.groupby(column, observed=True, sort=True):
        yield str(name), part["value"].to_numpy(dtype=float)
