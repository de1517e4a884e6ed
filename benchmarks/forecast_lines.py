"""Coverage on straight lines of every cleanness, and write ``docs/forecast-lines.md``: a disk that fills is the commonest case.

    python benchmarks/forecast_lines.py

Lines in per cent, between the bounds 0 and 100, with white noise, that rise by some points over the history and go on. Ten
seconds on one core. Lines of this kind are trained on, these are not.
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
    TARGET.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
