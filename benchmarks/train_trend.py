"""Find what a level shift is weighed against: writes healthkit/trends/constants.py.

    python benchmarks/train_trend.py [--series 750] [--output healthkit/trends/constants.py]

Steps of 2 and 4 sd are to be found, within three days, in as many simulated series as can be, while no noise and no line
without a step has more than `FALSE_A_YEAR` false ones: F1 is maximised under that constraint by gradient ascent on the log
weights of `healthkit.trends.odds.Odds`, for series of `LENGTH` days. What a step must pass in series of other lengths is
then the least that keeps the false ones, or what makes F1 greatest where that is more. Seeds are not those of trend.py.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from trend_worlds import LINES_TRAINED, NOISES_TRAINED, World, worlds

from healthkit.trends.explanations import LINES
from healthkit.trends.noises import noises
from healthkit.trends.odds import Odds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LENGTH = 90
LENGTHS = (21, 30, 45, 60, 90, 180, 365)
FALSE_A_YEAR, PROMISED = 0.18, 0.2
"""False steps in the worst of the worlds, when weights are trained and when a threshold is set. The worst of many is partly
chance: the truth is a little below."""
TOLERATED = {"mixed": 0.6, "lognormal": 0.3}
"""The same in noise that the method does not assume: no more than before these constants were found by training."""
GOALS = {
    (0.0, 2.0): 1.0,
    (0.3, 2.0): 0.3,
    (0.5, 2.0): 1.0,
    (0.8, 2.0): 0.2,
    (0.0, 4.0): 0.2,
    (0.5, 4.0): 0.3,
    (0.8, 4.0): 0.5,
}
"""How much F1 counts, by correlation and size of the step."""
BESIDE_A_LINE = 0.2
"""The same where there is a line as well."""
KNOTS = np.array([0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.97])
DAYS_PER_YEAR = 365
_ROUNDS, _ASCENTS, _RATE = 4, 120, 0.05
_K, _L = len(KNOTS), len(LINES) + 2
_GRID = noises()
# how much of each knot each noise of the grid has
_SHARE = np.stack([np.interp(_GRID.phi, KNOTS, row) for row in np.eye(_K)], axis=1)
_WHITE = (_GRID.white > 0).astype(float)


@dataclass(frozen=True)
class Seen:
    """What speaks for and against the best step of every series, world after world."""

    still: Floats
    """Explanations without a step under each noise."""
    beside: Floats
    """Explanations with the best step under each noise."""
    hits: list[NDArray[np.bool_]]
    """Whether that is the step there is, by world."""

    @classmethod
    def under(cls, some: list[World], odds: Odds) -> Seen:
        """With the best steps as *odds* have them."""
        found = [world.best(odds) for world in some]
        return cls(
            still=np.concatenate([world.still.reshape(len(world.still), -1) for world in some]),
            beside=np.concatenate([parts for _, parts in found]),
            hits=[world.hits(at) for world, (at, _) in zip(some, found, strict=True)],
        )


def main() -> None:
    """Train, and write the constants."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=750, help="series of each world")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parents[1] / "healthkit" / "trends" / "constants.py"
    )
    options = parser.parse_args()
    odds = train(worlds(np.random.default_rng(101), options.series, LENGTH))
    passes: list[float] = []
    for n in LENGTHS:
        # false steps are rare in short series: it takes more of them
        some = round(options.series * float(np.clip((LENGTH / n) ** 0.7, 0.4, 2.5)))
        # the weights are trained for a threshold of 0; longer series ask no less
        asked = 0.0 if n == LENGTH else threshold(worlds(np.random.default_rng(1000 + n), some, n), odds)
        passes.append(max(asked, passes[-1]) if n > LENGTH else asked)
        print(f"{n} values: a step must pass {passes[-1]:.2f}", flush=True)
    options.output.write_text(source(odds, np.array(passes)), encoding="utf-8")


def train(some: list[World]) -> Odds:
    """The weights that find most steps."""
    theta = start()
    for round_ in range(_ROUNDS):
        odds = unpack(theta)
        seen = Seen.under(some, odds)
        # a step in a logistic curve that gets steeper, so that there is a gradient
        soft = max(0.25, 0.6 / (1 + round_))
        first, second = np.zeros((2, theta.size))
        for k in range(1, _ASCENTS + 1):
            gradient = ascent(theta, some, seen, soft)
            first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
            theta = theta + _RATE * first / (1 - 0.9**k) / (np.sqrt(second / (1 - 0.99**k)) + 1e-4)
    return unpack(theta)


def ascent(theta: Floats, some: list[World], seen: Seen, soft: float) -> Floats:
    """Gradient of what is maximised: weighted F1, less a penalty on false steps that are too many."""
    odds = unpack(theta)
    weight = odds.beside(_GRID)
    for_step, share = log_sum(seen.beside + np.concatenate([weight, weight + odds.both]))
    for_none, rest = log_sum(seen.still + odds.without(_GRID).ravel())
    claimed = 1 / (1 + np.exp(-np.clip((for_step - for_none) / soft, -30, 30)))
    ends = np.cumsum([len(world.still) for world in some])
    slope = np.concatenate(
        [
            _counts(world, part, hit)
            for world, part, hit in zip(some, np.split(claimed, ends[:-1]), seen.hits, strict=True)
        ]
    )
    slope *= claimed * (1 - claimed) / soft
    up, down = share.T @ slope, -(rest.T @ slope).reshape(len(_WHITE), _L)
    alone, both = np.split(up, 2)
    out = np.concatenate(
        [
            _SHARE.T @ down.sum(axis=1),
            _SHARE.T @ (alone + both),
            [_WHITE @ down.sum(axis=1), _WHITE @ (alone + both)],
            down.sum(axis=0),
            [both.sum()],
        ]
    )
    # one weight of the lines is the unit of the others
    out[2 * _K + 2] = 0
    return out


def _counts(world: World, claimed: Floats, hit: NDArray[np.bool_]) -> Floats:
    """How what is maximised grows with each claim."""
    n = len(claimed)
    if world.size is None:
        most = TOLERATED.get(str(world.noise), FALSE_A_YEAR) * world.n / DAYS_PER_YEAR
        return np.full(n, -2e3 * max(0.0, claimed.mean() - most) / n)
    goal = BESIDE_A_LINE if world.line else GOALS.get((float(world.noise), world.size), 0.0)
    total = claimed.sum() + n
    return goal * (2 * hit / total - 2 * (claimed * hit).sum() / total**2)


def threshold(some: list[World], odds: Odds) -> float:
    """The least that keeps false steps, or what makes F1 greatest where that is more."""
    margins = [world.margins(odds) for world in some]
    least = max(
        float(np.quantile(margin, 1 - PROMISED * world.n / DAYS_PER_YEAR))
        for world, (_, margin) in zip(some, margins, strict=True)
        if world.size is None and world.noise in NOISES_TRAINED and world.line in LINES_TRAINED
    )

    flat = {
        world.noise: margin
        for world, (_, margin) in zip(some, margins, strict=True)
        if world.line == 0 and world.size is None
    }

    def value(passes: float) -> float:
        total = 0.0
        for world, (at, margin) in zip(some, margins, strict=True):
            if world.size is not None and not world.line:
                claimed = margin > passes
                # where there is a step, others are looked for on either side
                more = 2 * np.mean(flat[world.noise] > passes + odds.another)
                f1 = 2 * (claimed & world.hits(at)).sum() / (claimed.sum() * (1 + more) + len(claimed))
                total += GOALS.get((float(world.noise), world.size), 0.0) * f1
        return total

    return max((least + more for more in np.linspace(0, 6, 61)), key=value)


def start() -> Floats:
    """Where training starts."""
    theta = np.zeros(2 * _K + 2 + _L + 1)
    theta[:_K] = 3.0
    theta[2 * _K + 2 : -1] = [0.0, 0.0, 0.0, 0.0, -1.0, -1.5, 1.0]
    theta[-1] = -2.0
    return theta


def unpack(theta: Floats) -> Odds:
    """Numbers that are trained, as odds."""
    noise, beside, white, lines, both = np.split(theta, np.cumsum([_K, _K, 2, _L]))
    return Odds(
        phi=KNOTS,
        noise=noise,
        noise_beside=beside,
        white=float(white[0]),
        white_beside=float(white[1]),
        lines=lines,
        both=float(both[0]),
        steps=np.array([float(LENGTH)]),
        passes=np.zeros(1),
    )


def log_sum(logs: Floats) -> tuple[Floats, Floats]:
    """Logarithm of the sum of each row, and the share that each number has in it."""
    top = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - top)
    total = shares.sum(axis=1, keepdims=True)
    return (np.log(total) + top)[:, 0], shares / total


def source(odds: Odds, passes: Floats) -> str:
    """The module that holds the constants."""

    def row(values: object) -> str:
        return "np.array([" + ", ".join(f"{round(float(value), 2)!r}" for value in np.ravel(values)) + "])"

    return f'''"""What a level shift is weighed against. Generated: ``python benchmarks/train_trend.py`` writes this file."""

from __future__ import annotations

import numpy as np

from healthkit.trends.odds import Odds

ODDS = Odds(
    phi={row(odds.phi)},
    noise={row(odds.noise)},
    noise_beside={row(odds.noise_beside)},
    white={round(odds.white, 2)!r},
    white_beside={round(odds.white_beside, 2)!r},
    lines={row(odds.lines)},
    both={round(odds.both, 2)!r},
    steps={row(LENGTHS)},
    passes={row(passes)},
)
'''


if __name__ == "__main__":
    main()
