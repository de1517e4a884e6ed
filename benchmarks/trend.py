"""How often `healthkit.trends` is wrong, next to what people use: writes docs/trend-benchmark.md.

    python benchmarks/trend.py [--series 600] [--output docs/trend-benchmark.md]

Everything is simulated and seeded, so that the truth is known and the table comes out the same again, but for the times.
Peers that are not installed are named and left out: `pip install pymannkendall ruptures` brings them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import trend_bounds
import trend_peers as peers
import trend_weeks
from trend_simulations import dressed, line, noise, steps, units

from healthkit.trends import trend_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PHIS = (0.0, 0.3, 0.5, 0.8, 0.95)
LENGTHS = (14, 21, 30, 60, 90, 180, 365)
DAYS_PER_YEAR = 365
NEAR = 3


INTRODUCTION = """Made by `python benchmarks/trend.py --series {series}`. Simulated daily series, {series} in each cell, half as
many against others, twice as many over weeks: AR(1)
noise of standard deviation 1, a third plain, a third with a weekly season of 1.5 sd and 10 % missing, a third with 3 sd
and 30 % missing, in units from 0.001 to 1e9. The series are seeded; only the times differ from run to run."""
AGAINST = "False trends / trends of 2 sd over the whole series that are found / 95 % intervals that cover the slope."
SHIFTS = """One step in the middle 70 % of each series, found = within 3 days. False ones are counted in series without
step, with no trend and with trends of 1, 2 and 4 sd. False trends: where the step is all there is."""
BOUNDS = """What nobody can do better, for steps of 2 sd: a detector that is told the noise's spread and correlation, which series
have a season, and that a step is of 2 sd if there is one; where it is also told that there is one, and where it must find that
out with no more than 0.2 false ones a year in series with any line up to 4 sd."""
WEEKS = """Minutes with a cycle of the day and of the week, AR(1) from minute to minute, the last of some weeks against
the one before; nothing changed. A share of 0.05 of these {draws} draws has a standard error of {error:.3f}. Width: of the 95 %
interval, against 3.92 times the standard deviation of the true difference of the two weeks' mean daily p95."""


def main() -> None:
    """Print the page, part by part, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=1200, help="series per cell")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "trend-benchmark.md")
    options = parser.parse_args()
    page = []
    for part in parts(options.series):
        print(part, end="\n\n", flush=True)
        page.append(part)
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text("\n\n".join(page) + "\n", encoding="utf-8")


def parts(n: int) -> Iterator[str]:
    """The page's headings, paragraphs and tables, for about *n* series in each cell."""
    yield "# Trends, level shifts and changes, measured"
    yield INTRODUCTION.format(series=n)
    for name in peers.skipped():
        yield f"Left out, not installed: {name}."
    yield "## False trends at the 5 % level"
    yield false_trends(n)
    yield "## Other noise, n = 90"
    yield other_noise(n)
    yield "## Against what people use, n = 90"
    yield AGAINST
    yield against(n // 2)
    yield "## Level shifts"
    yield SHIFTS
    yield level_shifts(n)
    yield BOUNDS
    yield table(trend_bounds.HEAD, [trend_bounds.row(90, phi, 2.0, n) for phi in (0.0, 0.5, 0.8)])
    yield from steps_of_pelt()
    yield "## Week over week: the p95 of a day"
    yield WEEKS.format(draws=2 * n, error=(0.05 * 0.95 / (2 * n)) ** 0.5)
    yield table(["φ of minutes", *trend_weeks.HEAD], list(trend_weeks.rows(2 * n)))
    yield "## Time"
    yield times()


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def false_trends(n_series: int) -> str:
    """Share of series without a trend where one is claimed, by length and correlation."""
    rng = np.random.default_rng(1)
    rows = []
    for n in LENGTHS:
        shares = [np.mean(p_values(rng, n_series, n, phi) < 0.05) for phi in PHIS]
        rows.append([str(n), *(f"{share:.3f}" for share in shares)])
    return table(["n", *(f"φ {phi:g}" for phi in PHIS)], rows)


def p_values(rng: np.random.Generator, n_series: int, n: int, phi: float, change: float = 0.0) -> Floats:
    """Of fresh series with a trend of *change* sd over their length."""
    values = dressed(rng, noise(rng, (n_series, n), phi)) + line(n, change)
    return trend_many(values * units(rng, n_series)).p_value


def other_noise(n_series: int) -> str:
    """Noise the method does not assume."""
    rng = np.random.default_rng(2)
    n = 90
    makers = {
        "t3 innovations, φ 0": lambda: noise(rng, (n_series, n), 0.0, "t3"),
        "t3 innovations, φ 0.5": lambda: noise(rng, (n_series, n), 0.5, "t3"),
        "3 % spikes of 4 to 12 sd, φ 0": lambda: noise(rng, (n_series, n), 0.0, "spikes"),
        "3 % spikes of 4 to 12 sd, φ 0.5": lambda: noise(rng, (n_series, n), 0.5, "spikes"),
        "half AR(1) φ 0.9, half white": lambda: noise(rng, (n_series, n), 0.9) + rng.standard_normal((n_series, n)),
        "lognormal, φ 0.5": lambda: np.exp(noise(rng, (n_series, n), 0.5)),
        "random walk": lambda: np.cumsum(rng.standard_normal((n_series, n)), axis=1),
    }
    rows = []
    for name, make in makers.items():
        batch = trend_many(dressed(rng, make()))
        years = n_series * n / DAYS_PER_YEAR
        rows.append([name, f"{np.mean(batch.p_value < 0.05):.3f}", f"{(batch.shift_at >= 0).sum() / years:.2f}"])
    return table(["noise", "false trends", "false shifts per year"], rows)


def against(n_series: int) -> str:
    """Level, power and coverage of everybody."""
    n, rows = 90, []
    known = peers.tests()
    for name in ["healthkit", *known]:
        cells = []
        for phi in PHIS:
            rng = np.random.default_rng(3)
            flat = dressed(rng, noise(rng, (n_series, n), phi))
            rising = flat + line(n, 2.0)
            level, _, _ = judged(name, flat)
            power, lower, upper = judged(name, rising)
            slope = 2.0 / (n - 1)
            cell = f"{np.mean(level < 0.05):.2f} / {np.mean(power < 0.05):.2f}"
            if np.isfinite(lower).any():
                cell += f" / {np.mean((lower <= slope) & (slope <= upper)):.2f}"
            cells.append(cell)
        rows.append([name, *cells])
    return table(["", *(f"φ {phi:g}" for phi in PHIS)], rows)


def judged(name: str, values: Floats) -> tuple[Floats, Floats, Floats]:
    """p-values and interval ends of one method for every series."""
    if name == "healthkit":
        batch = trend_many(values)
        return batch.p_value, batch.lower, batch.upper
    p_value, lower, upper = np.array([peers.tests()[name](row) for row in values]).T
    return p_value, lower, upper


def level_shifts(n_series: int) -> str:
    """False shifts, F1, and what a shift does to the trend."""
    rows = []
    for n in (90, 180, 365):
        for phi in (0.0, 0.5, 0.8, 0.95):
            rng = np.random.default_rng(4)
            false = []
            for change in (0.0, 1.0, 2.0, 4.0):
                batch = trend_many(dressed(rng, noise(rng, (n_series, n), phi)) + line(n, change))
                false.append((batch.shift_at >= 0).sum() / (n_series * n / DAYS_PER_YEAR))
            cells = [f"{false[0]:.2f} / {max(false[1:]):.2f}"]
            for size in (2.0, 4.0):
                added, at = steps(rng, (n_series, n), size)
                batch = trend_many(dressed(rng, noise(rng, (n_series, n), phi)) + added)
                cells.append(f"{f1(batch.shift_at, at):.2f}")
                cells.append(f"{np.mean(batch.p_value < 0.05):.3f}")
            rows.append([str(n), f"{phi:g}", *cells])
    head = ["n", "φ", "false per year, no trend / worst trend", "F1 2 sd", "false trends", "F1 4 sd", "false trends"]
    return table(head, rows)


def f1(found: NDArray[np.int64], at: NDArray[np.int64]) -> float:
    """Of steps within three days of the one there is."""
    there = found >= 0
    hits = (there & (np.abs(found - at[:, None]) <= NEAR)).any(axis=1).sum()
    return float(2 * hits / (there.sum() + len(at)))


def steps_of_pelt() -> list[str]:
    """False shifts and F1 of PELT on plain series: it knows no gaps and no season."""
    if any("PELT" in name for name in peers.skipped()):
        return []
    rows, n, n_series = [], 180, 100
    for phi in (0.0, 0.5, 0.8):
        rng = np.random.default_rng(5)
        false = sum(len(peers.pelt(row)) for row in noise(rng, (n_series, n), phi))
        added, at = steps(rng, (n_series, n), 2.0)
        found = [peers.pelt(row) for row in noise(rng, (n_series, n), phi) + added]
        hits = sum(any(abs(one - there) <= NEAR for one in row) for row, there in zip(found, at, strict=True))
        score = 2 * hits / (sum(map(len, found)) + n_series)
        rows.append([f"{phi:g}", f"{false / (n_series * n / DAYS_PER_YEAR):.1f}", f"{score:.2f}"])
    text = table(["φ", "false per year", "F1 2 sd"], rows)
    return ["PELT (ruptures, penalty 2 sd² log n) on plain series of 180 days:", text]


def times() -> str:
    """CPU milliseconds per series, best of three."""
    rows = []
    for n, n_series in ((90, 600), (365, 150)):
        rng = np.random.default_rng(6)
        values = dressed(rng, noise(rng, (n_series, n), 0.5))
        for name in ["healthkit", *peers.tests()]:
            some = values if name == "healthkit" else values[:60]
            spent = []
            for _ in range(3):
                start = time.process_time()
                judged(name, some)
                spent.append((time.process_time() - start) / len(some) * 1e3)
            rows.append([str(n), name, f"{min(spent):.2f}"])
    return table(["n", "", "ms per series"], rows)


if __name__ == "__main__":
    main()
