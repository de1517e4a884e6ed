"""Capacity: known growth is dated, thin histories are refused, and the worst comes first."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from healthkit.capacity import capacity
from healthkit.config import Growth, Limits
from healthkit.errors import ParameterError

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 23, tzinfo=UTC)


def rollup(values, metric="disk_used_ratio", host="web-1", device="/var", end=TODAY):
    """Rollup rows of one series: one value a day, the last one for the day before *end*."""
    days = pd.date_range(end=end - timedelta(days=1), periods=len(values), freq="D", unit="ms")
    frame = pd.DataFrame({"date": days, "host": host, "metric": metric, "device": device, "n": 1440, "coverage": 1.0})
    frame["max"] = frame["min"] = frame["mean"] = frame["last"] = np.asarray(values, dtype=float)
    frame["q"] = [np.full(21, value) for value in frame["mean"]]
    return frame[np.isfinite(frame["mean"])].reset_index(drop=True)


def growing(days, end, per_day, noise=0.002, seed=0):
    rng = np.random.default_rng(seed)
    return end - per_day * np.arange(days)[::-1] + noise * rng.normal(size=days)


def test_growth_is_dated_with_an_interval():
    plan = capacity(rollup(growing(120, 0.60, 0.005)), limits=Limits(), now=NOW)
    (row,) = plan.rows
    assert row.state == "reaches"
    assert row.days == pytest.approx(40, abs=5)
    assert row.days_lower <= row.days <= row.days_upper
    assert row.date == TODAY + timedelta(days=math.ceil(row.days) - 1)
    assert row.headroom == pytest.approx(0.2, abs=0.005)
    assert row.slope == pytest.approx(0.005, rel=0.05)
    assert row.growing
    assert row.sentence.startswith("web-1 /var reaches 80\u00a0% on 202")
    assert "80 % interval" in row.sentence


def test_now_is_the_newest_day_and_over_is_what_it_is():
    cleaned = np.r_[growing(60, 0.86, 0.001), 0.40]
    filled = np.r_[growing(60, 0.40, 0.0), 0.80, np.nan]
    plan = capacity(pd.concat([rollup(cleaned, host="cleaned"), rollup(filled, host="filled")]), now=NOW)
    first, second = plan.rows
    assert (first.host, first.state, first.value, first.days) == ("filled", "over", 0.80, 0)
    assert first.sentence == "filled /var is at 80\u00a0%, limit 80\u00a0%"
    assert (second.host, second.value) == ("cleaned", 0.40)
    assert second.state != "over"


def test_what_never_moved_is_not_said_to_be_sure():
    (row,) = capacity(rollup(np.full(60, 0.4)), now=NOW).rows
    assert row.state == "below"
    assert row.sentence.endswith("on all 60 days: it does not reach 80\u00a0%, if it does not start to move")


def test_no_day_beyond_the_forecast_is_spoken_of():
    (row,) = capacity(rollup(growing(20, 0.50, 0.0, noise=0.001)), now=NOW).rows
    assert row.horizon == 80
    assert f"{row.end:%Y-%m-%d}" == "2027-02-10"  # the first of the 80 days is today
    assert row.sentence == "web-1 /var does not reach 80\u00a0% by 2027-02-10 (80 % interval)"
    assert row.day(None) == "after 10 Feb 2027"
    may = replace(row, days_lower=40.0)
    assert may.sentence.endswith(
        "is not expected to reach 80\u00a0% by 2027-02-10, but may from 2027-01-01 (80 % interval)"
    )


def test_todays_running_day_is_left_out():
    past = rollup(growing(60, 0.5, 0.0))
    today = rollup([0.99], end=TODAY + timedelta(days=1))
    assert repr(capacity(pd.concat([past, today]), now=NOW).rows) == repr(capacity(past, now=NOW).rows)


def test_the_worst_comes_first_and_what_is_unknown_is_not_hidden_behind_what_has_room():
    frame = pd.concat(
        [
            rollup(growing(90, 0.30, 0.0), host="roomy"),
            rollup(growing(90, 0.70, 0.002), host="slow"),
            rollup(growing(90, 0.70, 0.01), host="fast"),
            rollup(growing(90, 0.90, 0.0), host="over"),
            rollup(growing(9, 0.70, 0.01), host="young"),
        ]
    )
    plan = capacity(frame, now=NOW)
    assert [row.host for row in plan] == ["over", "fast", "slow", "young", "roomy"]
    assert [row.state for row in plan] == ["over", "reaches", "reaches", "unknown", "below"]
    assert plan.rows[0].days == 0
    assert "is at 90" in plan.rows[0].sentence
    assert str(plan).startswith("3 of 5 resources at their limit within 180 days, 1 of them now; 1 cannot be told")


@pytest.mark.parametrize(
    ("values", "end", "reason"),
    [
        ([0.7] * 9, TODAY, "9 days measured, needs 14"),
        ([0.7] * 30, TODAY - timedelta(days=10), "not measured for 10 days"),
        ([0.7, *[math.nan] * 40, *[0.7] * 15], TODAY, "16 of 56 days measured, needs half"),
    ],
)
def test_thin_histories_say_what_they_need_and_give_no_number(values, end, reason):
    (row,) = capacity(rollup(values, end=end), now=NOW).rows
    assert (row.state, row.unknown, row.days) == ("unknown", reason, None)
    assert math.isnan(row.needed)
    assert reason in row.sentence


def test_a_host_that_began_today_is_new_and_not_silent():
    old, new = rollup(growing(90, 0.5, 0.001)), rollup([0.7], end=TODAY + timedelta(days=1))
    rows = capacity(pd.concat([old, new.assign(host="new")]), now=NOW).rows
    assert {row.host: row.unknown for row in rows}["new"] == "0 days measured, needs 14"


def test_thirty_files_do_not_mean_no_growth():
    # The runbook subtracts a list from itself when there are 30 days, and divides by 60 days always (D22).
    (row,) = capacity(rollup(growing(30, 0.70, 0.005)), now=NOW).rows
    assert row.state == "reaches"
    assert row.days == pytest.approx(20, abs=6)
    assert math.isnan(row.growth)


def test_missing_days_do_not_change_the_pace():
    # With two of three files missing the runbook reports 0.6 % a day for 0.2 (D21).
    values = growing(90, 0.60, 0.002, noise=0.0005)
    values[np.arange(90) % 2 == 0] = np.nan
    (row,) = capacity(rollup(values), now=NOW).rows
    assert row.slope == pytest.approx(0.002, rel=0.1)


def test_a_forecast_is_believed_for_four_times_its_history():
    (row,) = capacity(rollup(growing(20, 0.50, 0.001)), now=NOW).rows
    assert row.horizon == 80
    assert row.days is None


def test_required_capacity_for_a_date():
    plan = capacity(rollup(growing(120, 0.60, 0.001, noise=0.0005)), now=NOW)
    mean, upper = plan.required(0, TODAY + timedelta(days=100))
    assert mean == pytest.approx((0.60 + 0.1) / 0.80, rel=0.05)
    assert upper >= mean
    on_the_day = plan.fan(0).loc[TODAY + timedelta(days=100)]
    assert (mean, upper) == pytest.approx((on_the_day["mean"] / 0.80, on_the_day["upper80"] / 0.80))
    assert plan.required(0, TODAY) == plan.required(0, NOW)  # today is the first day of the forecast
    for days in (-1, 180, 400):
        with pytest.raises(ParameterError, match="not within the horizon"):
            plan.required(0, TODAY + timedelta(days=days))
    with pytest.raises(ParameterError, match="no time zone"):
        plan.required(0, datetime(2027, 1, 1))  # noqa: DTZ001 - that is what is refused
    for call in (lambda: plan.required(7, TODAY), lambda: plan.plot(row=7), lambda: plan.plot(row=-1)):
        with pytest.raises(ParameterError, match="the plan has 1 row"):
            call()


def test_response_times_have_their_own_limit_unit_and_pace():
    frame = rollup(growing(90, 3.0, 0.02, noise=0.05), metric="http_response_seconds", device="shop")
    (row,) = capacity(frame, now=NOW).rows
    assert (row.unit, row.limit, row.how) == ("seconds", 5.0, "p95")
    assert row.days == pytest.approx(100, abs=30)
    assert row.growing
    assert not capacity(frame, now=NOW, growth=Growth(response_seconds_per_day=0.5, per_month=9)).rows[0].growing


def test_no_interval_leaves_what_a_ratio_can_be():
    plan = capacity(rollup(growing(120, 0.95, 0.01)), limits=Limits(disk=1.0), now=NOW, factor=2.5)
    assert np.nanmax(plan.upper[95]) <= 1
    assert np.nanmin(plan.lower[95]) >= 0


def test_a_factor_widens_intervals_and_dates():
    frame = rollup(growing(120, 0.60, 0.003, noise=0.01))
    plain, wide = capacity(frame, now=NOW), capacity(frame, now=NOW, factor=2.0)
    assert np.nanmean(wide.upper[80] - wide.lower[80]) > 1.4 * np.nanmean(plain.upper[80] - plain.lower[80])
    assert wide.rows[0].days_lower < plain.rows[0].days_lower
    assert wide.rows[0].days == plain.rows[0].days


def test_other_metrics_and_no_metrics_at_all():
    other = rollup([1.0] * 30, metric="load1")
    assert len(capacity(other, now=NOW)) == 0
    assert str(capacity(other.iloc[:0], now=NOW)) == "No resource with a limit was measured."
    with pytest.raises(ParameterError, match="column q is missing"):
        capacity(other.drop(columns="q"), now=NOW)
    with pytest.raises(ParameterError, match="zone"):
        capacity(other, now=NOW.replace(tzinfo=None))


def test_frame_json_fan_and_history():
    plan = capacity(rollup(growing(60, 0.60, 0.005)), now=NOW)
    frame = plan.to_frame()
    assert frame.loc[0, "sentence"] == plan.rows[0].sentence
    assert json.loads(json.dumps(plan.as_dict(), allow_nan=False))["rows"][0]["state"] == "reaches"
    fan = plan.fan(0)
    assert fan.index[0] == pd.Timestamp(TODAY)
    assert (fan["lower80"] <= fan["upper80"]).all()
    assert plan.history(0).index[-1] == pd.Timestamp(TODAY - timedelta(days=1))


@pytest.mark.slow
def test_a_thousand_disks_in_seconds():
    rng = np.random.default_rng(0)
    frames = [rollup(growing(90, rng.uniform(0.2, 0.7), 0.001, seed=i), host=f"h{i}") for i in range(1000)]
    assert len(capacity(pd.concat(frames), now=NOW)) == 1000


@given(
    st.lists(st.floats(0, 1) | st.just(math.nan), min_size=0, max_size=60),
    st.floats(0.01, 1),
)
@settings(max_examples=40, deadline=None)
def test_any_history_gives_a_state(values, limit):
    plan = capacity(rollup(values), limits=Limits(disk=limit), now=NOW, horizon=30)
    for row in plan:
        assert (row.state == "unknown") == bool(row.unknown)
        assert (row.days is not None) == (row.state in {"over", "reaches"})
        assert row.sentence


def test_a_notebook_shows_the_fan():
    plan = capacity(rollup(growing(60, 0.60, 0.005)), now=NOW)
    chart = plan.chart(0)
    assert (chart.limit, [band.level for band in chart.bands]) == (0.8, [95, 80])
    assert plan.plot().get_title(loc="left") == "web-1 /var: Disk used"
    assert "reaches 80" in plan._repr_mimebundle_()["text/html"]
