"""What a series was expected to be at every step: seasonal profile, slow level, and a band that its own tails draw.

Everything is robust (medians), so that an anomaly hardly moves what it is judged against, and two-sided: this looks back
at a period, it does not page anyone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Steps = np.ndarray[Any, np.dtype[np.intp]]

_TAIL_SHAPE = 0.1  # generalised Pareto shape of residuals: heavier than exponential, as server metrics are
_HEAVIEST = 0.65  # (98 % - 95 %) over (95 % - 75 %) of a Student's t with 4 degrees of freedom is 0.62
_GAIN = 0.9  # a season must shrink the residuals of cycles it was not learnt from to this share,
_GAIN_RARE = 0.7  # or the largest 3 % of them to this
_FINEST = 1e-6  # share of the greatest value below which a difference is none that a person would be told
_STEEP = 6.0  # median residuals, of a third of a window, by which its thirds may differ without a slope


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
    finest: Array
    """Differences below this are none, above 0, (series,)."""


def expect(values: Array, season: int, *, window: int, per_steps: float) -> Expectation:
    """The expectation for every series of a batch.

    Args:
        values: (series, steps), NaN = not measured; every row has values.
        season: Steps of a cycle; 1 for none. A second cycle of seven times that is tried as well: the week.
        window: Steps of the running median that is the level.
        per_steps: The band is drawn where one value in so many steps would leave it.
    """
    import numpy as np

    filled = _fill(values, window // 3)
    level = slow_level(filled, window)
    profile = np.zeros_like(filled)
    for cycle in (season * 7, season) if season > 1 and season != 7 else (season,):
        profile = _better(profile, values - level, cycle)
    flat = filled - profile
    level = slow_level(flat, window)
    residual = values - profile - level
    below, above = _tail(-residual, per_steps), _tail(residual, per_steps)
    least = np.maximum(below, above) / 4
    below, above = np.maximum(below, least), np.maximum(above, least)
    finest = np.maximum(_FINEST * np.nanmax(np.abs(values), axis=1), np.finfo(float).tiny)
    return Expectation(level + profile, below, above, flat, residual, finest)


def slow_level(values: Array, window: int) -> Array:
    """A smooth course plus the running median of the rest, so that what grows has residuals like what does not.

    A median alone does not do for what grows: inside, the middle value is the median, whatever its noise, and at an end,
    where it looks at one side only, it lags behind. The newest day of a steadily growing disk would always be unusual.
    """
    import numpy as np
    from scipy.ndimage import uniform_filter1d

    rough = running_median(values, window)
    third = window // 3
    if values.shape[1] <= 3 * third:
        return rough
    noise = _STEEP * quantile(np.abs(values - rough), 0.5) / math.sqrt(third)
    for end, here in ((rough, values), (rough[:, ::-1], values[:, ::-1])):
        _straighten(end, here, third, noise)
    half = 3 * third // 2
    beyond = np.pad(rough, ((0, 0), (half, half)), mode="reflect", reflect_type="odd")
    course = uniform_filter1d(beyond, 2 * half + 1, axis=1)[:, half:-half]
    return np.asarray(course + running_median(values - course, window))


def _straighten(level: Array, values: Array, third: int, noise: Array) -> None:
    """Let the first half window of *level* run as steeply as *values* do, as far as *noise* does not make them so steep."""
    import numpy as np

    half = 3 * third // 2
    rise = quantile(values[:, 2 * third : 3 * third], 0.5) - quantile(values[:, :third], 0.5)
    steep = np.sign(rise) * np.maximum(np.abs(rise) - noise, 0.0) / (2 * third)
    line = level[:, half, None] - steep[:, None] * np.arange(half, 0, -1)
    level[:, :half] = np.where(steep[:, None] == 0, level[:, :half], line)


def running_median(values: Array, window: int) -> Array:
    """Median of the *window* steps around each; mirrored at the ends."""
    import numpy as np
    from scipy.ndimage import median_filter

    size = max(1, min(window, 2 * values.shape[1] - 1) // 2 * 2 + 1)
    return np.stack([median_filter(row, size, mode="mirror") for row in values]) if size > 1 else values.copy()


def _fill(values: Array, cycle: int) -> Array:
    """Gaps interpolated; in those longer than a cycle, and beyond the ends, what lies on either side goes straight on.

    Between two hosts of one name there is no slope, but two levels.
    """
    import numpy as np

    filled = values.copy()
    steps = np.arange(values.shape[1])
    for row in np.flatnonzero(np.isnan(values).any(axis=1)):
        there = np.flatnonzero(~np.isnan(values[row]))
        known = values[row, there]
        filled[row] = np.interp(steps, there, known)
        filled[row, : there[0]] = _onward(known, -there, cycle, -steps[: there[0]])
        filled[row, there[-1] + 1 :] = _onward(known[::-1], there[::-1], cycle, steps[there[-1] + 1 :])
        for gap in np.flatnonzero(np.diff(there) > cycle + 1):
            first, end = there[gap] + 1, there[gap + 1]
            middle = (first + end) // 2
            filled[row, first:middle] = _onward(known[gap::-1], there[gap::-1], cycle, steps[first:middle])
            filled[row, middle:end] = _onward(known[gap + 1 :], -there[gap + 1 :], cycle, -steps[middle:end])
    return filled


def _onward(values: Array, at: Steps, cycle: int, where: Steps) -> Array:
    """The line through the medians of the nearest cycle and the next of *values*, nearest first, *at* steps, at the steps *where*."""
    import numpy as np

    near, far = slice(cycle), slice(cycle, 2 * cycle)
    level = np.full(len(where), np.median(values[near]))
    if len(values) < 2 * cycle:
        return level
    steep = (np.median(values[near]) - np.median(values[far])) / (at[near].mean() - at[far].mean())
    return np.asarray(level + steep * (where - at[near].mean()))


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
