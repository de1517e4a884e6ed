"""Is a week's p95 called changed when nothing did? Simulated minutes, reduced to days as `healthkit.changes` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from trend_simulations import WEEK

from healthkit.changes import change_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MINUTES = 1440
HISTORIES = (2, 4, 8, 12)
BOOTSTRAPPED = 60
"""Series of the two bootstraps: they are slow."""
HEAD = [*(f"{weeks} weeks: changed / width" for weeks in HISTORIES), "minute bootstrap", "day bootstrap"]
_BUSY = np.array([0, 0, 0.3, 0, 0.2, -1, -1.2])


def rows(n_series: int) -> Iterator[list[str]]:
    """One row for each correlation of minutes, and one where days differ as well."""
    for phi, days_differ in ((0.9, 0.0), (0.99, 0.0), (0.998, 0.0), (0.9995, 0.0), (0.98, 0.5)):
        rng = np.random.default_rng(7)
        weeks = max(HISTORIES)
        p95 = np.empty((n_series, weeks * WEEK))
        claims = np.zeros((2, min(n_series, BOOTSTRAPPED)))
        for k in range(n_series):
            minutes = simulate(rng, weeks, phi, days_differ)
            p95[k] = np.quantile(minutes, 0.95, axis=1)
            if k < BOOTSTRAPPED:
                two = minutes[-2 * WEEK : -WEEK], minutes[-WEEK:]
                claims[:, k] = minute_bootstrap(rng, *two), day_bootstrap(rng, *two)
        cells = [judged(p95[:, -WEEK * some :]) for some in HISTORIES]
        label = f"{phi:g}" + (", and days differ by 0.5 sd, φ 0.5" if days_differ else "")
        yield [label, *cells, *(f"{share:.2f}" for share in claims.mean(axis=1))]


def simulate(rng: np.random.Generator, weeks: int, phi: float, days_differ: float) -> Floats:
    """Minutes of one series, (days, 1440)."""
    from scipy.signal import lfilter

    n = weeks * WEEK * MINUTES
    days = lfilter([1], [1, -0.5], rng.standard_normal(weeks * WEEK)) * np.sqrt(0.75) * days_differ
    wander = lfilter([1], [1, -phi], rng.standard_normal(n)) * np.sqrt(1 - phi**2)
    cycle = np.sin(2 * np.pi * np.arange(MINUTES) / MINUTES)
    day = np.arange(weeks * WEEK)
    return np.asarray(wander.reshape(-1, MINUTES) + cycle + (_BUSY[day % WEEK] + days)[:, None])


def judged(p95: Floats) -> str:
    """Share called changed, and the mean width against the ideal one."""
    day = np.arange(p95.shape[1])
    before, after = (day >= len(day) - 2 * WEEK) & (day < len(day) - WEEK), day >= len(day) - WEEK
    batch = change_many(p95, before=before, after=after)
    truth = (p95[:, after].mean(axis=1) - p95[:, before].mean(axis=1)).std()
    return f"{batch.changed.mean():.3f} / {(batch.upper - batch.lower).mean() / (3.92 * truth):.2f}"


def minute_bootstrap(rng: np.random.Generator, before: Floats, after: Floats) -> bool:
    """Whether the interval of 200 resamplings of single minutes leaves 0 out."""
    draws = [
        np.quantile(rng.choice(after.ravel(), after.size), 0.95)
        - np.quantile(rng.choice(before.ravel(), before.size), 0.95)
        for _ in range(200)
    ]
    return leaves_out_zero(draws)


def day_bootstrap(rng: np.random.Generator, before: Floats, after: Floats) -> bool:
    """The same with whole days."""
    draws = [
        np.quantile(after[rng.integers(0, WEEK, WEEK)], 0.95) - np.quantile(before[rng.integers(0, WEEK, WEEK)], 0.95)
        for _ in range(200)
    ]
    return leaves_out_zero(draws)


def leaves_out_zero(draws: list[float]) -> bool:
    """Whether the middle 95 % lie on one side."""
    lower, upper = np.quantile(draws, [0.025, 0.975])
    return bool(lower > 0 or upper < 0)
