"""Histories made comparable: right-aligned, gaps bridged, centred and scaled, cut at rolling origins.

Everything after this file works in *age order*: column 0 is the newest value, so that "the last w values" is a slice
whatever the length of the history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

SHORTEST = 8
"""Values the members need to see before an origin counts."""


@dataclass(frozen=True, slots=True)
class Histories:
    """A batch of histories in units of their own spread."""

    ages: Floats
    """(n, length) scaled values, newest first, gaps bridged, older than the first value: the first value."""
    seen: Bools
    """(n, length) whether the value was measured."""
    spans: Ints
    """(n,) steps from the first value to the end."""
    centre: Floats
    """(n,) the last value, in the unit of the series."""
    scale: Floats
    """(n,) mean absolute deviation from the median, in the unit of the series; 1 where constant."""
    constant: Bools
    """(n,) whether all values are equal."""
    empty: Bools
    """(n,) whether there is no value at all."""

    @property
    def level(self) -> Floats:
        """(n,) distance of the last value from zero, scaled."""
        return np.asarray(np.abs(self.centre) / self.scale)


@dataclass(frozen=True, slots=True)
class Step:
    """The one step that describes each history best, least squares."""

    age: Ints
    """(n,) how many values are after it"""
    size: Floats
    """(n,) how far it goes"""
    left: Floats
    """(n,) the share of squares it leaves"""


@dataclass(frozen=True, slots=True)
class Turn:
    """The level that turns into a slope which describes each history best, least squares; a plain line turned at the first value."""

    age: Ints
    """(n,) how many values are after it"""
    end: Floats
    """(n,) its height at the newest value"""
    slope: Floats
    """(n,) per step, since it turned"""
    left: Floats
    """(n,) the share of squares it leaves"""


@dataclass(frozen=True, slots=True)
class Changes:
    """How each history moves from one step to the next."""

    each: Floats
    """(n, length - 1) change into each value, newest first; 0 before the first value."""
    path: Floats
    """(n,) sum of the absolute changes."""
    typical: Floats
    """(n,) mean absolute change."""
    still: Floats
    """(n,) share of steps without change."""
    quiet: Ints
    """(n,) steps since the last change; the whole span where there was none."""
    wait: Floats
    """(n,) mean steps from one change to the next."""
    effective: Floats
    """(n,) how many changes of one size would be as uneven: (sum)^2 / sum of squares (Kish 1965, effective sample size); 1 = one
    change is everything."""
    step: Step
    turn: Turn
    line_or_step: Floats
    """(n,) log of what the best single step leaves of the squares, against what a line leaves: below 0 a step describes the history
    better. A hundredth of the whole is nothing."""
    turn_or_step: Floats
    """(n,) log of what the best turn leaves, against what the best step leaves: below 0 a turn describes the history better."""


def pick(table: Floats, index: Ints) -> Floats:
    """``table[i, index[i, ...]]`` for every row i; a tenth of the overhead of np.take_along_axis on few rows."""
    rows, length = table.shape
    start = np.arange(0, rows * length, length).reshape((rows,) + (1,) * (index.ndim - 1))
    return np.asarray(np.take(table.reshape(-1), index + start))


def prepare(values: Floats, longest: int) -> Histories:
    """Histories of the last *longest* steps of *values* (n_series, n_obs), NaN = missing."""
    raw = np.ascontiguousarray(values[:, -longest:])
    seen = np.isfinite(raw)
    length = raw.shape[1]
    columns = np.arange(length)
    previous = np.maximum.accumulate(np.where(seen, columns, -1), axis=1)
    following = np.minimum.accumulate(np.where(seen, columns, length)[:, ::-1], axis=1)[:, ::-1]
    left = np.where(previous < 0, np.minimum(following, length - 1), previous)
    right = np.where(following >= length, left, following)
    at_left, at_right = pick(raw, left), pick(raw, right)
    share = (columns - left) / np.maximum(right - left, 1)
    filled = np.where(seen, raw, at_left + np.clip(share, 0.0, 1.0) * (at_right - at_left))
    empty = np.asarray(~seen.any(axis=1))
    filled[empty] = 0.0
    first = np.where(empty, length, seen.argmax(axis=1))
    spans = np.maximum(length - first, 1)
    centre = filled[:, -1].copy()
    middle = np.where(columns >= first[:, None], filled - centre[:, None], 0.0)
    spread = np.abs(middle).sum(axis=1) / np.maximum(spans, 1)
    floor = 1e-12 * np.abs(centre)
    constant = np.asarray(spread <= floor)
    scale = np.where(constant, 1.0, spread)
    ages = np.where(constant[:, None], 0.0, (filled - centre[:, None]) / scale[:, None])[:, ::-1]
    return Histories(
        np.ascontiguousarray(ages), np.ascontiguousarray(seen[:, ::-1]), spans, centre, scale, constant, empty
    )


def origins(spans: Ints, horizon: int, count: int) -> Ints:
    """(n, count) steps before the end at which each history is cut, evenly spread over its newer 60 %."""
    furthest = np.minimum((0.6 * spans).astype(np.int64), 3 * horizon)
    steps = furthest[:, None] * np.arange(1, count + 1) // count
    return np.where(spans[:, None] - steps >= SHORTEST, np.maximum(steps, 1), 0)


def knots(horizon: int, most: int) -> Ints:
    """At most *most* steps ahead at which the backtest looks, from 1 to *horizon*."""
    return np.unique(np.round(np.linspace(1, horizon, min(most, horizon))).astype(np.int64))


def cut(histories: Histories, offsets: Ints) -> tuple[Floats, Ints]:
    """Rows (n * count, length) as seen from each of *offsets* (n, count), and their spans (n * count,)."""
    length = histories.ages.shape[1]
    index = np.minimum(offsets[:, :, None] + np.arange(length), length - 1)
    rows = pick(histories.ages, index).reshape(-1, length)
    return rows, np.maximum(histories.spans[:, None] - offsets, 1).reshape(-1)


def futures(histories: Histories, offsets: Ints, steps: Ints) -> Floats:
    """(n, count, n_steps) what came *steps* after each origin; NaN where not measured or not over yet."""
    age = offsets[:, :, None] - steps
    index = np.clip(age, 0, histories.ages.shape[1] - 1)
    known = (age >= 0) & (pick(histories.seen.astype(np.float64), index) > 0)
    return np.where(known, pick(histories.ages, index), np.nan)


def changes(ages: Floats, spans: Ints) -> Changes:
    """`Changes` of *ages* (n, length), in age order, *spans* (n,) long."""
    each = ages[:, :-1] - ages[:, 1:]
    size, moved, count = np.abs(each), each != 0, np.maximum(spans - 1, 1)
    path, number = size.sum(axis=1), moved.sum(axis=1)
    share = size / np.maximum(path, 1e-300)[:, None]
    step, turn = one_step(ages, spans), one_turn(ages, spans)
    line, stepped, turned = (np.log(left + 0.01) for left in (left_by_line(ages, spans), step.left, turn.left))
    return Changes(
        each=each,
        path=path,
        typical=path / count,
        still=1 - number / count,
        quiet=np.where(number > 0, moved.argmax(axis=1), spans),
        wait=count / np.maximum(number, 1),
        effective=1 / np.maximum((share**2).sum(axis=1), 1 / count),
        step=step,
        turn=turn,
        line_or_step=stepped - line,
        turn_or_step=turned - stepped,
    )


def one_step(ages: Floats, spans: Ints) -> Step:
    """The best `Step` with at least three values on either side."""
    newer = np.arange(1, ages.shape[1] + 1.0)
    _, apart, whole = centred(ages, spans)
    least = np.minimum(3, np.maximum(spans // 2, 1))[:, None]
    usable = (newer >= least) & (spans[:, None] - newer >= least)
    reciprocals = 1 / newer + 1 / np.maximum(spans[:, None] - newer, 1)
    total = np.cumsum(apart, axis=1)
    explained = np.where(usable, total**2 * reciprocals, 0.0)
    best = explained.argmax(axis=1)[:, None]
    size, gone = (pick(each, best)[:, 0] for each in (total * reciprocals, explained))
    return Step(best[:, 0] + 1, size, np.maximum(1 - gone / whole, 0))


def one_turn(ages: Floats, spans: Ints) -> Turn:
    """The best `Turn` with at least five values after it."""
    newer = np.arange(1, ages.shape[1] + 1.0)
    mean, apart, whole = centred(ages, spans)
    height = newer * (newer + 1) / 2 / spans[:, None]  # mean of the regressor: 0 until it turns and then 1, 2, 3 ...
    spread = np.maximum(newer * (newer + 1) * (2 * newer + 1) / 6 - height**2 * spans[:, None], 1e-9)
    usable = (newer >= np.minimum(5, spans)[:, None]) & (newer <= spans[:, None])
    total = np.cumsum(np.cumsum(apart, axis=1), axis=1)
    explained = np.where(usable, total**2 / spread, 0.0)
    best = explained.argmax(axis=1)[:, None]
    slope, rest, gone = (pick(each, best)[:, 0] for each in (total / spread, newer - height, explained))
    return Turn(best[:, 0] + 1, mean + slope * rest, slope, np.maximum(1 - gone / whole, 0))


def left_by_line(ages: Floats, spans: Ints) -> Floats:
    """(n,) share of squares that the least-squares line leaves of each history."""
    age = np.arange(ages.shape[1])
    _, apart, whole = centred(ages, spans)
    along = np.where(age < spans[:, None], age - (spans[:, None] - 1) / 2, 0.0)
    explained = (apart * along).sum(axis=1) ** 2 / np.maximum((along**2).sum(axis=1), 1e-300)
    return np.asarray(np.maximum(1 - explained / whole, 0))


def centred(ages: Floats, spans: Ints) -> tuple[Floats, Floats, Floats]:
    """(n,) mean within the span, (n, length) distance from it, 0 before the span, and (n,) the sum of its squares."""
    inside = np.arange(ages.shape[1]) < spans[:, None]
    mean = np.where(inside, ages, 0.0).sum(axis=1) / spans
    apart = np.where(inside, ages - mean[:, None], 0.0)
    return mean, apart, np.maximum((apart**2).sum(axis=1), 1e-300)


def moves(ages: Floats, spans: Ints, lag: Ints) -> Floats:
    """(n,) mean absolute change over *lag* (n,) steps."""
    length = ages.shape[1]
    age = np.arange(length)
    index = np.minimum(age + lag[:, None], length - 1)
    inside = age + lag[:, None] < spans[:, None]
    change = np.abs(ages - pick(ages, index)) * inside
    return np.asarray(change.sum(axis=1) / np.maximum(inside.sum(axis=1), 1))
