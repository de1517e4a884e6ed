"""Series of further kinds, made up: so that the trained intervals do not only fit the series at hand.

Every kind draws its own parameters per series; the seed fixes them all.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

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
    start = rng.choice([0, 50, 1000])
    return start + np.cumsum(shocks(rng, n) + rng.choice([0.0, 0.1, 0.3]) * rng.normal())


def around_level(rng: np.random.Generator, n: int, season: int, phis: tuple[float, ...]) -> Floats:
    """AR(1) around a level of 1 to 300 of its standard deviations, with a season."""
    level = np.exp(rng.uniform(*np.log((1.0, 300.0))))
    return level + wave(rng, n, season) * rng.choice([0, 0.2, 0.6]) + autoregressive(rng, n, rng.choice(phis))


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


def clean_line(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A straight line that is hardly disturbed: what `line` is with a tenth to a thousandth of its noise."""
    noise = 10 ** rng.uniform(-2.3, -0.3)
    y = 20 + rng.normal() * 0.1 * np.arange(n) + noise * autoregressive(rng, n, rng.choice([0.0, 0.5, 0.8]))
    return y + noise * wave(rng, n, season) * rng.choice([0, 0, 1, 3])


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


def stepped(
    rng: np.random.Generator, n: int, season: int, *, history: int, phis: tuple[float, ...], sizes: tuple[float, float]
) -> Floats:
    """A noisy level that shifts once, in the newest 3 to 60 % of the *history*, and stays there: a deployment.

    It shifts by *sizes* standard deviations of the noise.
    """
    age = max(3, round(history * np.exp(rng.uniform(*np.log((0.03, 0.6))))))
    size = rng.choice([-1, 1, 1]) * np.exp(rng.uniform(*np.log(sizes)))
    noise = autoregressive(rng, n, rng.choice(phis)) + wave(rng, n, season) * rng.choice([0, 0, 1])
    later = np.arange(n) >= history - age
    before = abs(size) + np.exp(rng.uniform(*np.log((1.0, 300.0))))
    return before + noise * np.where(later, np.exp(rng.uniform(-0.3, 0.7)), 1.0) + size * later


def leaking(rng: np.random.Generator, n: int, season: int, history: int, noises: tuple[float, float]) -> Floats:
    """A level that begins to rise, in the newest 10 to 100 % of the *history*, and goes on: a leak.

    Its noise is of *noises* times what it has risen by the end of the history.
    """
    age = max(5, round(history * rng.uniform(0.3, 1.0) ** 2))
    noise = np.exp(rng.uniform(*np.log(noises)))
    disturbed = autoregressive(rng, n, rng.choice([0.0, 0.5])) + wave(rng, n, season) * rng.choice([0, 0, 1])
    before = np.exp(rng.uniform(*np.log((0.01, 100.0))))
    return before + noise * disturbed + np.maximum(np.arange(n) - (history - age), 0) / age


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


def filling(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A disk in per cent that fills by a line, a curve or jumps, and stays full."""
    rate = rng.choice([0.02, 0.1, 0.4]) * rng.uniform(0.3, 1.5)
    curve = (np.arange(n) / n) ** rng.choice([0.6, 1.0, 1.0, 2.0]) * n * rate
    jumps = np.cumsum((rng.random(n) < 0.02) * rng.exponential(2, n)) * rng.choice([0, 0, 1])
    noise = rng.choice([0.1, 0.5, 2.0]) * autoregressive(rng, n, rng.choice([0.0, 0.6]))
    return np.clip(rng.uniform(5, 90) + curve + jumps + noise + wave(rng, n, season) * rng.choice([0, 1]), 0, 100)


def plain(rng: np.random.Generator, n: int, season: int, noises: tuple[float, float]) -> Floats:  # noqa: ARG001
    """A disk in per cent that fills by a straight line, white noise between *noises* points, and stays full."""
    noise = np.exp(rng.uniform(*np.log(noises)))
    line = rng.uniform(5, 50) + rng.uniform(5, 120) * np.arange(n) / n
    return np.clip(line + rng.normal(0, noise, n), 0, 100)


def straight(rng: np.random.Generator, n: int, season: int, noises: tuple[float, float]) -> Floats:
    """`plain`, with noise that persists or a season in part of the series."""
    noise = np.exp(rng.uniform(*np.log(noises)))
    line = rng.uniform(5, 50) + rng.uniform(5, 120) * np.arange(n) / n
    disturbed = autoregressive(rng, n, rng.choice([0.0, 0.0, 0.6])) + wave(rng, n, season) * rng.choice([0, 0, 1])
    return np.clip(line + noise * disturbed, 0, 100)


def emptying(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Load in per cent that is often nothing: its lower end is cut off at 0."""
    level = rng.uniform(-1, 3) + wave(rng, n, season) * rng.choice([0, 1]) + rng.normal(0, 2) * np.arange(n) / n
    return np.clip(4 * (level + autoregressive(rng, n, rng.choice([0.2, 0.8, 0.97]))), 0, 100)


def ratio(rng: np.random.Generator, n: int, season: int) -> Floats:
    """`near_bound` in per cent, its bounds known."""
    return 100 * near_bound(rng, n, season)


def growth_of_growth(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Daily growth that is itself autoregressive around a mean."""
    return 500 + np.cumsum(
        rng.normal(0.5, 1) + rng.choice([0.3, 1, 3]) * autoregressive(rng, n, rng.choice([0.5, 0.9]))
    )


def logistic(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """An S-curve somewhere on its way, with noise."""
    x = (np.arange(n) / n - rng.uniform(0.2, 0.9)) * rng.uniform(4, 15)
    return 100 / (1 + np.exp(-x)) + rng.choice([0.1, 1.0]) * autoregressive(rng, n, rng.choice([0.0, 0.7]))


def walk_under_noise(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A random walk that is measured with noise, with a season."""
    walk = np.cumsum(rng.normal(size=n)) * rng.choice([0.1, 0.3, 1])
    return 50 + walk + shocks(rng, n) + wave(rng, n, season) * rng.choice([0, 2])


def rotation(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Logs kept for a number of days, written at a rate that wanders."""
    rate = np.exp(0.3 * autoregressive(rng, n + 100, 0.95) + np.cumsum(rng.normal(0, 0.01, n + 100)))
    kept = np.convolve(rate, np.ones(rng.integers(7, 60)))[100 : 100 + n]
    return kept + rng.choice([0.0, 0.3]) * rng.normal(size=n)


def relaxation(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Shocks that wear off: caches that fill again, queues that drain."""
    hits = (rng.random(n + 200) < rng.choice([0.01, 0.05])) * rng.exponential(5, n + 200)
    fading = np.exp(-np.arange(200) / rng.uniform(5, 60))
    return 30 + np.convolve(hits, fading)[200 : 200 + n] + rng.choice([0.1, 0.5]) * shocks(rng, n)


def wandering(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A season each of whose steps takes its own random walk."""
    size = max(season, 2)
    rounds = n // size + 1
    profile = rng.normal(0, 3, size) + np.cumsum(rng.normal(0, 0.3, (rounds, size)), axis=0)
    return 40 + profile.ravel()[:n] + 0.5 * shocks(rng, n)


def batches(rng: np.random.Generator, n: int, season: int) -> Floats:  # noqa: ARG001
    """Growth in equal lots at intervals that are nearly regular."""
    gaps = np.maximum(1, rng.normal(rng.uniform(3, 20), rng.choice([0.0, 1.0, 3.0]), n)).round().astype(int)
    at = np.cumsum(gaps)
    y = np.zeros(n)
    y[at[at < n]] = rng.uniform(1, 5)
    return 200 + np.cumsum(y) + rng.choice([0.0, 0.1, 1.0]) * rng.normal(size=n)


KINDS: dict[str, Kind] = {
    "random walk": random_walk,
    "white noise around a level": partial(around_level, phis=(0.0,)),
    "noise around a level": partial(around_level, phis=(0.2, 0.5, 0.8)),
    "noise around a level that persists": partial(around_level, phis=(0.9, 0.97)),
    "trend that turns": trend_that_turns,
    "bursts": bursts,
    "growth rate": growth_rate,
    "near bound": near_bound,
    "line": line,
    "clean line": clean_line,
    "sawtooth": sawtooth,
    "steps": steps,
    "load": load,
    "growth of growth": growth_of_growth,
    "logistic": logistic,
    "walk under noise": walk_under_noise,
    "rotation": rotation,
}

CAPPED: dict[str, Kind] = {
    "filling": filling,
    "filling by a clean line": partial(straight, noises=(0.005, 0.2)),
    "filling by a noisy line": partial(straight, noises=(0.2, 5.0)),
    "filling by a plain clean line": partial(plain, noises=(0.005, 0.05)),
    "filling by a plain line": partial(plain, noises=(0.05, 0.5)),
    "filling by a plain noisy line": partial(plain, noises=(0.5, 5.0)),
    "emptying": emptying,
    "ratio": ratio,
}
"""In per cent: forecast within 0 and 100."""
UNSEEN: dict[str, Kind] = {"relaxation": relaxation, "season that wanders": wandering, "batches": batches}
"""Never trained on: what `--check` looks at to see whether intervals hold on kinds nobody thought of."""


def lately(history: int) -> dict[str, Kind]:
    """What changed in the newest part of the *history*: only the change tells a step, which is over, from a rise."""
    return {
        "step in white noise": partial(stepped, history=history, phis=(0.0,), sizes=(1.5, 15.0)),
        "step in noise that persists": partial(stepped, history=history, phis=(0.5, 0.8), sizes=(1.5, 15.0)),
        "clean step": partial(stepped, history=history, phis=(0.0, 0.5), sizes=(15.0, 500.0)),
        "leak": partial(leaking, history=history, noises=(0.05, 0.5)),
        "clean leak": partial(leaking, history=history, noises=(0.001, 0.05)),
    }


def made_up(
    shape: tuple[int, int], season: int, *, name: str = "made", kinds: dict[str, Kind] = KINDS, each: int = 60
) -> Task:
    """*each* windows of every kind; the coverage of each kind is held for itself."""
    n, h = shape
    rows, names = [], []
    for kind, make in kinds.items():
        rng = np.random.default_rng([0, zlib.crc32(kind.encode()), n, h])
        for i in range(each):
            rows.append(make(rng, n + h, season))
            names.append(f"{kind}/{i:03d}")
    table = np.array(rows)
    bounds = (0.0, 100.0) if kinds is CAPPED else (None, None)
    held = tuple(f"{name} {n}-{h}/{one.split('/')[0]}" for one in names)
    return Task(f"{name} {n}-{h}", season, table[:, :n], table[:, n:], tuple(names), tuple(names), *bounds, held=held)
