"""False alarms, recall and speed of `healthkit.detections`, next to two usual ways: writes docs/anomaly-benchmark.md.

    HEALTHKIT_BENCH_DATA=... python benchmarks/anomalies.py [--series 200] [--output docs/anomaly-benchmark.md]

Real hours are those of the Numenta Anomaly Benchmark, from $HEALTHKIT_BENCH_DATA/forecast/nab_hourly.parquet, with labels of our
own (`anomaly_labels.py`); without them that table is left out. The rest is simulated and seeded.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from anomaly_labels import LABELS
from anomaly_simulations import ANOMALIES, FAMILIES, HELD_OUT, Make, inject
from scipy.ndimage import maximum_filter1d

from healthkit.detections import anomalies, anomalies_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MONTH = 720
NEAR = 6  # hours by which an alarm may miss a labelled window


class Alarm(NamedTuple):
    """An alarm of any method."""

    row: int
    start: int
    end: int
    kind: str


Method = Callable[["Floats", int], list[Alarm]]


def ours(values: Floats, season: int) -> list[Alarm]:
    """The default of the library."""
    return [
        Alarm(event.row, event.start, max(event.peak + 1, event.start + 1), event.kind)
        for event in anomalies_many(values, season)
    ]


def three_sigma(values: Floats, season: int) -> list[Alarm]:
    """Outside mean plus or minus three standard deviations."""
    centre, width = np.nanmean(values, axis=1, keepdims=True), np.nanstd(values, axis=1, keepdims=True)
    return latched(np.abs(values - centre) / np.where(width > 0, width, np.inf), 3, season)


def seasonal_mad(values: Floats, season: int) -> list[Alarm]:
    """Outside median plus or minus 3.5 robust standard deviations of the same hour or weekday."""
    count, steps = values.shape
    padded = np.full((count, -(-steps // season) * season), np.nan)
    padded[:, :steps] = values
    folded = padded.reshape(count, -1, season)
    away = np.abs(folded - np.nanmedian(folded, axis=1, keepdims=True))
    width = 1.4826 * np.nanmedian(away, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(away > 0, away / width, 0.0)
    return latched(score.reshape(count, -1)[:, :steps], 3.5, season)


def latched(score: Floats, limit: float, season: int) -> list[Alarm]:
    """One alarm for the greatest score of a day: the same latch for every method."""
    score = np.nan_to_num(score, nan=0.0, posinf=1e12)
    reach = season if season != 7 else 1
    top = (score > limit) & (score == maximum_filter1d(score, 2 * reach + 1, axis=1))
    return [Alarm(int(row), int(step), int(step) + 1, "spike") for row, step in zip(*np.nonzero(top), strict=True)]


METHODS: dict[str, Method] = {"healthkit": ours, "seasonal MAD, 3.5": seasonal_mad, "mean ± 3 sd": three_sigma}


def main() -> None:
    """Print the page and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=200, help="simulated series per cell")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "anomaly-benchmark.md")
    options = parser.parse_args()
    page = "\n\n".join(
        [
            "# Anomalies, measured",
            (
                f"Made by `python benchmarks/anomalies.py --series {options.series}`. All methods alarm once a day, at its maximum. "
                "The detector's constants were chosen with all tables but the held-out ones in sight; a method that alarms often "
                "finds much by chance."
            ),
            "## Real hours (Numenta Anomaly Benchmark), labelled by us",
            real(),
            "## Held out: series that no constant was chosen by",
            "False alarms per metric-month where nothing happens:",
            false_alarms(options.series, HELD_OUT, seed=11),
            "Share found of what was put in, one anomaly in every series; in brackets: found and called by its kind.",
            recalls(options.series, HELD_OUT, seed=12),
            "## Simulated: false alarms per metric-month where nothing happens",
            false_alarms(options.series, FAMILIES, seed=1),
            "## Simulated: share found of what was put in",
            "One anomaly in every series; found = an alarm within a cycle (a day, a week). In brackets: found and called by its kind.",
            recalls(options.series, FAMILIES, seed=2),
            "## Time",
            times(),
        ]
    )
    print(page)
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(page + "\n", encoding="utf-8")


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def real() -> str:
    """False alarms and recall on the labelled series; gaps are facts and count as neither."""
    folder = os.environ.get("HEALTHKIT_BENCH_DATA")
    path = Path(folder or ".") / "forecast" / "nab_hourly.parquet"
    if not folder or not path.exists():
        return "Left out: set HEALTHKIT_BENCH_DATA to the folder of the development data."
    frame = pd.read_parquet(path)
    rows = []
    series = {name: regular(part) for name, part in frame.groupby("series")}
    months = sum(len(values) for values in series.values()) / MONTH
    windows = sum(len(LABELS[name]) for name in series)
    for label, method in METHODS.items():
        false, found, worst = 0, 0, 0.0
        for name, values in series.items():
            alarms = [alarm for alarm in method(values[None], 24) if alarm.kind != "gap"]
            wrong = sum(not any(hits(alarm, window) for window in LABELS[name]) for alarm in alarms)
            false, worst = false + wrong, max(worst, wrong / (len(values) / MONTH))
            found += sum(any(hits(alarm, window) for alarm in alarms) for window in LABELS[name])
        rows.append([label, f"{false / months:.2f}", f"{worst:.1f}", f"{found / windows:.0%} of {windows}"])
    return table(
        [
            "",
            f"false alarms per metric-month ({len(series)} series, {months:.0f} months)",
            "worst series",
            "windows found",
        ],
        rows,
    )


def regular(part: pd.DataFrame) -> Floats:
    """Hours of a series, NaN where there is none."""
    return pd.Series(part["value"].to_numpy(), pd.DatetimeIndex(part["ts"])).asfreq("h").to_numpy()


def hits(alarm: Alarm, window: tuple[int, int], near: int = NEAR) -> bool:
    """Whether an alarm is about a window."""
    return alarm.start <= window[1] + near and alarm.end > window[0] - near


def false_alarms(count: int, families: dict[str, Make], seed: int) -> str:
    """One row a family of series, and one for all."""
    rows = []
    for season, steps, unit in ((24, 30 * 24, "hours of 30 days"), (7, 180, "180 days")):
        months = count * steps / (MONTH if season == 24 else 30)
        shares = []
        for family, make in families.items():
            values = make(np.random.default_rng(seed), count, steps, season)
            shares.append([len(method(values, season)) / months for method in METHODS.values()])
            rows.append([f"{family}, {unit}", *[f"{share:.2f}" for share in shares[-1]]])
        rows.append([f"all, {unit}", *[f"{share:.2f}" for share in np.mean(shares, axis=0)]])
    return table(["", *METHODS], rows)


def recalls(count: int, families: dict[str, Make], seed: int) -> str:
    """One row a kind of anomaly, over all families."""
    rows = []
    for season, steps, unit in ((24, 30 * 24, "hours of 30 days"), (7, 180, "180 days")):
        for kind, size in ANOMALIES:
            found, named = dict.fromkeys(METHODS, 0), 0
            for make in families.values():
                rng = np.random.default_rng(seed)
                clean = make(rng, count, steps, season)
                values, windows = inject(rng, clean, kind, size, season)
                for label, method in METHODS.items():
                    right = [alarm for alarm in method(values, season) if hits(alarm, windows[alarm.row], season)]
                    found[label] += len({alarm.row for alarm in right})
                    named += len({alarm.row for alarm in right if alarm.kind == kind}) if label == "healthkit" else 0
            of = count * len(families)
            shares = [f"{found[label] / of:.0%}" for label in METHODS]
            shares[0] += f" ({named / of:.0%})"
            rows.append([f"{kind} {size}, {unit}", *shares])
    return table(["", *METHODS], rows)


def times() -> str:
    """Microseconds of CPU per value, best of five."""
    rng = np.random.default_rng(0)
    rows = []
    for name, shape, season in (
        ("hours of 90 days, 200 series", (200, 2160), 24),
        ("180 days, 2000 series", (2000, 180), 7),
    ):
        values = rng.normal(size=shape)
        rows.append([name, *[f"{best(method, values, season) / values.size * 1e6:.2f}" for method in METHODS.values()]])
    one = pd.Series(rng.normal(size=2160), pd.date_range("2026-01-01", periods=2160, freq="h", tz="UTC"))
    rows.append(
        [
            "one series of 2160 hours, with its result",
            f"{best(lambda s, _: anomalies(s), one, 24) / 2160 * 1e6:.2f}",
            "",
            "",
        ]
    )
    return table(["µs of CPU per value", *METHODS], rows)


def best(method: Callable[..., object], values: object, season: int) -> float:
    """Seconds."""
    spent = []
    for _ in range(5):
        start = time.process_time()
        method(values, season)
        spent.append(time.process_time() - start)
    return min(spent)


if __name__ == "__main__":
    main()
