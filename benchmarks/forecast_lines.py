"""Straight lines of every cleanness, leaks and steps, and write ``docs/forecast-lines.md``: a disk that fills is the commonest case.

    python benchmarks/forecast_lines.py

Lines in per cent, between the bounds 0 and 100, with white noise, that rise by some points over the history and go on: lines of
this kind are trained on, these are not. And lines that begin to rise, or that make one step, not long ago. Fifteen seconds on one
core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from healthkit.forecasts import forecast_many

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
SINCE = ((35, 7), (35, 17), (90, 10), (90, 30), (90, 60), (365, 30), (365, 180))
"""Days of history, and for how many of them it has changed."""
CHANGE, AHEAD = 15.0, 30
KINDS, LATE_NOISES = ("leak", "step"), (0.05, 0.3, 1.0)
LATELY_HEAD = f"""
## What changed lately

The same disks stay at 10 % and then either rise, by {CHANGE:g} points until today, and go on (a leak), or step up by {CHANGE:g} points and
stay (a deployment). {AHEAD} days ahead, on average: the share of the further rise that the forecast has, which should be 1, or how much of
another step it adds, which should be 0; and the share of future values inside the 80 % interval. A leak that began in the newest
third of the history is hardly told from a step: it is forecast to stop, and the interval does not know better. The check `headroom`,
which goes by the last 28 days alone, sees more of it.

"""


def lately(n: int, age: int, noise: float, *, leak: bool) -> str:
    """What is forecast to come, as a share of the change seen so far or to come, and the share inside 80 %."""
    rng, day = np.random.default_rng(2), np.arange(n + AHEAD) - (n - age)
    path = 10 + CHANGE * (np.maximum(day, 0) / age if leak else (day >= 0))
    values = np.clip(path + rng.normal(0, noise, (SERIES, n + AHEAD)), 0, 100)
    batch = forecast_many(values[:, :n], AHEAD, lower_bound=0, upper_bound=100)
    future, today = values[:, n:], path[n - 1]
    inside = ((future >= batch.lower[80]) & (future <= batch.upper[80])).mean()
    come = (batch.mean[:, -1].mean() - today) / (path[-1] - today if leak else CHANGE)
    return f"{come:.2f} / {inside:.2f}"


def covered(n: int, horizon: int, rise: float, noise: float) -> str:
    """Shares inside the 80 % and the 95 % interval."""
    rng = np.random.default_rng(1)
    line = 10 + rise * np.arange(n + horizon) / n
    values = np.clip(line + rng.normal(0, noise, (SERIES, n + horizon)), 0, 100)
    batch = forecast_many(values[:, :n], horizon, lower_bound=0, upper_bound=100)
    future = values[:, n:]
    shares = [((future >= batch.lower[level]) & (future <= batch.upper[level])).mean() for level in (80, 95)]
    return " / ".join(f"{share:.2f}" for share in shares)


def main() -> int:
    """Measure and write the page."""
    rows = [f"| days, ahead | rise | {' | '.join(f'noise {noise:g}' for noise in NOISES)} |"]
    rows.append("|---|---|" + "---|" * len(NOISES))
    for n, horizon in SHAPES:
        for rise in RISES:
            cells = " | ".join(covered(n, horizon, rise, noise) for noise in NOISES)
            rows.append(f"| {n}, {horizon} | {rise} | {cells} |")
    late = [
        "| days, of which since | "
        + " | ".join(f"{kind}, noise {noise:g}" for kind in KINDS for noise in LATE_NOISES)
        + " |"
    ]
    late.append("|---|" + "---|" * len(KINDS) * len(LATE_NOISES))
    for n, age in SINCE:
        cells = (lately(n, age, noise, leak=kind == "leak") for kind in KINDS for noise in LATE_NOISES)
        late.append(f"| {n}, {age} | {' | '.join(cells)} |")
    TARGET.write_text(HEAD + "\n".join(rows) + "\n" + LATELY_HEAD + "\n".join(late) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
