"""Values that stand alone: a restore, a runaway job. They are set aside before a line is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.trends.fits import Mask
    from healthkit.trends.noises import Floats

_WINDOW = 7
_FAR = 5.0
_ENOUGH = 28
_FEW = 0.1
_MAD_TO_SD = 1.4826


def spikes(values: Floats, *, season: int = 7) -> Mask:
    """Where a value stands more than five robust standard deviations off its neighbours of seven steps, (c, n).

    A step is no spike, because the median of the neighbours follows it. None is found in series of fewer than 28
    values, or where more than a tenth would be: that is how the series is, then.

    Args:
        values: (c, n), NaN = not measured.
        season: Steps of the cycle that is taken out first, by its medians; 1 means none.

    Source:
        Hampel (1974), JASA 69, 383-393, as a moving window.
    """
    rest = _without_cycle(values, season)
    padded = np.pad(rest, ((0, 0), (_WINDOW // 2, _WINDOW // 2)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=1)
    away = np.abs(rest - _medians(windows))
    scale = _MAD_TO_SD * _medians(away)[:, None]
    count = np.isfinite(values).sum(axis=1)[:, None]
    far = (away > _FAR * scale) & (scale > 0) & (count >= _ENOUGH)
    few: Mask = far & (far.sum(axis=1)[:, None] <= _FEW * count)
    return few


def _without_cycle(values: Floats, season: int) -> Floats:
    folded = _folded(values, season)
    return values - np.tile(_medians(folded), folded.shape[2])[:, : values.shape[1]]


def _folded(values: Floats, season: int) -> Floats:
    """(c, season, cycles): one row for each step of the cycle."""
    c, n = values.shape
    cycles = -(-n // season)
    padded = np.pad(values, ((0, 0), (0, cycles * season - n)), constant_values=np.nan)
    return padded.reshape(c, cycles, season).swapaxes(1, 2)


def _medians(values: Floats) -> Floats:
    """Median of the last axis without its NaN (NaN if there is nothing else); faster than nanmedian on many short rows."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)[..., None]
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    return ((low + high) / 2)[..., 0]
