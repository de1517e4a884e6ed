"""Series of further kinds, made up: so that the trained intervals do not only fit the series at hand.

Every kind draws its own parameters per series; the seed fixes them all.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from forecast_tasks import Floats, Task

Kind = Callable[[np.random.Generator, int, int], Floats]


def shocks(rng: np.random.Generator, n: int) -> Floats:
    """Unit noise: normal, or with heavy tails."""
    return rng.normal(size=n) if rng.random() < 0.5 else rng.standard_t(3, size=n) / np.sqrt(3)


def autoregressive(rng: np.random.Generator, n: int, phi: float) -> Floats:
    """AR(1) of unit variance."""
    out, state = np.empty(n), rng.normal()
    for i, shock in enumerate(shocks(rng, n) * np.sqrt(1 - phi * phi)):
        state = phi * state + shock
        out[i] = state
    return out


def random_walk(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001 - one signature for all kinds
    """A random walk, with or without drift."""
    return 50 + np.cumsum(shocks(rng, n) + rng.choice([0.0, 0.1, 0.3]) * rng.normal())


def around_level(rng: np.random.Generator, n: int, season: int) -> Floats:
    """AR(1) around a level, with a season."""
    return (
        100
        + wave(rng, n, season) * rng.choice([0, 1, 3])
        + 5 * autoregressive(rng, n, rng.choice([0.2, 0.6, 0.9, 0.97]))
    )


def trend_that_turns(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A slope that is itself a slow random walk, plus noise."""
    slope = rng.normal() + np.cumsum(rng.normal(size=n)) * rng.choice([0.003, 0.01, 0.03])
    return np.cumsum(slope) + rng.choice([0.5, 3.0, 10.0]) * shocks(rng, n) + wave(rng, n, season) * rng.choice([0, 3])


def bursts(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Storage that grows in rare jumps of very different size, sometimes cleaned up."""
    rate = rng.choice([0.01, 0.05, 0.2, 0.6])
    jumps = (rng.random(n) < rate) * rng.lognormal(0, rng.choice([0.5, 1.5, 2.5]), n)
    jumps *= np.where(rng.random(n) < rng.choice([0.0, 0.1, 0.4]), -1, 1)
    return 100 + np.cumsum(jumps) + rng.choice([0.0, 0.0, 0.05]) * rng.normal(size=n)


def growth_rate(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Growth in per cent: a random walk of the logarithm with a slow drift."""
    return 100 * np.exp(np.cumsum(rng.choice([0.002, 0.01, 0.03]) * shocks(rng, n) + rng.normal(0, 0.002)))


def near_bound(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A ratio close to one of its bounds."""
    level = 3 * rng.choice([-1, 1]) + 0.5 * wave(rng, n, season)
    return 1 / (1 + np.exp(-level - rng.choice([0.3, 1.0]) * autoregressive(rng, n, rng.choice([0.5, 0.95]))))


def line(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A straight line with a season, noise and gaps."""
    y = (
        20
        + rng.normal() * 0.1 * np.arange(n)
        + rng.choice([0.2, 1, 4]) * autoregressive(rng, n, rng.choice([0.0, 0.5, 0.8]))
    )
    y += wave(rng, n, season) * rng.choice([0, 1, 3])
    y[rng.random(n) < rng.choice([0, 0.05, 0.1])] = np.nan
    return y


def sawtooth(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Growth with a cleanup at a regular or irregular interval."""
    period, keep = rng.integers(8, 80), rng.choice([0.0, 0.3, 0.9])
    y, level, since = np.empty(n), 0.0, 0
    for i in range(n):
        since += 1
        level += 1
        if since >= period * rng.uniform(1 - keep / 2, 1 + keep / 2):
            level -= since * rng.uniform(0.6, 1.0)
            since = 0
        y[i] = level
    return y + rng.choice([0.1, 1.0, 4.0]) * rng.normal(size=n)


def steps(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A noisy level that shifts now and then."""
    shift = (rng.random(n) < rng.choice([0.003, 0.01])) * rng.normal(0, 5, n)
    return (
        50
        + np.cumsum(shift)
        + autoregressive(rng, n, rng.choice([0.0, 0.7]))
        + wave(rng, n, season) * rng.choice([0, 1])
    )


def load(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Requests: never negative, the noise grows with the level, with spikes."""
    shape = np.exp(0.7 * wave(rng, n, season) + 0.3 * autoregressive(rng, n, 0.8))
    spikes = (rng.random(n) < 0.02) * rng.lognormal(1, 1, n)
    return rng.choice([1.0, 50.0]) * (shape * rng.lognormal(0, 0.2, n) + spikes)


def wave(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A profile of unit size that repeats, over days and, for hourly values, over weekdays."""
    if season < 2:
        return np.sin(2 * np.pi * (np.arange(n) / 52 + rng.random()))
    profile = rng.normal(size=season)
    if season > 7:
        profile = np.convolve(np.tile(profile, 3), np.ones(5) / 2.2, "same")[season : 2 * season]
        week = np.where(np.arange(7) < rng.integers(5, 8), 1.0, rng.uniform(0.2, 1))
        return np.tile(np.concatenate([profile * day for day in week]), n // (7 * season) + 1)[:n]
    return np.tile(profile, n // season + 1)[:n]


KINDS: dict[str, Kind] = {
    "random walk": random_walk,
    "around level": around_level,
    "trend that turns": trend_that_turns,
    "bursts": bursts,
    "growth rate": growth_rate,
    "near bound": near_bound,
    "line": line,
    "sawtooth": sawtooth,
    "steps": steps,
    "load": load,
}


def made_up(shape: tuple[int, int], *, season: int, each: int = 60, seed: int = 0) -> Task:
    """*each* windows of every kind."""
    n, h = shape
    rows, names = [], []
    for kind, make in KINDS.items():
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), n, h])
        for i in range(each):
            y = make(rng, n + h, season)
            rows.append(y)
            names.append(f"{kind}/{i:03d}")
    table = np.array(rows)
    return Task(f"made {n}-{h}", season, table[:, :n], table[:, n:], tuple(names), tuple(names))
