"""The line, the season and the steps of a chunk of series, found jointly: fit, look for a step, fit again with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from healthkit.trends.constants import ODDS
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
# By how much a step must pass the threshold, as a logarithm, for even odds that it is there. Steps that just pass are often
# chance, and a line beside a chance step is often significant.
_EVEN_ODDS = 2.0


@dataclass(frozen=True)
class Lines:
    """Fits of c series under g noises with 0 to MOST_SHIFTS steps, filled in round by round.

    The slope is averaged over the numbers of steps as it is over the noises: a step that is just believed leaves the
    slope uncertain, and taking it for granted would hide that.
    """

    log_weight: Floats
    """Log of the share of each number of steps and noise, -inf where not fitted, (c, MOST_SHIFTS + 1, g)."""
    freedom: Floats
    """Degrees of freedom, (c, MOST_SHIFTS + 1)."""
    slope: Floats
    """Over half the length of the series, and its standard error, (2, c, MOST_SHIFTS + 1, g)."""
    size: Floats
    """Of each step and its standard error, in the fit with all believed steps, (2, c, MOST_SHIFTS, g)."""
    at: NDArray[np.intp]
    """Where the steps begin, -1 = none, in the order they were found, (c, MOST_SHIFTS)."""
    rivals: Mask
    """Whether one more step would do what the line does, (c,)."""

    @classmethod
    def empty(cls, c: int, g: int) -> Lines:
        """Nothing fitted yet."""
        return cls(
            log_weight=np.full((c, MOST_SHIFTS + 1, g), -np.inf),
            freedom=np.ones((c, MOST_SHIFTS + 1)),
            slope=np.ones((2, c, MOST_SHIFTS + 1, g)),
            size=np.ones((2, c, MOST_SHIFTS, g)),
            at=np.full((c, MOST_SHIFTS), -1),
            rivals=np.zeros(c, dtype=bool),
        )

    def fits(self) -> NDArray[np.intp]:
        """How many numbers of steps were fitted to each series, (c,)."""
        fits: NDArray[np.intp] = np.isfinite(self.log_weight[..., 0]).sum(axis=1)
        return fits

    def slopes(self, rows: NDArray[np.intp], fits: int) -> Mixture:
        """The slope of some series that were fitted with the same *fits* numbers of steps."""
        shape = (len(rows), -1)
        log_weight, freedom = self.log_weight[rows, :fits], self.freedom[rows, :fits, None]
        centre, error = (part[rows, :fits].reshape(shape) for part in self.slope)
        spread_out = np.broadcast_to(freedom, log_weight.shape).reshape(shape)
        return mixture(log_weight.reshape(shape), centre, error, spread_out)

    def sizes(self, rows: NDArray[np.intp], k: int) -> Mixture:
        """The size of the k-th step of some series that have it, all their steps given."""
        last = (self.at[rows] >= 0).sum(axis=1)
        centre, error = self.size[:, rows, k]
        return mixture(self.log_weight[rows, last], centre, error, self.freedom[rows, last, None])


def draw(values: Floats, measured: Mask, noises: Noises, *, season: int) -> Lines:
    """Fit each series, add the step that is believed, and again until none is.

    Args:
        values: (c, n), of the order of 1, finite everywhere.
        measured: (c, n).
        noises: The grid.
        season: Steps of the cycle.
    """
    c, n = values.shape
    lines = Lines.empty(c, noises.phi.size)
    rows, odds = np.arange(c), np.zeros(c)
    taken = lines.at[:, :0]
    whitening = whiten(measured, noises)
    for found in range(MOST_SHIFTS + 1):
        fitted = fit(columns(n, season, taken), values[rows], measured[rows], noises, whitening)
        _note_slope(lines, rows, fitted, odds, found)
        _note_steps(lines, rows, fitted, taken)
        if found == MOST_SHIFTS:
            break
        best = scan(fitted, whitening, noises, may_begin(measured[rows], taken))
        lines.rivals[rows] = best.rivals
        more = best.margin > (ODDS.another if found else 0.0)
        if not more.any():
            break
        taken = np.concatenate([taken[more], best.at[more, None]], axis=1)
        rows, odds = rows[more], odds[more] + best.margin[more] - _EVEN_ODDS
        whitening = Whitening(whitening.precision[:, more], whitening.memory[:, more], whitening.log_det[more])
    return lines


def columns(n: int, season: int, taken: NDArray[np.intp]) -> Floats:
    """Season, steps and line, (c, n, season + steps + 1)."""
    time = np.arange(n)
    shape = (len(taken), n)
    cycle = np.broadcast_to(time[:, None] % season == np.arange(season), (*shape, season))
    line = np.broadcast_to(np.linspace(-1, 1, n)[:, None], (*shape, 1))
    return np.concatenate([cycle, time[:, None] >= taken[:, None, :], line], axis=2)


def _note_slope(lines: Lines, rows: NDArray[np.intp], fitted: Fit, odds: Floats, found: int) -> None:
    top = fitted.log_weight.max(axis=1, keepdims=True)
    share = fitted.log_weight - top - np.log(np.exp(fitted.log_weight - top).sum(axis=1, keepdims=True))
    lines.log_weight[rows, found] = share + odds[:, None]
    lines.freedom[rows, found] = fitted.freedom
    lines.slope[:, rows, found] = fitted.slope()


def _note_steps(lines: Lines, rows: NDArray[np.intp], fitted: Fit, taken: NDArray[np.intp]) -> None:
    found = taken.shape[1]
    lines.at[rows, :found] = taken
    for k in range(found):
        # the columns before the line, which comes before the values
        lines.size[:, rows, k] = fitted.coefficient(fitted.root.shape[-1] - 2 - found + k)
