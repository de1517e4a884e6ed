"""What a series was expected to be at every step: seasonal profile, slow level, and a band that its own tails draw.

Everything is robust (medians), so that an anomaly hardly moves what it is judged against, and two-sided: this looks back
at a period, it does not page anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

_TAIL_SHAPE = 0.1  # generalised Pareto shape of residuals: heavier than exponential, as server metrics are
_HEAVIEST = 0.65  # (98 % - 95 %) over (95 % - 75 %) of a Student's t with 4 degrees of freedom is 0.62
_GAIN = 0.9  # a season must shrink the residuals of cycles it was not learnt from to this share,
_GAIN_RARE = 0.7  # or the largest 3 % of them to this


@dataclass(frozen=True)
class Expectation:
    """Arrays (series, steps)."""

    middle: Array
    """Level plus seasonal profile."""
    below: Array
    """How far below the middle the band reaches, (series,)."""
    above: Array
    """How far above the middle the band reaches, (series,)."""
    flat: Array
    """Values without their seasonal profile; gaps filled by interpolation."""
    residual: Array
    """Values minus the middle; NaN = not measured."""


def expect(values: Array, season: int, *, window: int, per_steps: float) -> Expectation:
    """The expectation for every series of a batch.

    Args:
        values: (series, steps), NaN = not measured; every row has values.
        season: Steps of a cycle; 1 for none. A second cycle of seven times that is tried as well: the week.
        window: Steps of the running median that is the level.
        per_steps: The band is drawn where one value in so many steps would leave it.
    """
    import numpy as np

    filled = _fill(values)
    level = running_median(filled, window)
    profile = np.zeros_like(filled)
    for cycle in (season * 7, season) if season > 1 and season != 7 else (season,):
        profile = _better(profile, values - level, cycle)
    flat = filled - profile
    level = running_median(flat, window)
    residual = values - profile - level
    below, above = _tail(-residual, per_steps), _tail(residual, per_steps)
    least = np.maximum(np.maximum(below, above) / 4, 1e-9 * np.nanmax(np.abs(values), axis=1))
    below, above = np.maximum(below, least), np.maximum(above, least)
    middle = level + profile
    return Expectation(middle, below, above, flat, residual)


def running_median(values: Array, window: int) -> Array:
    """Median of the *window* steps around each; mirrored at the ends."""
    import numpy as np
    from scipy.ndimage import median_filter

    size = max(1, min(window, 2 * values.shape[1] - 1) // 2 * 2 + 1)
    return np.stack([median_filter(row, size, mode="mirror") for row in values]) if size > 1 else values.copy()


def _fill(values: Array) -> Array:
    """Gaps interpolated, ends carried outwards."""
    import numpy as np

    filled = values.copy()
    steps = np.arange(values.shape[1])
    for row in np.flatnonzero(np.isnan(values).any(axis=1)):
        there = ~np.isnan(values[row])
        filled[row] = np.interp(steps, steps[there], values[row, there])
    return filled


def _better(profile: Array, residual: Array, cycle: int) -> Array:
    """The profile of *cycle* for series that it explains better than the profile they have."""
    import numpy as np

    count, steps = residual.shape
    cycles = -(-steps // cycle)
    if cycle < 2 or steps < 3 * cycle:
        return profile
    padded = np.full((count, cycles * cycle), np.nan)
    padded[:, :steps] = residual
    folded = padded.reshape(count, cycles, cycle)
    halves = [np.nan_to_num(quantile(folded[:, half::2], 0.5)) for half in (0, 1)]  # 0: never measured
    other = np.empty_like(folded)
    for half in (0, 1):
        other[:, half::2] = halves[1 - half][:, None]
    unseen, now = np.abs(residual - other.reshape(count, -1)[:, :steps]), np.abs(residual - profile)
    size, size_now = _mean(unseen), _mean(now)
    # A job of one hour a day hardly moves the mean, but all the largest residuals.
    rare = (quantile(unseen, 0.97) < _GAIN_RARE * quantile(now, 0.97)) & (size < 1.05 * size_now)
    better = (size < _GAIN * size_now) | rare
    found = np.tile(np.nan_to_num(quantile(folded, 0.5)), (1, cycles))[:, :steps]
    return np.where(better[:, None], found, profile)


def quantile(values: Array, share: float, *, axis: int = 1) -> Array:
    """Quantile (definition 7 of Hyndman and Fan) along an axis, NaN left out; NaN where there is nothing.

    `numpy.nanquantile` calls Python for every row; this sorts once.
    """
    import numpy as np

    ordered = np.sort(values, axis=axis)  # NaN last
    n = np.count_nonzero(~np.isnan(values), axis=axis, keepdims=True)
    place = share * np.maximum(n - 1, 0)
    low = place.astype(np.intp)
    below = np.take_along_axis(ordered, low, axis=axis)
    above = np.take_along_axis(ordered, np.minimum(low + 1, np.maximum(n - 1, 0)), axis=axis)
    return np.asarray((below + (above - below) * (place - low)).squeeze(axis))


def _mean(size: Array) -> Array:
    """Mean of each row, where what is four times the usual counts as that."""
    import numpy as np

    return np.asarray(np.nanmean(np.minimum(size, 4 * quantile(size, 0.5)[:, None]), axis=1))


def _tail(residual: Array, per_steps: float) -> Array:
    """The value that one in *per_steps* exceeds, from the 75, 95 and 98 % points and a Pareto tail of fixed shape.

    The anomalies are among the top values. Beyond 98 % nothing is looked at, and what lies between 95 and 98 % counts for
    no more than it can with a Student's t of 4 degrees of freedom: so up to 5 % of the values may be anomalous.
    """
    import numpy as np

    inner, outer, last = (quantile(residual, share) for share in (0.75, 0.95, 0.98))
    step = np.minimum(last - outer, _HEAVIEST * (outer - inner))
    reach = (np.power(0.05 * per_steps, _TAIL_SHAPE) - 1) / (np.power(2.5, _TAIL_SHAPE) - 1)
    return np.asarray(np.maximum(outer + step * reach, 0.0))
