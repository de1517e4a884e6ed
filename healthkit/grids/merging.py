"""Percentiles of the union of days: the days' distributions are added up, and the sum is inverted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit.errors import ParameterError
from healthkit.grids.days import POINTS, Days

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

_ROUNDING = 1e-12  # a share is a sum of hundreds of parts


def merge_grids(q: Array, n: Array, at: Array, *, mean: Array | None = None) -> tuple[Array, Array, Array]:
    """Percentiles of the union of days.

    Args:
        q: Grids, (k, 21) or (series, k, 21), each row ascending. Rows with `n` 0 are ignored and may be NaN.
        n: How many values each grid stands for, (k,) or (series, k).
        at: Percentiles asked for, 0 to 100, (t,).
        mean: Mean of the values of each grid, (k,) or (series, k): tells how many a day's rare values are.

    Returns:
        Values, expected error, and greatest possible error, each (t,) or (series, t). Errors are in rank points: the
        share of values below is off by so many per cent. The expected error holds for 19 of 20 smooth distributions,
        the greatest for every one. NaN where a series has no values. Where it depends on how many samples
        share one value, and no mean tells it, the expected error is the greatest.

    Raises:
        ParameterError: Shapes do not fit, a percentile is outside 0 to 100, or a grid is not ascending.
    """
    import numpy as np

    q, n, at = (np.asarray(part, dtype=np.float64) for part in (q, n, at))
    mean = np.full(n.shape, np.nan) if mean is None else np.asarray(mean, dtype=np.float64)
    if q.ndim == 2:
        values, error, bound = merge_grids(q[None], n[None], at, mean=mean[None])
        return values[0], error[0], bound[0]
    _check(q, n, at, mean)
    series, days, _ = q.shape
    out = np.full((3, series, at.size), np.nan)
    chunk = max(1, 4_000_000 // max(1, days * POINTS * at.size))  # bounds memory to some 100 MB
    for first in range(0, series, chunk):
        part = slice(first, first + chunk)
        some = np.flatnonzero(n[part].sum(axis=1) > 0)
        if some.size and at.size:
            out[:, first + some] = _merge(q[part][some], n[part][some], mean[part][some], at / 100)
    return out[0], out[1], out[2]


def _check(q: Array, n: Array, at: Array, mean: Array) -> None:
    import numpy as np

    if q.ndim != 3 or q.shape[2] != POINTS or n.shape != q.shape[:2] or mean.shape != n.shape or at.ndim != 1:
        raise ParameterError(f"grids {q.shape}, counts {n.shape}, percentiles {at.shape}: want (k, 21), (k,), (t,)")
    if not ((at >= 0) & (at <= 100)).all():
        raise ParameterError(f"percentiles {at.tolist()}: each must be between 0 and 100")
    if not ((n >= 0) & np.isfinite(n)).all():
        raise ParameterError("the counts of the grids must be finite and not negative")
    grids = q[n > 0]
    if not (np.isfinite(grids).all() and (np.diff(grids, axis=1) >= 0).all()):
        raise ParameterError("a grid is not ascending, or has gaps")


def _merge(q: Array, n: Array, mean: Array, p: Array) -> tuple[Array, Array, Array]:
    """(values, error, bound), each (series, t); every series has values."""
    import numpy as np

    days = Days(np.where(n[..., None] > 0, q, np.inf), n, mean)
    points = np.sort(days.q.reshape(len(q), -1), axis=1)
    low = np.zeros((len(q), p.size), dtype=np.intp)
    high = np.repeat((n > 0).sum(axis=1)[:, None] * POINTS - 1, p.size, axis=1)
    while (low < high).any():
        middle = (low + high) // 2
        enough = days.share(np.take_along_axis(points, middle, axis=1)) >= p - _ROUNDING
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    right = np.take_along_axis(points, high, axis=1)
    left = np.take_along_axis(points, np.maximum(high - 1, 0), axis=1)
    bins = days.find(left)
    for _ in range(30):
        middle = left + (right - left) / 2
        enough = days.share(middle, bins) >= p - _ROUNDING
        left, right = np.where(enough, left, middle), np.where(enough, middle, right)
    values = days.rounded(right)
    error, bound = days.error(values, p)
    return values, 100 * np.minimum(error, bound), 100 * bound
