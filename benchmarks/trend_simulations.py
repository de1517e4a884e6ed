"""Series whose truth is known: correlated noise with season, gaps, heavy tails, trends and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Tails = Literal["normal", "t3", "spikes"]
WEEK = 7


def noise(rng: np.random.Generator, shape: tuple[int, int], phi: float, tails: Tails = "normal") -> Floats:
    """AR(1) of variance 1; with t3 innovations, or with 3 % of the values spikes of 4 to 12 standard deviations."""
    n_series, n_obs = shape
    fresh = rng.standard_t(3, shape) / np.sqrt(3) if tails == "t3" else rng.standard_normal(shape)
    out = np.empty(shape)
    out[:, 0] = rng.standard_normal(n_series)
    for t in range(1, n_obs):
        out[:, t] = phi * out[:, t - 1] + np.sqrt(1 - phi**2) * fresh[:, t]
    if tails == "spikes":
        out += (rng.random(shape) < 0.03) * rng.uniform(4, 12, shape)
    return out


def dressed(rng: np.random.Generator, values: Floats) -> Floats:
    """A third as they are, a third with a weekly season of 1.5 sd and 10 % missing, a third with 3 sd and 30 %."""
    n_series, n_obs = values.shape
    kind = np.arange(n_series) % 3
    week = rng.standard_normal((n_series, WEEK))
    week = (week - week.mean(axis=1, keepdims=True)) / week.std(axis=1, keepdims=True)
    size = np.array([0, 1.5, 3.0])[kind][:, None]
    missing = rng.random(values.shape) < np.array([0, 0.1, 0.3])[kind][:, None]
    return np.where(missing, np.nan, values + size * week[:, np.arange(n_obs) % WEEK])


def units(rng: np.random.Generator, n_series: int) -> Floats:
    """Factors from a thousandth to a milliard, (n_series, 1)."""
    return 10.0 ** rng.uniform(-3, 9, (n_series, 1))


def line(n_obs: int, change: float) -> Floats:
    """A line that rises by *change* from the first value to the last."""
    return change * np.linspace(0, 1, n_obs)


def steps(rng: np.random.Generator, shape: tuple[int, int], size: float) -> tuple[Floats, NDArray[np.int64]]:
    """One step of *size* in the middle 70 % of each series, up or down, and where it begins."""
    n_series, n_obs = shape
    at = rng.integers(int(0.15 * n_obs), int(0.85 * n_obs), n_series)
    sign = rng.choice([-1.0, 1.0], n_series)[:, None]
    return size * sign * (np.arange(n_obs) >= at[:, None]), at
