"""The outermost 5 % of a day: a generalised Pareto tail.

Source: Pickands (1975), Annals of Statistics 3, 119-131.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

_MIN_TAIL = 60  # values of a day below which its outermost 5 % hold too few for a shape


def tail_shape(last: Array, n: Array) -> Array:
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


def tail(part: Array, shape: Array, n: Array) -> Array:
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
