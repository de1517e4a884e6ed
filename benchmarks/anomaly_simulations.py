"""Series as servers have them, without and with one anomaly whose place is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Make = Callable[[np.random.Generator, int, int, int], "Floats"]
"""(generator, series, steps, season) to values."""

ANOMALIES = (
    ("spike", 6), ("spike", 10), ("shift", 4), ("shift", 8), ("flat-line", 1), ("gap", 1), ("variance change", 4),
)  # fmt: skip
"""Kind, and size in standard deviations of the noise (a factor for a change of variance; a day for the others)."""


def noise(rng: np.random.Generator, count: int, steps: int, phi: float) -> Floats:
    """AR(1) of standard deviation 1."""
    raw = rng.normal(size=(count, steps + 200))
    return lfilter([1], [1, -phi], raw, axis=1)[:, 200:] * np.sqrt(1 - phi**2)


def clock(steps: int, season: int) -> Floats:
    """A day's, or a week's, rhythm."""
    return np.sin(2 * np.pi * np.arange(steps) / season)


def quiet(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """White noise."""
    return 50 + noise(rng, count, steps, 0.0) + 0.0 * season


def daily(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """A rhythm of 3 sd and autocorrelated noise."""
    return 50 + 3 * clock(steps, season) + noise(rng, count, steps, 0.6)


def busy(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """Values whose noise grows with their level: requests, traffic."""
    return np.exp(3 + 0.6 * clock(steps, season) + 0.25 * noise(rng, count, steps, 0.5))


def heavy(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """Student's t with 4 degrees of freedom: response times."""
    return 50 + 2 * clock(steps, season) + rng.standard_t(4, size=(count, steps))


def growing(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """A disk: a slope, small autocorrelated noise, 5 % of the values missing."""
    values = 100 + np.linspace(0, 40, steps) + 0.5 * clock(steps, season) + noise(rng, count, steps, 0.9)
    return np.where(rng.random(values.shape) < 0.05, np.nan, values)


def counts(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """Poisson counts: errors, processes."""
    return rng.poisson(6 + 2 * clock(steps, season), size=(count, steps)).astype(float)


FAMILIES: dict[str, Make] = {
    "white noise": quiet, "rhythm and AR(1)": daily, "log-normal": busy, "t with 4 df": heavy, "growing, gaps": growing,
    "counts": counts,
}  # fmt: skip


def sawtooth(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """A disk that fills and is cleaned up every few cycles, at its own pace."""
    length = rng.uniform(1.5, 6, (count, 1)) * season
    at = np.arange(steps) + rng.uniform(0, 1, (count, 1)) * length
    return 30 + 40 * (at / length % 1) + noise(rng, count, steps, 0.5)


def two_peaks(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """Two peaks a day, less on two days of seven: a shop; rounded to whole requests."""
    phase = 2 * np.pi * np.arange(steps) / season
    quiet = np.where(np.arange(steps) // max(1, season if season > 7 else 1) % 7 < 5, 1.0, 0.55)
    level = quiet * (40 + 12 * np.sin(phase) + 10 * np.sin(2 * phase + rng.uniform(0, 6, (count, 1))))
    return np.round(level * np.exp(0.08 * noise(rng, count, steps, 0.4)))


def wandering(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """A level that wanders: memory of a program, queue lengths."""
    return 60 + np.cumsum(rng.normal(size=(count, steps)), axis=1) / np.sqrt(season) + 0.3 * clock(steps, season)


def bursts(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """Gamma of shape 2 with a rhythm: waiting times, which are long at times."""
    return rng.gamma(2.0, 3 + clock(steps, season), size=(count, steps))


def idle(rng: np.random.Generator, count: int, steps: int, season: int) -> Floats:
    """Mostly zero, with a few events at any time: errors, retries."""
    return rng.poisson(0.15 + 0.0 * season, size=(count, steps)).astype(float)


HELD_OUT: dict[str, Make] = {
    "sawtooth": sawtooth, "two peaks and weekends": two_peaks, "wandering level": wandering, "gamma bursts": bursts,
    "mostly zero": idle,
}  # fmt: skip
"""Written after the detector's constants were set, and never used to choose them."""


def inject(
    rng: np.random.Generator, clean: Floats, kind: str, size: float, season: int
) -> tuple[Floats, list[tuple[int, int]]]:
    """The series with one anomaly each in the middle 60 %, and (first, last) step of it."""
    values = clean.copy()
    count, steps = clean.shape
    scale = np.nanstd(np.diff(clean, axis=1), axis=1) / np.sqrt(2)
    windows = []
    for row in range(count):
        at = int(rng.integers(int(0.2 * steps), int(0.8 * steps)))
        end = at + 1
        if kind == "spike":
            values[row, at] = np.nanmedian(values[row, max(0, at - 3) : at + 4]) + size * scale[row]
        elif kind == "shift":
            values[row, at:] += size * scale[row]
        elif kind in {"flat-line", "gap"}:
            end = at + max(8, season)
            values[row, at:end] = values[row, at - 1] if kind == "flat-line" else np.nan
            values[row, at:end] = np.where(
                np.isnan(values[row, at:end]) & (kind == "flat-line"), 50.0, values[row, at:end]
            )
        else:
            smooth = np.nanmedian(values[row])
            values[row, at:] = smooth + size * (values[row, at:] - smooth)
        windows.append((at, end))
    return values, windows
