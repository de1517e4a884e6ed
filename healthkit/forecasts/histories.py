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


def moves(ages: Floats, spans: Ints, lag: Ints) -> Floats:
    """(n,) mean absolute change over *lag* (n,) steps."""
    length = ages.shape[1]
    age = np.arange(length)
    index = np.minimum(age + lag[:, None], length - 1)
    inside = age + lag[:, None] < spans[:, None]
    change = np.abs(ages - pick(ages, index)) * inside
    return np.asarray(change.sum(axis=1) / np.maximum(inside.sum(axis=1), 1))
