"""The distributions of single days behind their grids, and their weighted sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healthkit.grids.lattices import Events, shared, step_of
from healthkit.grids.tails import tail, tail_shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Counts = np.ndarray[Any, np.dtype[np.intp]]

POINTS = 21
"""Quantiles of a grid: 0, 0.05, ... 1."""
BINS = POINTS - 1
"""Bins between them."""
_ABRUPT = -0.4  # shape of a tail from which it has a definite end
_DIGITS = 6  # after the point, that collectors round to at most
_DECIMAL = [10.0**-digits for digits in range(_DIGITS + 1)]


class Days:
    """The days' distributions, and their weighted sum at any value; arrays are (series, days, percentiles)."""

    def __init__(self, q: Array, n: Array, mean: Array) -> None:
        import numpy as np

        self.q = q
        self.n = n[:, :, None]
        self.weight = self.n / n.sum(axis=1)[:, None, None]
        real = np.where(self.n > 0, q, 0.0)
        there = n > 0
        self.step = step_of(real, there)
        self.low = np.min(np.where(there, real[..., 0], np.inf), axis=1)
        self.high = np.max(np.where(there, real[..., -1], -np.inf), axis=1)
        self.first_bin = (real[..., 1] - real[..., 0])[..., None]
        self.shared = shared(real, self.step, there)
        self.first = tail_shape(-real[..., 2::-1], n)[..., None]
        self.last = tail_shape(real[..., -3:], n)[..., None]
        self.pinned = self._pinned(real[..., 0], self.low, there), self._pinned(real[..., -1], self.high, there)
        self.events = Events.of(real, n, mean, self.step)

    def _pinned(self, ends: Array, end: Array, there: np.ndarray[Any, np.dtype[np.bool_]]) -> Array:
        """Which days end where all days do, when several do; values that are rounded do so by chance."""
        import numpy as np

        alike = there & (ends == end[:, None])
        several = (alike.sum(axis=1) > 1) & (np.ravel(self.step) == 0)
        return np.asarray(alike & several[:, None])[..., None]

    def rounded(self, x: Array) -> Array:
        """The nearest value that there can be."""
        import numpy as np

        step = self.step[:, None]
        near = np.round(x / np.where(step > 0, step, 1)) * step
        near = np.where(np.isin(step, _DECIMAL), np.round(near, _DIGITS), near)
        return np.where(step > 0, near.clip(self.low[:, None], self.high[:, None]), x)

    def find(self, x: Array) -> Counts:
        """How many points of each day's grid are not above x (series, percentiles)."""
        found: Counts = (self.q[:, :, None, :] <= x[:, None, :, None]).sum(axis=-1)
        return found

    def parts(self, x: Array, found: Counts) -> tuple[Counts, Array, Array]:
        """Each day's bin that holds x; the share of that bin up to x, evenly spread; and with its true shape."""
        import numpy as np

        bins = np.clip(found - 1, 0, BINS - 1)
        low, high = np.take_along_axis(self.q, bins, axis=2), np.take_along_axis(self.q, bins + 1, axis=2)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            even = ((x[:, None, :] - low) / (high - low)).clip(0.0, 1.0)
        part = self.bend(bins, even)
        # Of a bin beside a value that many samples share, half is that value.
        below, above = (np.take_along_axis(shared, bins, axis=2) / 2 for shared in self.shared)
        part = below + part * (1 - below - above)
        part = np.where(self.events.told, self.events.below(x) * BINS - bins, part).clip(0.0, 1.0)
        outside = np.where(found == 0, 0.0, 1.0)
        beyond = (found == 0) | (found == POINTS)
        return bins, np.where(beyond, outside, even), np.where(beyond, outside, part)

    def bend(self, bins: Counts, part: Array) -> Array:
        """The share of the bin, with the shape of the tails."""
        import numpy as np

        first, last = bins == 0, bins == BINS - 1
        if first.any():
            part = np.where(first, 1 - tail(1 - part, self.first, self.n), part)
        return np.where(last, tail(part, self.last, self.n), part) if last.any() else part

    def share(self, x: Array, found: Counts | None = None) -> Array:
        """Share of all values up to x."""
        bins, _, part = self.parts(x, self.find(x) if found is None else found)
        share: Array = (self.weight * (bins + part)).sum(axis=1) / BINS
        return share

    def guess(self, bins: Counts, atom: Array) -> Array:
        """Share of an outermost bin that one value may hold: unlike within, it is misjudged alike every day."""
        import numpy as np

        wide = self.first_bin
        floor = np.divide(self.step[:, None, None], wide, out=np.ones_like(wide), where=wide > 0).clip(0.0, 1.0)
        return np.where(bins == 0, np.maximum(atom, floor), np.where(bins == BINS - 1, atom, 0.0))

    def heap(self, bins: Counts, part: Array) -> Array:
        """Share of an outermost bin that may lie at its far end, beyond what the shape of the tail tells.

        Where the tail ends abruptly, at a floor or a cap, values may heap up there like a square root; where days end at the
        very same value, all of the bin may be that value.
        """
        import numpy as np

        out = np.zeros_like(part)
        for here, shape, pinned, rest in (
            (bins == 0, self.first, self.pinned[0], part),
            (bins == BINS - 1, self.last, self.pinned[1], 1 - part),
        ):
            heap = np.where(shape <= _ABRUPT, np.sqrt(rest) - rest, 0.0)
            out = np.where(here, np.where(pinned, 1 - rest, heap), out)
        return out

    def error(self, x: Array, p: Array) -> tuple[Array, Array]:
        """How far p may be from the ranks that x has: for smooth days, and at most."""
        import numpy as np

        found, told = self.find(x), self.events.told
        bins, even, part = self.parts(x, found)
        whole = np.where(told, self.events.below(x) * BINS, np.where(found == POINTS, BINS, bins))
        strictly = np.minimum((self.q[:, :, None, :] < x[:, None, :, None]).sum(axis=-1), BINS)
        least = (self.weight * whole).sum(axis=1) / BINS
        below = self.events.below(x, strictly=True) * BINS
        most = (self.weight * np.where(told, below, strictly)).sum(axis=1) / BINS
        inside = ~told & (found > 0) & (found < POINTS)
        atom = np.take_along_axis(self.shared[0], bins, axis=2) * inside
        guess = self.weight * self.guess(bins, atom) * inside / BINS
        bridge = self.weight**2 * (even * (1 - even) / np.maximum(self.n, 1) / BINS + atom / 12 / BINS**2)
        curve = self.weight * (even * (1 - even) / 3 + np.abs(part - even) * (1 - atom) / 2) / BINS
        curve += self.weight * self.heap(bins, part) / BINS
        error = 2 * np.sqrt((bridge * inside).sum(axis=1)) + (curve * inside + guess).sum(axis=1)
        return error, np.maximum(np.maximum(most - p, p - least), 0.0)
