"""Straight lines of every cleanness, leaks, steps and plain noise, and write ``docs/forecast-lines.md``: a disk that fills is the commonest case.

    python benchmarks/forecast_lines.py

Lines in per cent, between the bounds 0 and 100, with white noise, that rise by some points over the history and go on: lines of
this kind are trained on, these are not. And lines that begin to rise, or that make one step, not long ago; and noise around a
level that stays. Twenty seconds on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from healthkit.forecasts import forecast_many

if TYPE_CHECKING:
    from forecast_tasks import Floats

TARGET = Path(__file__).parents[1] / "docs" / "forecast-lines.md"
SHAPES = ((90, 30), (90, 180), (365, 30), (365, 180))
RISES = (30, 65)
NOISES = (0.01, 0.05, 0.3, 1.0, 4.0)
SERIES = 300
HEAD = """# Forecasts of straight lines: coverage by noise

`python benchmarks/forecast_lines.py` writes this page. Simulated disks in per cent that rise in a straight line from 10 %, over
their history by the points given, and go on until 100 %; white noise of the standard deviation given, in points. Share of future
values inside the 80 % and the 95 % interval, of 300 series. Too much is an interval that is wider than it need be; too little
is one that claims more than it knows.

"""
LATE_NOISES = (0.05, 0.3, 1.0)
SINCE = ((35, 7), (35, 17), (90, 10), (90, 30), (90, 60), (365, 30), (365, 180))
"""Days of history, and for how many of them it has changed."""
CHANGE, AHEAD = 15.0, 30
LATELY_HEAD = f"""
## What changed lately

Disks with such noise that stay at 10 % and then either rise, by {CHANGE:g} points until today, and go on (a leak), or step up by
{CHANGE:g} points and stay (a deployment). {AHEAD} days ahead, on average: the share of the further rise that the forecast has, which
should be 1, or how much of another step it adds, which should be 0; and the share of future values inside the 80 % interval. A
week of rising is enough to tell a leak from a step, unless noise hides it: then three quarters of the rise are forecast. After a
step in values with little noise the interval is sometimes a little too narrow.

"""
PHIS, STEADY = (0.0, 0.8, 0.97), ((30, 180), (60, 180), (90, 180), (365, 180), (365, 30))
STEADY_HEAD = """
## Nothing changed

Noise of standard deviation 5 around 50, white or correlated from day to day by the number given (AR(1)), between the bounds 0
and 100: share of future values inside the 80 % and the 95 % interval, and the share of series that are expected to reach 80,
which is six standard deviations away. With a year of history half a year ahead, and where days are nearly alike, the 80 % interval
is a little too narrow.

"""


def disks(path: Floats, n: int, noise: float) -> tuple[Floats, dict[int, float]]:
    """The mean forecast (horizon,) of disks that go along *path* with *noise*, seen for *n* days, and the shares inside."""
    values = np.clip(path + np.random.default_rng(1).normal(0, noise, (SERIES, len(path))), 0, 100)
    batch = forecast_many(values[:, :n], len(path) - n, lower_bound=0, upper_bound=100)
    future = values[:, n:]
    inside = {k: float(((future >= batch.lower[k]) & (future <= batch.upper[k])).mean()) for k in batch.lower}
    return batch.mean.mean(axis=0), inside


def covered(n: int, horizon: int, rise: float, noise: float) -> str:
    """Shares inside the 80 % and the 95 % interval."""
    _, inside = disks(10 + rise * np.arange(n + horizon) / n, n, noise)
    return f"{inside[80]:.2f} / {inside[95]:.2f}"


def leaks(n: int, age: int, noise: float) -> str:
    """The share of the further rise that is forecast, and the share inside 80 %."""
    path = 10 + CHANGE * np.maximum(np.arange(n + AHEAD) - (n - age), 0) / age
    mean, inside = disks(path, n, noise)
    return f"{(mean[-1] - path[n - 1]) / (path[-1] - path[n - 1]):.2f} / {inside[80]:.2f}"


def steps(n: int, age: int, noise: float) -> str:
    """How much of another step is forecast, and the share inside 80 %."""
    path = 10 + CHANGE * (np.arange(n + AHEAD) >= n - age)
    mean, inside = disks(path, n, noise)
    return f"{(mean[-1] - path[-1]) / CHANGE:z.2f} / {inside[80]:.2f}"


def steady(n: int, horizon: int, phi: float) -> str:
    """Shares inside the 80 % and the 95 % interval, and the share that is expected to reach 80."""
    shocks = np.random.default_rng(1).normal(size=(SERIES, n + horizon))
    shocks[:, 1:] *= np.sqrt(1 - phi**2)
    values = 50 + 5 * lfilter([1], [1, -phi], shocks)
    batch = forecast_many(values[:, :n], horizon, lower_bound=0, upper_bound=100)
    future = values[:, n:]
    inside = (((future >= batch.lower[k]) & (future <= batch.upper[k])).mean() for k in (80, 95))
    return " / ".join(f"{share:.2f}" for share in (*inside, np.isfinite(batch.crossing(80.0)[0]).mean()))


def main() -> int:
    """Measure and write the page."""
    rows = [f"| days, ahead | rise | {' | '.join(f'noise {noise:g}' for noise in NOISES)} |"]
    rows.append("|---|---|" + "---|" * len(NOISES))
    for n, horizon in SHAPES:
        for rise in RISES:
            cells = " | ".join(covered(n, horizon, rise, noise) for noise in NOISES)
            rows.append(f"| {n}, {horizon} | {rise} | {cells} |")
    heads = [f"{kind}, noise {noise:g}" for kind in ("leak", "step") for noise in LATE_NOISES]
    late = [f"| days, of which since | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for since in SINCE:
        cells = " | ".join(kind(*since, noise) for kind in (leaks, steps) for noise in LATE_NOISES)
        late.append(f"| {since[0]}, {since[1]} | {cells} |")
    still = [f"| days, ahead | {' | '.join(f'correlated by {phi:g}' for phi in PHIS)} |", "|---|" + "---|" * len(PHIS)]
    still += [f"| {n}, {horizon} | {' | '.join(steady(n, horizon, phi) for phi in PHIS)} |" for n, horizon in STEADY]
    tables = ("\n".join(table) + "\n" for table in (rows, late, still))
    page = (part for pair in zip((HEAD, LATELY_HEAD, STEADY_HEAD), tables, strict=True) for part in pair)
    TARGET.write_text("".join(page), encoding="utf-8")
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
