"""Percentiles of many days from each day's 21 quantiles: the merge of the rollup's grids.

A grid says where 0, 5, ... 100 % of a day's values lie. The days' distributions, weighted by how many values each day
has, add up to the distribution of the period, and that is inverted. The mean of daily p95s is not the p95 of the period:
it is off by tens of rank points when one day is busier than the others.

Between two points of a grid values are taken as evenly spread, but for values that many samples share (zeros), which
take half of the bins beside them, and for rounded ones, which the result is one of; in the outermost 5 % as a
generalised Pareto tail through the 90 %, the 95 % point and the extreme, so that a p99 is not pulled towards one spike.
Source: Pickands (1975), Annals of Statistics 3, 119-131.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Counts = np.ndarray[Any, np.dtype[np.intp]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

POINTS = 21
"""Quantiles of a grid: 0, 0.05, ... 1."""
_BINS = POINTS - 1
_ROUNDING = 1e-12  # a share is a sum of hundreds of parts
_DIGITS = 6  # after the point, that collectors round to at most
_ROUNDED = 0.5  # share of rounded points from which a series is one of rounded values: quantiles may lie between two
_FEW_STEPS = 1000  # within a day: each of them holds several samples
_MIN_TAIL = 60  # values of a day below which its outermost 5 % hold too few for a shape


def merge_grids(q: Array, n: Array, at: Array) -> tuple[Array, Array, Array]:
    """Percentiles of the union of days.

    Args:
        q: Grids, (k, 21) or (series, k, 21), each row ascending. Rows with `n` 0 are ignored and may be NaN.
        n: How many values each grid stands for, (k,) or (series, k).
        at: Percentiles asked for, 0 to 100, (t,).

    Returns:
        Values, expected error, and greatest possible error, each (t,) or (series, t). Errors are in rank points: the
        share of values below is off by so many per cent. The expected error holds for 19 of 20 smooth distributions,
        the greatest for every one. NaN where a series has no values.

    Raises:
        ParameterError: Shapes do not fit, a percentile is outside 0 to 100, or a grid is not ascending.
    """
    import numpy as np

    q, n, at = (np.asarray(part, dtype=np.float64) for part in (q, n, at))
    if q.ndim == 2:
        values, error, bound = merge_grids(q[None], n[None], at)
        return values[0], error[0], bound[0]
    _check(q, n, at)
    series, days, _ = q.shape
    out = np.full((3, series, at.size), np.nan)
    chunk = max(1, 4_000_000 // max(1, days * POINTS * at.size))  # bounds memory to some 100 MB
    for first in range(0, series, chunk):
        part = slice(first, first + chunk)
        some = np.flatnonzero(n[part].sum(axis=1) > 0)
        if some.size and at.size:
            out[:, first + some] = _merge(q[part][some], n[part][some], at / 100)
    return out[0], out[1], out[2]


def _check(q: Array, n: Array, at: Array) -> None:
    import numpy as np

    if q.ndim != 3 or q.shape[2] != POINTS or n.shape != q.shape[:2] or at.ndim != 1:
        raise ParameterError(f"grids {q.shape}, counts {n.shape}, percentiles {at.shape}: want (k, 21), (k,), (t,)")
    if not ((at >= 0) & (at <= 100)).all():
        raise ParameterError(f"percentiles {at.tolist()}: each must be between 0 and 100")
    if not ((n >= 0) & np.isfinite(n)).all():
        raise ParameterError("the counts of the grids must be finite and not negative")
    grids = q[n > 0]
    if not (np.isfinite(grids).all() and (np.diff(grids, axis=1) >= 0).all()):
        raise ParameterError("a grid is not ascending, or has gaps")


def _merge(q: Array, n: Array, p: Array) -> tuple[Array, Array, Array]:
    """(values, error, bound), each (series, t); every series has values."""
    import numpy as np

    days = _Days(np.where(n[..., None] > 0, q, np.inf), n)
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


class _Days:
    """The days' distributions, and their weighted sum at any value; arrays are (series, days, percentiles)."""

    def __init__(self, q: Array, n: Array) -> None:
        import numpy as np

        self.q = q
        self.n = n[:, :, None]
        self.weight = self.n / n.sum(axis=1)[:, None, None]
        real = np.where(self.n > 0, q, 0.0)
        there = n > 0
        self.step = _step(real, there)
        self.low = np.min(np.where(there, real[..., 0], np.inf), axis=1)
        self.high = np.max(np.where(there, real[..., -1], -np.inf), axis=1)
        daily = ((real[..., -1] - real[..., 0]) * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        steps = np.divide(daily, self.step, out=np.full(len(q), np.inf), where=self.step > 0)
        self.shared = _shared(real, steps)
        self.first = _tail_shape(-real[..., 2::-1], n)[..., None]
        self.last = _tail_shape(real[..., -3:], n)[..., None]

    def rounded(self, x: Array) -> Array:
        """The nearest value that there can be."""
        import numpy as np

        step = self.step[:, None]
        near = np.round(np.round(x / np.where(step > 0, step, 1)) * step, _DIGITS)
        return np.where(step > 0, near.clip(self.low[:, None], self.high[:, None]), x)

    def find(self, x: Array) -> Counts:
        """How many points of each day's grid are not above x (series, percentiles)."""
        found: Counts = (self.q[:, :, None, :] <= x[:, None, :, None]).sum(axis=-1)
        return found

    def parts(self, x: Array, found: Counts) -> tuple[Counts, Array, Array]:
        """Each day's bin that holds x; the share of that bin up to x, evenly spread; and with its true shape."""
        import numpy as np

        bins = np.clip(found - 1, 0, _BINS - 1)
        low, high = np.take_along_axis(self.q, bins, axis=2), np.take_along_axis(self.q, bins + 1, axis=2)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            even = ((x[:, None, :] - low) / (high - low)).clip(0.0, 1.0)
        part = self.bend(bins, even)
        # Of a bin beside a value that many samples share, half is that value.
        below, above = (np.take_along_axis(shared, bins, axis=2) / 2 for shared in self.shared)
        part = below + part * (1 - below - above)
        outside = np.where(found == 0, 0.0, 1.0)
        beyond = (found == 0) | (found == POINTS)
        return bins, np.where(beyond, outside, even), np.where(beyond, outside, part)

    def bend(self, bins: Counts, part: Array) -> Array:
        """The share of the bin, with the shape of the tails."""
        import numpy as np

        first, last = bins == 0, bins == _BINS - 1
        if first.any():
            part = np.where(first, 1 - _tail(1 - part, self.first, self.n), part)
        return np.where(last, _tail(part, self.last, self.n), part) if last.any() else part

    def share(self, x: Array, found: Counts | None = None) -> Array:
        """Share of all values up to x."""
        bins, _, part = self.parts(x, self.find(x) if found is None else found)
        share: Array = (self.weight * (bins + part)).sum(axis=1) / _BINS
        return share

    def error(self, x: Array, p: Array) -> tuple[Array, Array]:
        """How far p may be from the ranks that x has: for smooth days, and at most."""
        import numpy as np

        found = self.find(x)
        bins, even, part = self.parts(x, found)
        least = (self.weight * np.where(found == POINTS, _BINS, bins)).sum(axis=1) / _BINS
        strictly = np.minimum((self.q[:, :, None, :] < x[:, None, :, None]).sum(axis=-1), _BINS)
        most = (self.weight * strictly).sum(axis=1) / _BINS
        atom = np.take_along_axis(self.shared[0], bins, axis=2) * (found > 0) * (found < POINTS)
        bridge = self.weight**2 * (even * (1 - even) / np.maximum(self.n, 1) / _BINS + atom / 12 / _BINS**2)
        curve = self.weight * (even * (1 - even) / 3 + np.abs(part - even) * (1 - atom) / 2) / _BINS
        error = 2 * np.sqrt(bridge.sum(axis=1)) + curve.sum(axis=1)
        return error, np.maximum(np.maximum(most - p, p - least), 0.0)


def _shared(q: Array, steps: Array) -> Array:
    """For the lower and the upper end of each bin: 1 if many samples share that value, else 0; (2, series, days, bins).

    Shared are values that have a twin in the grid, and all of few steps of rounding, but for the tails, whose shape tells
    more.

    Args:
        q: Grids.
        steps: How many steps of rounding lie between the least and the greatest value of a usual day, (series,).
    """
    import numpy as np

    twin = np.diff(q) == 0
    shared = np.zeros((2, *twin.shape))
    shared[0, ..., 1:] = twin[..., :-1]
    shared[1, ..., :-1] = twin[..., 1:]
    shared[..., 1:-1] = np.maximum(shared[..., 1:-1], (steps <= _FEW_STEPS)[:, None, None])
    return shared


def _step(q: Array, there: Mask) -> Array:
    """The power of ten that nearly all values of a series are multiples of, 1 to 1e-6; 0 where there is none.

    Collectors round; between two steps there are no values, and a percentile there would have the rank of the lower.
    """
    import numpy as np

    step = np.zeros(len(q))
    there = there[..., None] & (q != 0)  # zero fits every step
    points = there.sum(axis=(1, 2))
    for digits in range(_DIGITS, -1, -1):
        scaled = q * 10.0**digits
        whole = (np.abs(scaled - np.round(scaled)) < 1e-6 * np.maximum(1, np.abs(scaled) * 1e-6)) & there
        step = np.where(whole.sum(axis=(1, 2)) > _ROUNDED * points, 10.0**-digits, step)
    return step


def _tail_shape(last: Array, n: Array) -> Array:
    """Shape of the generalised Pareto tail through the 90, 95 and 100 % points *last* (..., 3); -1 is evenly spread."""
    import numpy as np

    inner, outer = last[..., 1] - last[..., 0], last[..., 2] - last[..., 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(inner > 0, outer / inner, np.where(outer > 0, np.inf, 1.0))
    least = np.log(1 / np.maximum(0.05 * n, 2))
    low, high = np.full(n.shape, -1.0), np.full(n.shape, 2.0)
    for _ in range(30):
        shape = _off_zero((low + high) / 2)
        start = np.expm1(shape * np.log(20.0)) - np.expm1(shape * np.log(10.0))
        want = (np.expm1(shape * (np.log(20.0) - least)) - np.expm1(shape * np.log(20.0))) / start
        low, high = np.where(want < ratio, shape, low), np.where(want < ratio, high, shape)
    return np.where(n >= _MIN_TAIL, (low + high) / 2, -1.0)


def _tail(part: Array, shape: Array, n: Array) -> Array:
    """Share of an outermost bin's values within *part* of its width."""
    import numpy as np

    shape = _off_zero(shape)
    least = 1 / np.maximum(0.05 * n, 2)
    grown = part * np.expm1(-shape * np.log(least))
    return np.clip(-np.expm1(-np.log1p(grown) / shape) / (1 - least), 0.0, 1.0)


def _off_zero(shape: Array) -> Array:
    """The formulas divide by the shape; its limit at zero is the exponential tail, which 1e-6 is close enough to."""
    import numpy as np

    return np.where(np.abs(shape) < 1e-6, 1e-6, shape)
