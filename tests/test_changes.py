from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from healthkit.changes import Change, change, change_many
from healthkit.errors import BadSeries, HealthkitError, NotEnoughData, ParameterError
from healthkit.periods import Period

WEEK = Period.parse("2026-W10")
DAYS = 56
BEFORE = np.arange(DAYS) // 7 == 6
AFTER = np.arange(DAYS) // 7 == 7


def daily(values, **attrs):
    """Days up to the end of 2026-W10."""
    end = pd.Timestamp(WEEK.end) - pd.Timedelta(days=1)
    series = pd.Series(values, pd.date_range(end=end, periods=len(values), freq="D"), name="load1")
    series.attrs.update(attrs)
    return series


def busy_weekdays(rng, n_series):
    return rng.standard_normal((n_series, DAYS)) + np.array([0, 2, 3, 1, 0, -4, -6])[np.arange(DAYS) % 7]


def test_a_change_is_found_and_measured():
    rng = np.random.default_rng(0)
    found = change(daily(10 + busy_weekdays(rng, 1)[0] + 4 * AFTER), period=WEEK)
    assert found.changed
    assert found.lower < 4 < found.upper
    assert found.after == pytest.approx(found.before + found.difference)
    assert (found.n, found.coverage) == (14, 1.0)


def test_periods_may_be_named():
    days = daily(10 + busy_weekdays(np.random.default_rng(0), 1)[0])
    assert change(days, period=WEEK.label, previous=WEEK.previous().label) == change(days, period=WEEK)
    with pytest.raises(ParameterError, match="soon"):
        change(days, period="soon")


def test_a_missing_sunday_is_no_rise():
    rng = np.random.default_rng(1)
    days = daily(busy_weekdays(rng, 1)[0] * 0.1 + 5 * (np.arange(DAYS) % 7 < 5))
    days.iloc[-2:] = np.nan
    assert not change(days, period=WEEK).changed


def test_it_is_least_squares_of_statsmodels_where_days_are_independent():
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    rows = busy_weekdays(rng, 40)
    day = np.arange(DAYS)
    design = np.column_stack([day[:, None] % 7 == np.arange(7), BEFORE | AFTER, AFTER]).astype(float)
    theirs = [sm.OLS(row, design).fit() for row in rows]
    batch = change_many(rows, before=BEFORE, after=AFTER)
    # not the same estimate: ours allows for a little correlation
    assert np.median(np.abs(batch.difference - [fit.params[-1] for fit in theirs])) < 0.1
    width = np.array([np.diff(fit.conf_int()[-1])[0] for fit in theirs])
    assert 0.95 < np.median((batch.upper - batch.lower) / width) < 1.3


def test_units_do_not_matter():
    rng = np.random.default_rng(3)
    rows = busy_weekdays(rng, 5)
    plain, scaled = (change_many(rows * f, before=BEFORE, after=AFTER) for f in (1.0, 1e9))
    np.testing.assert_allclose(scaled.difference, plain.difference * 1e9, rtol=1e-6)
    np.testing.assert_allclose(scaled.p_value, plain.p_value, rtol=1e-6)


def test_minutes_become_days():
    rng = np.random.default_rng(4)
    index = pd.date_range(pd.Timestamp(WEEK.end) - pd.Timedelta(days=28), WEEK.end, freq="5min", inclusive="left")
    level = 3.0 * (index >= pd.Timestamp(WEEK.start))
    samples = pd.Series(rng.standard_normal(len(index)) + level, index, name="cpu_busy_ratio")
    samples[index.hour < 3] = np.nan
    found = change(samples, period=WEEK)
    by_day = samples.resample("D").quantile(0.95)
    assert found.before == pytest.approx(by_day[-14:-7].mean())
    assert found.lower < 3 < found.upper
    assert found.unit == "ratio"


def test_the_future_is_not_used():
    rng = np.random.default_rng(5)
    days = daily(busy_weekdays(rng, 1)[0])
    later = pd.Series(100.0, pd.date_range(WEEK.end, periods=7, freq="D"), name="load1")
    assert change(pd.concat([days, later]), period=WEEK) == change(days, period=WEEK)


def test_any_two_periods():
    rng = np.random.default_rng(6)
    found = change(daily(rng.standard_normal(100)), period=WEEK, previous=Period.parse("2026-W02"), q=50)
    assert (found.q, found.n) == (50, 14)
    with pytest.raises(ParameterError):
        change(daily(rng.standard_normal(100)), period=WEEK, previous=WEEK)
    with pytest.raises(ParameterError):
        change(daily(rng.standard_normal(100)), period=WEEK, previous=WEEK.next())


def test_too_few_days_are_refused():
    with pytest.raises(NotEnoughData) as caught:
        change(daily(np.arange(9.0)), period=WEEK)
    assert (caught.value.n, caught.value.needed) == (2, 3)
    with pytest.raises(NotEnoughData):
        change(daily(np.array([], dtype=float)), period=WEEK)
    batch = change_many(np.full((2, DAYS), np.nan), before=BEFORE, after=AFTER)
    assert np.isnan(batch.p_value).all()
    assert not batch.changed.any()


def test_a_constant_did_not_change():
    found = change(daily(np.full(DAYS, 0.3)), period=WEEK)
    assert (found.difference, found.changed) == (0, False)


def test_a_spike_of_long_ago_is_set_aside():
    rng = np.random.default_rng(7)
    rows = busy_weekdays(rng, 1)
    spiky = rows.copy()
    spiky[0, 10] += 60
    plain, robust = (change_many(r, before=BEFORE, after=AFTER) for r in (rows, spiky))
    assert robust.upper[0] - robust.lower[0] == pytest.approx(plain.upper[0] - plain.lower[0], rel=0.2)


@pytest.mark.parametrize(
    ("values", "options", "error"),
    [
        (np.arange(3.0), {"before": [True], "after": [False]}, BadSeries),
        ([["x"]], {"before": [True], "after": [False]}, BadSeries),
        (np.zeros((1, 3)), {"before": [True], "after": [False]}, ParameterError),
        (np.zeros((1, 2)), {"before": [True, True], "after": [False, True]}, ParameterError),
        (np.zeros((1, 2)), {"before": [True, False], "after": [False, True], "alpha": 0.0}, ParameterError),
    ],
)
def test_bad_batches_are_named(values, options, error):
    with pytest.raises(error):
        change_many(values, **options)


def test_steps_above_a_day_are_refused():
    weekly = pd.Series(np.arange(20.0), pd.date_range("2025-11-01", periods=20, freq="7D", tz="UTC"))
    with pytest.raises(BadSeries):
        change(weekly, period=WEEK)


@settings(max_examples=50)
@given(hnp.arrays(np.float64, DAYS, elements=st.one_of(st.just(np.nan), st.just(1.0), st.floats(-1e300, 1e300))))
def test_any_numbers_give_a_result_or_a_named_error(values):
    try:
        found = change(daily(values), period=WEEK)
    except HealthkitError:
        return
    assert 0 <= found.p_value <= 1
    assert found.lower <= found.upper


def test_a_change_shows_itself():
    rng = np.random.default_rng(8)
    found = change(daily(0.5 + 0.01 * busy_weekdays(rng, 1)[0] + 0.1 * AFTER, metric="cpu_busy_ratio"), period=WEEK)
    assert isinstance(found, Change)
    assert str(found).startswith("CPU busy p95 changed by +")
    assert found.to_frame().loc[0, "changed"]
    assert "CPU busy p95 changed" in found._repr_mimebundle_()["text/html"]
    assert json.loads(json.dumps(found.as_dict()))["metric"] == "cpu_busy_ratio"
    calm = change(
        daily(busy_weekdays(rng, 1)[0]), period=WEEK, previous=Period.of("weekly", datetime(2026, 2, 1, tzinfo=UTC))
    )
    assert "did not change beyond chance" in str(calm)


def test_two_weeks_are_weak_evidence_and_have_a_wider_interval():
    rng = np.random.default_rng(10)
    days = daily(rng.standard_normal(DAYS))
    short, long = change(days[-14:], period=WEEK), change(days, period=WEEK)
    assert str(short).endswith("weak evidence: 14 days, fewer than 28.")
    assert "weak" not in str(long)
    assert (short.history, long.history) == (14, DAYS)
    rows = rng.standard_normal((200, DAYS))
    widths = [
        np.median(batch.upper - batch.lower)
        for batch in (
            change_many(rows[:, -14:], before=BEFORE[-14:], after=AFTER[-14:]),
            change_many(rows, before=BEFORE, after=AFTER),
        )
    ]
    assert widths[0] > 1.3 * widths[1]


def test_unchanged_weeks_are_seldom_called_changed():
    rng = np.random.default_rng(9)
    rows = busy_weekdays(rng, 800)
    for t in range(1, DAYS):
        rows[:, t] += 0.4 * (rows[:, t - 1] - np.array([0, 2, 3, 1, 0, -4, -6])[(t - 1) % 7])
    assert change_many(rows, before=BEFORE, after=AFTER).changed.mean() <= 0.06
