"""What repeats: the seasonal profile, shrunk by how sure it is, and the period a sawtooth has of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from healthkit.forecasts.histories import pick

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats, Ints


def without_spikes(ages: Floats, spans: Ints, season: int) -> Floats:
    """*ages* (rows, length) with lone outliers replaced by the median of the five values around them.

    A peak that was there one *season* earlier too is the season, not an outlier.
    """
    length = ages.shape[1]
    if length < 5:
        return ages
    padded = np.concatenate([ages[:, 1:3][:, ::-1], ages, ages[:, -3:-1][:, ::-1]], axis=1)
    a, b, c, d, e = (padded[:, i : padded.shape[1] - 4 + i] for i in range(5))
    # A sorting network for five: np.median over a stacked axis takes ten times as long.
    low, high = np.maximum(np.minimum(a, b), np.minimum(d, e)), np.minimum(np.maximum(a, b), np.maximum(d, e))
    middle = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), c))
    # The two oldest values have no neighbours on one side.
    away = np.where(np.arange(length) < spans[:, None] - 2, ages - middle, 0.0)
    size = np.abs(away)
    rank = size.shape[1] - 1 - (0.1 * spans).astype(np.int64)
    limit = 4 * pick(np.sort(size, axis=1), rank[:, None]) + 1e-12
    lone = size > limit
    lone[:, 0] = False  # whether the newest value is a spike or a new level is not known yet
    if 1 < season < length:
        lone[:, :-season] &= np.abs(away[:, :-season] - away[:, season:]) > limit
    return np.where(lone, middle, ages)


def profile(ages: Floats, spans: Ints, season: int, cycles: int = 26) -> Floats:
    """(rows, season) additive profile by age, zero-mean; all zero where *season* is 1 or the span under two seasons."""
    rows, length = ages.shape
    count = min(cycles, (length - season) // season)
    if season < 2 or count < 2:
        return np.zeros((rows, max(season, 1)))
    width = (count + 1) * season
    total = np.cumsum(np.concatenate([np.zeros((rows, 1)), ages[:, :width]], axis=1), axis=1)
    mean = (total[:, season:] - total[:, :-season]) / season
    half = season // 2
    if season % 2 == 0:
        mean = 0.5 * (mean[:, :-1] + mean[:, 1:])
    used = count * season
    # The centred mean of the newest half season is not known yet: go on with the nearest one and its slope.
    slope = (mean[:, :1] - mean[:, season - 1 : season]) / max(season - 1, 1)
    newest = mean[:, :1] + slope * np.arange(half, 0, -1)
    level = np.concatenate([newest, mean], axis=1)[:, :used]
    rest = (ages[:, :used] - level).reshape(rows, count, season)
    inside = (np.arange(count) + 2) * season <= spans[:, None]
    weight = inside / np.maximum(inside.sum(axis=1), 1)[:, None]
    means = (rest * weight[:, :, None]).sum(axis=1)
    spread = (((rest - means[:, None, :]) ** 2) * weight[:, :, None]).sum(axis=1).mean(axis=1)
    means -= means.mean(axis=1, keepdims=True)
    between = (means**2).mean(axis=1)
    noise = spread / np.maximum(inside.sum(axis=1) - 1, 1)
    sure = np.clip(1 - 2 * noise / np.maximum(between, 1e-300), 0.0, 1.0)
    return np.where((inside.sum(axis=1) >= 2)[:, None], means * sure[:, None], 0.0)


def own_period(rest: Floats, spans: Ints) -> tuple[Ints, Floats]:
    """The lag (rows,) at which detrended *rest* (zero beyond its span) looks most like itself, and that correlation.

    Only lags after the autocorrelation first fell below zero count: before, everything smooth looks like itself.
    """
    length = rest.shape[1]
    size = 1 << (2 * length - 1).bit_length()
    power = np.abs(np.fft.rfft(rest, size)) ** 2
    lagged = np.fft.irfft(power, size)[:, : length // 2 + 1]
    lags = np.arange(lagged.shape[1])
    correlation = lagged / np.maximum(lagged[:, :1], 1e-300) * spans[:, None] / np.maximum(spans[:, None] - lags, 1)
    eligible = np.logical_or.accumulate(correlation < 0, axis=1) & (lags <= spans[:, None] // 2) & (lags >= 3)
    score = np.where(eligible, correlation, -1.0)
    best = score.argmax(axis=1)
    strength = pick(score, best[:, None])[:, 0]
    found = strength > 0.1
    return np.where(found, best, 1), np.where(found, strength, 0.0)
