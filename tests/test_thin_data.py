"""What a fleet's sections say of hosts that are hardly measured, and of what moves between level shifts."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import healthkit as hk
from healthkit import sections
from healthkit.movements import movements
from healthkit.sections import courses
from healthkit.store import write_samples

END = datetime(2026, 11, 23, tzinfo=UTC)


def rollup(values, *, n=24, host="web-1", metric="disk_used_ratio"):
    """One row a day, the last for the day before `END`."""
    days = pd.date_range(end=END - timedelta(days=1), periods=len(values), freq="D", unit="ms")
    frame = pd.DataFrame({"date": days, "host": host, "metric": metric, "device": "", "n": n, "coverage": 1.0})
    for how in ("min", "mean", "max", "last"):
        frame[how] = np.asarray(values, dtype=float)
    return frame.assign(q=[np.full(21, float(value)) for value in values])


def test_a_week_of_seven_values_has_no_p95_and_ranks_last():
    data = pd.concat([rollup([0.9] * 7, n=1, host="thin"), rollup([0.2] * 7, host="busy")])
    found = courses.period_percentile(data, "disk_used_ratio", 95)
    assert math.isnan(found["thin", ""])
    assert found["busy", ""] == pytest.approx(0.2)
    assert courses.period_percentile(data, "disk_used_ratio", 50)["thin", ""] == pytest.approx(0.9)
    worst = courses.by_host({("h", "thin"): math.nan, ("h", "busy"): 0.2, ("h", "new"): math.nan})
    assert worst == {"h": ("busy", 0.2)}


def test_the_report_says_unknown_of_what_too_few_values_cannot_tell(tmp_path):
    days = pd.date_range(end=END - timedelta(hours=12), periods=7, freq="D")
    thin = pd.DataFrame({"ts": days, "host": "thin", "metric": "cpu_busy_ratio", "device": "", "value": 0.9})
    hours = pd.date_range(end=END - timedelta(hours=1), periods=168, freq="h")
    busy = pd.DataFrame({"ts": hours, "host": "busy", "metric": "cpu_busy_ratio", "device": "", "value": 0.2})
    write_samples(tmp_path, pd.concat([thin, busy]))
    review = hk.review(tmp_path, "weekly", period="2026-W47", now=END + timedelta(hours=2))
    first, second = sections.percentiles(review).text.splitlines()
    assert first.startswith("busy CPU busy: p50 20\u00a0%, p90 20\u00a0%, p95 20\u00a0%, p99 20\u00a0%")
    assert second.startswith("thin CPU busy: p50 90\u00a0%, p90 unknown, p95 unknown, p99 unknown")
    assert "thin: CPU busy unknown" in sections.resources(review).text
    assert "CPU 90\u00a0% on average, p95 unknown, peak 90\u00a0%" in sections.performance(review).text
    assert "on average" not in sections.recommendations(review).text


def test_a_slope_between_clean_ups_is_told_with_them():
    noise = 0.001 * np.random.default_rng(0).normal(size=90)
    tooth = 0.5 + 0.02 * (np.arange(90) % 18) + noise
    (moved,) = movements(rollup(tooth), end=END, days=90, scores={})
    assert moved.shifts == 4
    assert "rises: +60 points a month beside 4 level shifts of together -1" in moved.sentence.replace("\u00a0", " ")
    (steady,) = movements(rollup(0.5 + 0.002 * np.arange(90) + noise), end=END, days=90, scores={})
    assert (steady.shifts, steady.beside) == (0, "")
