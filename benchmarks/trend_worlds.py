"""Worlds with and without a level shift, as `train_trend.py` sees them: what each explanation is worth in every series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from trend_simulations import WEEK, dressed, line, noise, steps

from healthkit.trends.batches import scale
from healthkit.trends.explanations import explain
from healthkit.trends.fits import fit, whiten
from healthkit.trends.lines import columns
from healthkit.trends.noises import noises
from healthkit.trends.spikes import spikes
from healthkit.trends.steps import around, log_sum, may_begin, most_likely

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from healthkit.trends.odds import Odds

    Floats = NDArray[np.float64]

NEAR = 3
NOISES_TRAINED: tuple[float | str, ...] = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
LINES_TRAINED = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
_STEEP = (12.0, 40.0)
_BATCH = 100
_GRID = noises()


@dataclass(frozen=True)
class World:
    """Series of one kind, in logarithms of likelihoods, for which a number each series is left out."""

    noise: float | str
    """Correlation of AR(1) noise, or what other noise it is."""
    line: float
    """Change from end to end."""
    size: float | None
    """Of the step; None = there is none."""
    at: NDArray[np.int64]
    """Where the step begins, (c,)."""
    still: Floats
    """`Explanations.still`, (c, g, 2 + lines)."""
    step: Floats
    """`Explanations.step` where a step may begin, (c, g, n)."""
    both: Floats
    """`Explanations.both` where a step may begin, (c, g, n)."""

    @property
    def n(self) -> int:
        """Length of the series."""
        return self.step.shape[2]

    def hits(self, at: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether a step at *at* is the one there is, (c,)."""
        return np.full(len(at), self.size is not None) & (np.abs(at - self.at) <= NEAR)

    def odds_of(self, odds: Odds) -> Floats:
        """What speaks for a step at each moment, (c, n)."""
        weight = odds.beside(_GRID)[:, None]
        both: Floats = np.logaddexp(log_sum(self.step + weight), log_sum(self.both + weight) + odds.both)
        return both

    def best(self, odds: Odds) -> tuple[NDArray[np.intp], Floats]:
        """The best step, and what speaks for it under each noise, without and with a line, (c, 2 g)."""
        at, _ = most_likely(self.odds_of(odds))
        parts = np.concatenate([self.step, self.both], axis=1)
        return at, np.stack([around(part, at) for part in parts.swapaxes(0, 1)], axis=1)

    def margins(self, odds: Odds) -> tuple[NDArray[np.intp], Floats]:
        """The best step, and by how much it multiplies the odds."""
        at, height = most_likely(self.odds_of(odds))
        against = (self.still + odds.without(_GRID)).reshape(len(at), -1, 1)
        return at, height - log_sum(against)[:, 0]


def worlds(rng: np.random.Generator, n_series: int, n: int) -> list[World]:
    """All of them, of series of *n* values."""
    return [_world(*one) for one in _made(rng, (n_series, n))]


def _made(
    rng: np.random.Generator, shape: tuple[int, int]
) -> Iterator[tuple[float | str, float, float | None, NDArray[np.int64], Floats]]:
    none, n = np.full(shape[0], -1), shape[1]
    for phi in NOISES_TRAINED:
        for change in (*LINES_TRAINED, *(_STEEP if phi in (0.0, 0.5, 0.8) else ())):
            yield phi, change, None, none, dressed(rng, noise(rng, shape, float(phi))) + line(n, change)
    for change in (0.0, 2.0, 4.0):
        mixed = (noise(rng, shape, 0.9) + rng.standard_normal(shape)) / np.sqrt(2)
        yield "mixed", change, None, none, dressed(rng, mixed) + line(n, change)
    for change in (0.0, 2.0):
        heavy = np.exp(noise(rng, shape, 0.5)) / np.sqrt(np.e**2 - np.e)
        yield "lognormal", change, None, none, dressed(rng, heavy) + line(n, change)
    for phi in (0.0, 0.3, 0.5, 0.8, 0.95):
        for size in (2.0, 4.0):
            added, at = steps(rng, shape, size)
            yield phi, 0.0, size, at, dressed(rng, noise(rng, shape, phi)) + added
    for phi in (0.0, 0.5):
        added, at = steps(rng, shape, 4.0)
        yield phi, 6.0, 4.0, at, dressed(rng, noise(rng, shape, phi)) + added + line(n, 6.0)


def _world(kind: float | str, change: float, size: float | None, at: NDArray[np.int64], rows: Floats) -> World:
    parts = [_explained(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
    still, step, both = (np.concatenate(part) for part in zip(*parts, strict=True))
    return World(kind, change, size, at, still, step, both)


def _explained(rows: Floats) -> tuple[Floats, ...]:
    kept = np.where(spikes(rows, season=WEEK), np.nan, rows)
    measured = np.isfinite(kept)
    scaled, _ = scale(kept)
    none = np.full((len(rows), 0), -1)
    whitening = whiten(measured, _GRID)
    fitted = fit(columns(rows.shape[1], WEEK, none), scaled, measured, _GRID, whitening)
    known = explain(fitted, whitening, _GRID.phi)
    allowed = may_begin(measured, none)[:, None, :]
    top = known.still.max(axis=(1, 2), keepdims=True)
    shifted = (known.still - top, *(np.where(allowed, part - top, -500.0) for part in (known.step, known.both)))
    # half the memory: a hundredth is enough
    return tuple(np.maximum(part, -500.0).astype(np.float32) for part in shifted)
