"""The line, the season and the steps of a chunk of series, found jointly: fit, look for a step, fit again with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from healthkit.trends.fits import Whitening, fit, whiten
from healthkit.trends.mixtures import mixture
from healthkit.trends.steps import may_begin, scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from healthkit.trends.fits import Fit, Mask
    from healthkit.trends.mixtures import Mixture
    from healthkit.trends.noises import Floats, Noises

MOST_SHIFTS = 5
"""Steps looked for in one series."""


@dataclass
class Lines:
    """What is known of c series under g noises, filled in round by round."""

    log_weight: Floats
    """(c, g)."""
    freedom: Floats
    """(c,)."""
    slope: tuple[Floats, Floats]
    """Over half the length of the series, and its standard error, both (c, g)."""
    step: tuple[Floats, Floats]
    """Sizes and their standard errors, both (c, MOST_SHIFTS, g)."""
    at: NDArray[np.intp]
    """Where the steps begin, -1 = none, (c, MOST_SHIFTS), in the order they were found."""
    rivals: Mask = field()
    """Whether one more step would do what the line does, (c,)."""

    def slopes(self) -> Mixture:
        """The slope averaged over the noises."""
        return mixture(self.log_weight, *self.slope, self.freedom)

    def steps(self, k: int, rows: NDArray[np.intp]) -> Mixture:
        """The size of the k-th step of some series averaged over the noises."""
        centre, error = self.step
        return mixture(self.log_weight[rows], centre[rows, k], error[rows, k], self.freedom[rows])


def draw(values: Floats, measured: Mask, noises: Noises, *, season: int) -> Lines:
    """Fit each series, add the step that is believed, and again until none is.

    Args:
        values: (c, n), of the order of 1, finite everywhere.
        measured: (c, n).
        noises: The grid.
        season: Steps of the cycle.
    """
    c, g = len(values), noises.phi.size
    empty = np.full((2, c, MOST_SHIFTS, g), np.nan)
    lines = Lines(
        np.empty((c, g)),
        np.empty(c),
        (np.empty((c, g)), np.empty((c, g))),
        (empty[0], empty[1]),
        np.full((c, MOST_SHIFTS), -1),
        np.zeros(c, dtype=bool),
    )
    rows = np.arange(c)
    whitening = whiten(measured, noises)
    for found in range(MOST_SHIFTS + 1):
        taken = lines.at[rows, :found]
        fitted = fit(_columns(values.shape[1], season, taken), values[rows], measured[rows], noises, whitening)
        _note(lines, rows, fitted, season=season, found=found)
        best = scan(fitted, whitening, noises.phi, may_begin(measured[rows], taken))
        lines.rivals[rows] = best.rivals
        more = best.at >= 0
        if found == MOST_SHIFTS or not more.any():
            break
        lines.at[rows[more], found] = best.at[more]
        rows = rows[more]
        whitening = Whitening(whitening.precision[:, more], whitening.memory[:, more], whitening.log_det[more])
    return lines


def _columns(n: int, season: int, taken: NDArray[np.intp]) -> Floats:
    """Season, steps and line, (c, n, season + steps + 1)."""
    time = np.arange(n)
    cycle = (time[:, None] % season == np.arange(season)).astype(float)
    steps = (time[:, None] >= taken[:, None, :]).astype(float)
    shape = (len(taken), n)
    return np.concatenate(
        [
            np.broadcast_to(cycle, (*shape, season)),
            steps,
            np.broadcast_to(np.linspace(-1, 1, n)[:, None], (*shape, 1)),
        ],
        axis=2,
    )


def _note(lines: Lines, rows: NDArray[np.intp], fitted: Fit, *, season: int, found: int) -> None:
    lines.log_weight[rows] = fitted.log_weight
    lines.freedom[rows] = fitted.freedom
    for known, new in zip(lines.slope, fitted.slope(), strict=True):
        known[rows] = new
    for k in range(found):
        for known, new in zip(lines.step, fitted.coefficient(season + k), strict=True):
            known[rows, k] = new
