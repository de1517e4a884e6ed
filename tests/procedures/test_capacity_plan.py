"""The monthly capacity plan: histories whose growth is known, too short ones, and gaps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from planning_worlds import history

import healthkit as hk
from healthkit.config import Config, Limits
from healthkit.findings import Severity
from healthkit.procedures._documents import month_later

NOW = datetime(2026, 11, 2, 1, tzinfo=UTC)
GIB = 2**30
KEYS = {"date", "current_utilization", "recommendations", "next_review"}


def noisy(values, size=0.004):
    values = np.asarray(values, dtype=float)
    return values + np.random.default_rng(0).normal(0, size, len(values))


@pytest.fixture
def plan(tmp_path):
    def plan(series, **more):
        history(tmp_path, series, end=NOW)
        run = hk.run("capacity_plan", tmp_path, config=Config(host="web-1", **more), now=NOW)
        return run, json.loads((tmp_path / "reports/monthly/capacity-planning-2026-11.json").read_text())

    return plan


def step(run, name):
    return next(step for step in run.steps if step.name == name)


def test_what_to_buy_and_by_when(plan):
    """0.2 % a day from 50 %: 80 % in 61 days, and 1.3 times the size in half a year."""
    days = np.arange(90)
    run, kept = plan({
        ("disk_used_ratio", "/var"): noisy(0.50 + 0.002 * days),
        ("disk_total_bytes", "/var"): np.full(90, 100.0 * GIB),
        ("cpu_busy_ratio", ""): noisy(np.full(90, 0.30), 0.02),
        ("memory_used_ratio", ""): noisy(np.full(90, 0.40), 0.01),
    })  # fmt: skip
    assert run.status == "ok"
    (bought,) = kept["purchases"]
    assert (bought["host"], bought["device"], bought["size"]) == ("web-1", "/var", 100 * GIB)
    assert bought["more"] == pytest.approx((0.50 + 0.002 * 270) / 0.80 * 100 * GIB - 100 * GIB, rel=0.35)
    row = next(row for row in kept["plan"]["rows"] if row["metric"] == "disk_used_ratio")
    assert row["days"] == pytest.approx(61, abs=12)
    early = datetime.fromisoformat(bought["by"]).replace(tzinfo=UTC) - NOW
    assert timedelta(days=25) < early <= timedelta(days=row["days"]), "the early end of the interval"
    assert row["slope"] == pytest.approx(0.002, rel=0.1)
    assert row["growth"] == pytest.approx(
        np.mean(0.5 + 0.002 * days[60:]) / np.mean(0.5 + 0.002 * days[30:60]) - 1, rel=0.05
    )
    ahead = next(r for r in step(run, "forecast").evidence["rows"] if r["metric"] == "disk_used_ratio")["ahead"]
    assert ahead["lower95"] <= ahead["lower80"] <= ahead["mean"] <= ahead["upper80"] <= ahead["upper95"]
    assert row["ahead"] == ahead, "in the document too, of every resource"
    assert len(kept["plan"]["rows"]) == 3
    assert any(bought["sentence"] == line for line in kept["recommendations"])


def test_the_runbook_s_keys(plan):
    _, kept = plan({
        ("cpu_busy_ratio", ""): np.full(40, 0.75),
        ("memory_used_ratio", ""): np.full(40, 0.40),
    })  # fmt: skip
    assert kept.keys() >= KEYS
    assert kept["current_utilization"] == {"cpu": pytest.approx(75), "memory": pytest.approx(40)}
    assert kept["next_review"] == "2026-12-02T01:00:00+00:00"
    assert any("75" in line for line in kept["recommendations"]), "the runbook plans for more CPU above 70 %"


def test_under_thirty_days_nothing_is_planned_and_nothing_invented(plan):
    run, kept = plan({("disk_used_ratio", "/"): 0.5 + 0.01 * np.arange(29)})
    assert run.status == "unknown"
    assert [s.name for s in run.steps] == ["history", "record"]
    (found,) = run.findings
    assert (found.severity, found.value) == (Severity.UNKNOWN, 29)
    assert kept["current_utilization"] == {"cpu": None, "memory": None}
    assert kept["recommendations"] == []
    assert kept["plan"] is None
    assert "29 measured days of the last 90" in kept["unknown"]


def test_ninety_days_ago_does_not_count(plan):
    series = np.r_[0.5 + 0.001 * np.arange(60), np.full(80, np.nan), np.full(10, 0.56)]
    _, kept = plan({("disk_used_ratio", "/"): series})
    assert kept["plan"] is None


def test_gaps_keep_their_length(plan):
    """D21: with every second day missing the runbook told twice the slope, because it counted files."""
    series = np.where(np.arange(90) % 2, noisy(0.40 + 0.002 * np.arange(90), 0.001), np.nan)
    run, _ = plan({("disk_used_ratio", "/"): series})
    (row,) = step(run, "forecast").evidence["rows"]
    assert row["slope"] == pytest.approx(0.002, rel=0.1)
    assert row["n"] == 45


def test_thirty_days_are_not_compared_with_themselves(plan):
    """D22: with 30 files data[-30:] and data[:30] are one list, so that growth was always 0."""
    run, kept = plan(
        {("memory_used_ratio", ""): noisy(0.30 + 0.005 * np.arange(30), 0.002)}, limits=Limits(memory=0.85)
    )
    (row,) = kept["plan"]["rows"]
    assert row["growth"] is None, "there is no month before"
    assert row["slope"] == pytest.approx(0.005, rel=0.15), "and the growth is seen all the same"
    assert row["growing"]
    assert row["horizon"] == 120, "a forecast is believed for four times its history"
    assert step(run, "growth").evidence["compared"] == 0


def test_without_growth_nothing_is_to_be_bought(plan):
    run, kept = plan(
        {("disk_used_ratio", "/"): noisy(np.full(90, 0.30)), ("disk_total_bytes", "/"): np.full(90, 1.0 * GIB)}
    )
    assert kept["purchases"] == []
    assert kept["recommendations"] == []
    assert step(run, "purchases").message.startswith("0 purchases")


def test_more_than_full_is_planned_for(plan):
    """A ratio ends at 1; what is needed does not."""
    grown = {
        ("disk_used_ratio", "/"): noisy(0.10 + 0.0095 * np.arange(90), 0.002),
        ("disk_total_bytes", "/"): np.full(90, 1.0 * GIB),
    }
    _, kept = plan(grown)
    assert kept["purchases"][0]["share"] > 2


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2026-12-15", "2027-01-15"),
        ("2026-11-30", "2026-12-30"),
    ],
)
def test_a_month_later(moment, expected):
    assert f"{month_later(datetime.fromisoformat(moment).replace(tzinfo=UTC)):%Y-%m-%d}" == expected
