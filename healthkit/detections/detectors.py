"""Five kinds of anomaly in a batch of regular series; each detector gives its events in one pass over the arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from healthkit.detections.expectations import Expectation, quantile, running_median

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

Kind = Literal["spike", "shift", "flat-line", "gap", "variance change"]


_NOTHING = 0.01
_CLEARLY = 1.1  # how much more than the usual an event must be


class Event(NamedTuple):
    """One anomaly, in steps."""

    kind: Kind
    row: int
    """Which series."""
    start: int
    end: int
    """First step that no longer belongs to it."""
    peak: int
    """The step that shows it best."""
    score: float
    """How many times further than the alarm limit; ranks events of all kinds."""
    value: float
    """What was seen: a value, a level, a standard deviation, or a number of steps; see `kind`."""
    lower: float
    """What was expected at least."""
    upper: float
    """What was expected at most."""


class Setting(NamedTuple):
    """What the detectors need to know of the steps."""

    day: int
    """Steps of 24 hours, at least 1: how long the latch holds."""
    season: int
    """Steps of a cycle: what counts as lasting."""
    month: float
    """Steps of 30 days."""
    budget: float
    """Events of one kind in 30 days above which they are usual and no anomaly."""


def spikes(values: Array, expected: Expectation, setting: Setting) -> Iterator[Event]:
    """Values outside the band; one event until a value exceeds the greatest of 24 hours."""
    import numpy as np

    above, below = (np.maximum(end, expected.finest)[:, None] for end in (expected.above, expected.below))
    up, down = expected.residual / above, -expected.residual / below
    score = np.nan_to_num(np.maximum(up, down), nan=0.0)
    for row, peak in _peaks(score, setting.day, setting):
        outside = score[row] > 1
        start, end = _run(outside, peak)
        middle = expected.middle[row, peak]
        yield Event(
            "spike", row, start, end, peak, score[row, peak], values[row, peak],
            middle - expected.below[row], middle + expected.above[row],
        )  # fmt: skip


def shifts(values: Array, expected: Expectation, setting: Setting) -> Iterator[Event]:
    """Levels that differ before and after a step, for at least a cycle each, by more than they usually do."""
    import numpy as np

    wide = max(setting.season, 5)
    steps = values.shape[1]
    if steps < 6 * wide:
        return
    level = running_median(expected.flat, wide)
    before, here, after = _around(wide, steps)
    jump = np.zeros_like(level)
    step = level[:, after] - level[:, before]
    seen = np.where(np.isnan(values[:, here]), np.nan, step)  # what fills a gap is straight
    steady = quantile(seen, 0.5)[:, None]  # a steady slope is no shift
    jump[:, here] = step - steady
    usual = 6 * 1.4826 * quantile(np.abs(seen - steady), 0.5)
    limit = np.maximum(np.maximum(usual, np.minimum(expected.below, expected.above) / 2), expected.finest)
    score = np.abs(jump) / limit[:, None]
    for row, peak in _peaks(score, 2 * wide, setting):
        # What fills a gap was never measured: neither a level nor the day of a step is.
        measured = np.flatnonzero(~np.isnan(values[row]))
        flat = expected.flat[row, measured]
        at = _split(flat, int(np.searchsorted(measured, peak)), wide)
        old, new = float(np.median(flat[max(0, at - wide) : at])), float(np.median(flat[at : at + wide]))
        if abs(new - old) > limit[row] and wide <= at <= len(flat) - wide:
            start = int(measured[at])
            yield Event(
                "shift", row, start, steps, start, score[row, peak], new, old - limit[row], old + limit[row]
            )  # fmt: skip


def flat_lines(values: Array, expected: Expectation, setting: Setting) -> Iterator[Event]:  # noqa: ARG001 - one signature
    """The same value for longer than chance makes it, in a series that usually moves."""
    import numpy as np

    same = np.diff(values, axis=1) == 0
    usual = setting.season // 4 + 3
    for row in np.flatnonzero(_long(same, usual)):
        starts, ends = _runs(same[row])
        longest = int(np.argmax(ends - starts))
        length = int((ends - starts)[longest])
        others = np.count_nonzero(~np.isnan(values[row])) - length - 1
        if others < 2 * setting.season:
            continue  # it hardly ever moves
        rate = (same[row].sum() - length + 1) / (others + 2)
        # The longest run of n chances of probability p is about log n / -log p: Erdos and Renyi (1970).
        limit = max(usual, 3 * math.log(values.shape[1]) / -math.log(rate)) if rate < 0.5 else math.inf
        for start, end in zip(starts, ends, strict=True):
            if end - start >= limit:
                lasts = end - start + 1
                yield Event("flat-line", int(row), int(start), int(end) + 1, int(start), lasts / limit, lasts, 1, limit)


def gaps(values: Array, expected: Expectation, setting: Setting) -> Iterator[Event]:  # noqa: ARG001 - one signature
    """Nothing measured for longer than usual."""
    import numpy as np

    missing = np.isnan(values)
    for row in np.flatnonzero(missing.any(axis=1)):
        starts, ends = _runs(missing[row])
        lengths = ends - starts
        limit = max(2.0, setting.day / 4, 3 * float(np.quantile(lengths, 0.75)) if len(lengths) > 3 else 0.0)
        for start, end in zip(starts, ends, strict=True):
            if end - start > limit:
                yield Event(
                    "gap", int(row), int(start), int(end), int(start), (end - start) / limit, end - start, 0, limit
                )  # fmt: skip


def variance_changes(values: Array, expected: Expectation, setting: Setting) -> Iterator[Event]:
    """Residuals that are much wider or narrower after a step than before, for at least three cycles each."""
    import numpy as np
    from scipy.ndimage import uniform_filter1d

    wide = 3 * max(setting.season, 5)
    steps = values.shape[1]
    if steps < 3 * wide:
        return
    band = np.minimum(expected.below, expected.above)[:, None]
    size = np.minimum(np.abs(expected.residual), band)
    size = np.where(np.isnan(size), np.nanmean(size, axis=1, keepdims=True), size)
    # From nothing to hardly anything is no change: a hundredth of the band is nothing.
    nothing = np.maximum(_NOTHING * band, expected.finest[:, None])
    mean = uniform_filter1d(size, wide, axis=1, mode="mirror") + nothing
    before, here, after = _around(wide, steps)
    change = np.zeros_like(mean)
    change[:, here] = np.log(mean[:, after] / mean[:, before])
    usual = 5 * 1.4826 * np.median(np.abs(change[:, here]), axis=1)
    limit = np.maximum(usual, math.log(2.5))
    for row, peak in _peaks(np.abs(change) / limit[:, None], 2 * wide, setting):
        old, new = (mean[row, at] - nothing[row, 0] for at in (peak - wide // 2 - 1, peak + wide // 2 + 1))
        factor = math.exp(limit[row])
        yield Event(
            "variance change", row, peak, steps, peak, abs(change[row, peak]) / limit[row],
            1.2533 * new, 1.2533 * old / factor, 1.2533 * old * factor,
        )  # fmt: skip


DETECTORS: tuple[Callable[[Array, Expectation, Setting], Iterator[Event]], ...] = (
    spikes, shifts, flat_lines, gaps, variance_changes,
)  # fmt: skip


def _around(wide: int, steps: int) -> tuple[slice, slice, slice]:
    """The steps with *wide* steps on either side, and the middles of those before and of those after each."""
    half = wide // 2 + 1
    first, last = 2 * half - 1, steps - 2 * half + 1
    return slice(first - half, last - half), slice(first, last), slice(first + half, last + half)


def _peaks(score: Array, reach: int, setting: Setting) -> Iterator[tuple[int, int]]:
    """(row, step) of scores above 1 that are the greatest within *reach* steps, and rare enough to be one."""
    import numpy as np
    from scipy.ndimage import maximum_filter1d

    top = (score > 1) & (score == maximum_filter1d(score, 2 * reach + 1, axis=1, mode="constant", cval=0.0))
    allowed = max(2, math.ceil(setting.budget * score.shape[1] / setting.month))
    for row in np.flatnonzero(top.any(axis=1)):
        steps = np.flatnonzero(top[row])
        steps = steps[np.insert(np.diff(steps) > reach, 0, True)]
        # An event may lie across two spans; what more spans than that come close to is usual.
        spans = np.maximum.reduceat(score[row], np.arange(0, score.shape[1], reach))
        usual = max(_largest(score[row, steps], allowed + 1), _largest(spans, 2 * allowed + 1))
        for step in steps[score[row, steps] > _CLEARLY * usual]:
            yield int(row), int(step)


def _largest(values: Array, rank: int) -> float:
    """The value at a rank, 1 = the largest; 0 where there are fewer."""
    import numpy as np

    return float(np.sort(values)[-rank]) if len(values) >= rank else 0.0


def _long(mask: Mask, length: int) -> Mask:
    """Rows with a run of true values at least so long."""
    import numpy as np

    sums = np.cumsum(mask, axis=1, dtype=np.int32)
    sums[:, length:] -= sums[:, :-length].copy()
    return np.asarray((sums >= length).any(axis=1))


def _run(mask: Mask, inside: int) -> tuple[int, int]:
    """First and last-plus-one step of the run of true values that holds *inside*."""
    import numpy as np

    before, after = np.flatnonzero(~mask[:inside]), np.flatnonzero(~mask[inside:])
    return (int(before[-1]) + 1 if len(before) else 0), (inside + int(after[0]) if len(after) else len(mask))


def _runs(mask: Mask) -> tuple[np.ndarray[Any, np.dtype[np.intp]], np.ndarray[Any, np.dtype[np.intp]]]:
    """Starts and ends of all runs of true values."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return edges[0::2], edges[1::2]


def _split(flat: Array, near: int, wide: int) -> int:
    """The step near *near* that best parts the values into two levels: least sum of absolute deviations."""
    import numpy as np

    first, last = max(0, near - wide), min(len(flat), near + wide)
    part = flat[first:last]
    before, after = np.median(part[: wide // 2]), np.median(part[-(wide // 2) :])
    gain = np.cumsum(np.abs(part - after) - np.abs(part - before))
    return first + int(np.argmax(gain)) + 1
