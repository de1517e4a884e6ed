"""Values that lie on a lattice: rounded gauges, and rates of events, which are whole numbers per interval.

A grid of 21 points does not tell how many samples share one value. That the values are few apart does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

_DIGITS = 6  # after the point, that collectors round to at most
_ON_IT = 0.5  # share of points from which a series is on a lattice: quantiles may lie between two of its values
_KEPT = 2.0**-16  # the rollup keeps quantiles to 16 significant bits,
_FINEST = 2.0**12  # so that at this many steps from zero a multiple is still told from what lies between
_FEW_STEPS = 1000  # within a day: each of them holds several samples


def step_of(q: Array, there: Mask) -> Array:
    """The step that nearly all values of a series are multiples of, (series,); 0 where there is none.

    Powers of ten from 1 to 1e-6, because collectors round; else the least of the days' greatest values, as of events per
    interval. Between two steps there are no values, and a percentile there would have the rank of the lower.
    """
    import numpy as np

    known = there[..., None] & (q != 0)  # zero fits every step
    top = np.where(known[..., -1], np.abs(q[..., -1]), np.inf).min(axis=1)
    events = np.isfinite(top) & (np.where(there, q[..., 0], 0.0) == 0).any(axis=1)
    step = np.where(events & _on(q, np.where(events, top, 1.0), known), top, 0.0)
    for digits in range(_DIGITS, -1, -1):
        step = np.where(_on(q, np.full(len(q), 10.0**-digits), known), 10.0**-digits, step)
    return step


def _on(q: Array, step: Array, known: Mask) -> Mask:
    """Whether more than half of the points are multiples of the step, as far as 16 bits can tell."""
    import numpy as np

    scaled = q / step[:, None, None]
    near = np.abs(scaled - np.round(scaled)) <= _KEPT * np.abs(scaled) + 1e-9
    told = near & (np.abs(scaled) < _FINEST) & known
    on: Mask = told.sum(axis=(1, 2)) > _ON_IT * known.sum(axis=(1, 2))
    return on


def shared(q: Array, step: Array, there: Mask) -> Array:
    """For the lower and the upper end of each bin: 1 if many samples share that value, else 0; (2, series, days, bins).

    Shared are values that have a twin in the grid, and all where a usual day spans few steps, but for the tails, whose
    shape tells more.
    """
    import numpy as np

    daily = ((q[..., -1] - q[..., 0]) * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    steps = np.divide(daily, step, out=np.full(len(q), np.inf), where=step > 0)
    twin = np.diff(q) == 0
    ends = np.zeros((2, *twin.shape))
    ends[0, ..., 1:] = twin[..., :-1]
    ends[1, ..., :-1] = twin[..., 1:]
    ends[..., 1:-1] = np.maximum(ends[..., 1:-1], (steps <= _FEW_STEPS)[:, None, None])
    return ends


@dataclass(frozen=True)
class Events:
    """Days on which all but the last 5 % is one value: the mean tells how many of the last are more.

    All arrays are (series, days, 1). A day's greatest value is taken to occur once, or as often as events there are.
    """

    told: Mask
    """Where that is known."""
    usual: Array
    """The one value."""
    unit: Array
    """What one event adds."""
    greatest: Array
    """The greatest value."""
    above: Array
    """Share of the day's values that are above the usual one, 0 to 1."""
    twice: Array
    """Share that is above one event, 0 to 1."""

    @classmethod
    def of(cls, q: Array, n: Array, mean: Array, step: Array) -> Events:
        """The events of days, from their grids, counts, means, and the step of the series."""
        import numpy as np

        usual, greatest = q[..., 0], q[..., -1]
        flat = (q[..., -2] == usual) & (greatest > usual) & (n > 0) & (step > 0)[:, None] & np.isfinite(mean)
        unit = np.where(flat, step[:, None], 1.0)
        most = np.round((greatest - usual) / unit)
        total = np.round(np.where(flat, (mean - usual) * n / unit, 0.0))
        values = np.where(most > 1, total - most + 1, total)
        told = flat & (values >= 1) & (values <= 0.05 * n + 1)
        share = np.where(told, values / np.maximum(n, 1), 0.0)
        twice = np.where(most > 1, 1 / np.maximum(n, 1), 0.0)
        usual, unit, greatest, share, twice = (part[..., None] for part in (usual, unit, greatest, share, twice))
        return cls(told[..., None], usual, unit, greatest, share, twice)

    def below(self, x: Array, *, strictly: bool = False) -> Array:
        """Share of each day's values up to x, or below it, (series, days, percentiles); meant where it is told."""
        import numpy as np

        hair = 1e-9 * self.unit if strictly else -1e-9 * self.unit
        at = x[:, None, :] - hair
        share = np.where(at >= self.usual + self.unit, 1 - self.twice, 1 - self.above)
        return np.where(at >= self.greatest, 1.0, np.where(at >= self.usual, share, 0.0))
