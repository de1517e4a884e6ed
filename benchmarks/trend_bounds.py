"""How well anyone could find a step: whoever knows the noise, its correlation, and how large the step would be.

A detector that knows all this compares two likelihoods, of a step anywhere in the middle 70 % and of lines of every size up
to 4 sd in the least favourable mixture, and claims a step where their ratio passes a threshold that keeps every line at 0.2
false steps a year. By the lemma of Neyman and Pearson no other finds more steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from trend_simulations import WEEK, dressed, line, noise, steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HEAD = ["n", "φ", "F1, existence known", "F1, with 0.2 false ones a year"]
_CHANGES = np.array([0.0, 1, -1, 2, -2, 3, -3, 4, -4])
_FALSE_A_YEAR = 0.2
_NEAR = 3


def row(n: int, phi: float, size: float, n_series: int) -> list[str]:
    """The best F1 within three days for one length and correlation: where a step is known to be, and where it is not."""
    rng = np.random.default_rng(8)
    nulls = {}
    for change in (0.0, 1.0, 2.0, 3.0, 4.0):
        nulls[change] = likelihoods(dressed(rng, noise(rng, (n_series, n), phi)) + line(n, change), phi, size)
    added, at = steps(rng, (n_series, n), size)
    step, lines = likelihoods(dressed(rng, noise(rng, (n_series, n), phi)) + added, phi, size)
    weight, threshold = least_favourable(nulls, _FALSE_A_YEAR * n / 365)
    claimed = ratio(step, lines, weight) > threshold
    hits = np.abs(located(step) + int(0.15 * n) - at) <= _NEAR
    score = 2 * (hits & claimed).sum() / (claimed.sum() + n_series)
    return [str(n), f"{phi:g}", f"{hits.mean():.2f}", f"{score:.2f}"]


def likelihoods(rows: Floats, phi: float, size: float) -> tuple[Floats, Floats]:
    """Log-likelihood ratios to nothing: of a step at each place (c, places), and of each line (c, changes)."""
    n = rows.shape[1]
    places = np.arange(int(0.15 * n), int(0.85 * n))
    out = [_likelihood(values, k % 3 > 0, phi, size, places) for k, values in enumerate(rows)]
    step, lines = zip(*out, strict=True)
    return np.array(step), np.array(lines)


def _likelihood(
    values: Floats, has_week: bool, phi: float, size: float, places: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    at = np.flatnonzero(np.isfinite(values))
    root = np.linalg.cholesky(phi ** np.abs(at[:, None] - at) if phi else np.eye(len(at)))
    nuisance = at[:, None] % WEEK == np.arange(WEEK) if has_week else np.ones((len(at), 1))
    columns = [nuisance, values[at], line(len(values), 1.0)[at], at[:, None] >= places]
    white = solve_triangular(root, np.column_stack(columns).astype(float), lower=True)
    basis, _ = np.linalg.qr(white[:, : nuisance.shape[1]])
    rest = white[:, nuisance.shape[1] :] - basis @ (basis.T @ white[:, nuisance.shape[1] :])
    value, slope, step = rest[:, 0], rest[:, 1], rest[:, 2:]
    meets, square = step.T @ value, (step**2).sum(axis=0)
    either = np.logaddexp(size * meets, -size * meets) - size**2 * square / 2 - np.log(2 * len(places))
    return either, _CHANGES * (slope @ value) - _CHANGES**2 * (slope @ slope) / 2


def ratio(step: Floats, lines: Floats, weight: Floats) -> Floats:
    """Log-likelihood of a step anywhere over that of the weighted lines, (c,)."""
    return np.asarray(logsumexp(step, axis=1) - logsumexp(lines + weight, axis=1))


def located(step: Floats) -> NDArray[np.intp]:
    """The place around which most of the likelihood lies within three days, (c,)."""
    share = np.exp(step - step.max(axis=1, keepdims=True))
    sums = np.cumsum(np.pad(share, ((0, 0), (_NEAR + 1, _NEAR))), axis=1)
    return np.asarray(np.argmax(sums[:, 2 * _NEAR + 1 :] - sums[:, : -2 * _NEAR - 1], axis=1))


def least_favourable(nulls: dict[float, tuple[Floats, Floats]], share: float) -> tuple[Floats, float]:
    """Weights of the lines, and the threshold, for which none has more than *share* false steps a series."""
    weight = np.full(len(_CHANGES), -np.log(len(_CHANGES)))
    threshold = 0.0
    for _ in range(60):
        scores = {change: ratio(*null, weight) for change, null in nulls.items()}
        threshold = max(float(np.quantile(score, 1 - share)) for score in scores.values())
        for change, score in scores.items():
            heavier = 0.25 * np.log((np.mean(score > threshold) + 0.002) / (share + 0.002))
            weight[np.abs(_CHANGES) == change] += heavier
        weight -= logsumexp(weight)
    return weight, threshold
