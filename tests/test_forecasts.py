"""Forecasts: the contract, truth that is known, a second implementation, and input that cannot be forecast."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure

from healthkit.bundles import MEDIA_TYPE
from healthkit.errors import BadSeries, HealthkitError, NotEnoughData, ParameterError
from healthkit.forecasts import Forecast, forecast, forecast_many, histories, members


def days(n, start="2026-01-01"):
    return pd.date_range(start, periods=n, freq="D", tz="UTC")


def disk(n=365, slope=0.001, noise=0.005, seed=0):
    rng = np.random.default_rng(seed)
    return pd.Series(0.3 + slope * np.arange(n) + rng.normal(0, noise, n), days(n), name="disk_used_ratio")


@pytest.fixture(scope="module")
def walks():
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(0.1, 1, (12, 200)), axis=1)
    values[3, 50:60] = np.nan
    values[4, :120] = np.nan
    return values


def test_shapes_and_order_of_the_ends(walks):
    batch = forecast_many(walks, 60)
    assert batch.mean.shape == (12, 60)
    assert set(batch.lower) == set(batch.upper) == {80, 95}
    assert (batch.lower[95] <= batch.lower[80]).all()
    assert (batch.lower[80] <= batch.mean).all()
    assert (batch.mean <= batch.upper[80]).all()
    assert (batch.upper[80] <= batch.upper[95]).all()
    assert batch.n.tolist() == [200, 200, 200, 190, 80, *[200] * 7]
    assert (batch.error > 0).all()
    assert ((batch.covered >= 0) & (batch.covered <= 1)).all()


def test_same_input_same_numbers_in_any_company(walks):
    whole = forecast_many(walks, 60)
    again = forecast_many(walks[::-1], 60)
    for i in range(len(walks)):
        alone = forecast_many(walks[i : i + 1], 60)
        for path, others in (
            (alone.mean, whole.mean),
            (alone.lower[95], whole.lower[95]),
            (alone.upper[80], whole.upper[80]),
        ):
            np.testing.assert_array_equal(path[0], others[i])
    np.testing.assert_array_equal(again.mean[::-1], whole.mean)


def test_chunks_do_not_show(walks, monkeypatch):
    whole = forecast_many(walks, 60)
    monkeypatch.setattr("healthkit.forecasts.batches.CHUNK_BYTES", 1)
    np.testing.assert_array_equal(forecast_many(walks, 60).mean, whole.mean)


def test_left_padding_changes_nothing(walks):
    padded = np.concatenate([np.full((12, 90), np.nan), walks], axis=1)
    np.testing.assert_allclose(forecast_many(padded, 30).mean, forecast_many(walks, 30).mean, rtol=1e-9)


def test_units_change_nothing_but_the_unit(walks):
    base = forecast_many(walks, 30)
    for factor in (1e-3, 1e9):
        scaled = forecast_many(walks * factor, 30)
        np.testing.assert_allclose(scaled.mean, base.mean * factor, rtol=1e-6)
        np.testing.assert_allclose(scaled.upper[95], base.upper[95] * factor, rtol=1e-6)


def test_bounds_hold_for_mean_and_interval():
    rng = np.random.default_rng(2)
    values = np.clip(95 + rng.normal(0, 4, (6, 120)) + 0.1 * np.arange(120), 0, 100)
    low, high = np.zeros(6), np.full(6, 100.0)
    batch = forecast_many(values, 90, lower_bound=low, upper_bound=high)
    for path in (batch.mean, *batch.lower.values(), *batch.upper.values()):
        assert path.min() >= 0
        assert path.max() <= 100


def test_a_constant_series_is_itself_and_an_empty_one_nothing():
    values = np.full((2, 60), 7.0)
    values[1] = np.nan
    batch = forecast_many(values, 5)
    assert (batch.mean[0] == 7).all()
    assert (batch.upper[95][0] == 7).all()
    assert np.isnan(batch.mean[1]).all()
    assert batch.n.tolist() == [60, 0]


def test_a_line_crosses_its_limit_on_the_day_it_must():
    line = 10 + 0.5 * np.arange(120.0)
    median, lower, upper = forecast_many(line[None, :], 60).crossing(80)
    assert median[0] == pytest.approx(21, abs=1)
    assert lower[0] <= median[0] <= upper[0]


def test_crossings_of_noisy_lines_are_near_the_truth():
    rng = np.random.default_rng(3)
    values = 20 + 0.1 * np.arange(365) + rng.normal(0, 0.5, (60, 365))
    limit = 20 + 0.1 * (364 + 100)
    median, lower, upper = forecast_many(values, 180).crossing(limit)
    assert np.abs(median - 100).mean() < 8
    assert ((lower <= 100) & (upper >= 100)).mean() >= 0.75


def test_a_clean_line_reaches_its_limit_when_the_line_does():
    rng = np.random.default_rng(10)
    days_to_go = np.linspace(20, 150, 40)
    ripple = 0.002 * np.sin(2 * np.pi * np.arange(365) / 7)
    values = 0.3 + 0.001 * np.arange(365) + ripple + rng.normal(0, 0.002, (40, 365))
    median, lower, upper = forecast_many(values, 180, upper_bound=1.0).crossing(0.664 + 0.001 * days_to_go)
    assert np.abs(median - days_to_go).mean() < 2.5
    assert abs((median - days_to_go).mean()) < 1.5
    assert (upper - lower).mean() < 20


@pytest.mark.parametrize(("n", "horizon"), [(20, 120), (30, 180), (30, 365), (60, 7), (365, 365)])
def test_a_line_goes_on_whatever_the_lengths(n, horizon):
    line = 0.1 + 0.001 * np.arange(n + horizon) + np.random.default_rng(14).normal(0, 1e-5, n + horizon)
    mean = forecast_many(line[None, :n], horizon).mean[0]
    assert np.abs(mean - line[n:]).max() < 0.05 * 0.001 * horizon


def test_a_season_larger_than_the_noise_reaches_a_limit_at_its_peak():
    day = np.arange(372)
    sawtooth = 20 + 0.05 * day + (day % 7) + np.random.default_rng(11).normal(0, 0.05, (8, 372))
    limit = 20 + 0.05 * 371 + 9
    median = forecast_many(sawtooth, 180).crossing(limit)[0]
    truth = next(k for k in range(1, 180) if 20 + 0.05 * (371 + k) + (371 + k) % 7 >= limit)
    assert np.abs(median - truth).max() <= 14


def test_the_chance_of_reaching_rises_with_time_and_falls_with_the_limit():
    rng = np.random.default_rng(9)
    batch = forecast_many(np.cumsum(rng.normal(0.2, 1, (5, 200)), axis=1), 60)
    near, far = (batch.chance(batch.mean[:, 0] + gap) for gap in (3.0, 30.0))
    assert (np.diff(near, axis=1) >= 0).all()
    assert (near >= far).all()
    assert ((near >= 0) & (near <= 1)).all()


def test_a_limit_that_is_never_reached_is_infinite():
    batch = forecast_many(np.arange(60.0)[None, :], 10)
    for steps in batch.crossing(np.inf):
        assert np.isinf(steps).all()


def test_a_season_is_repeated():
    hours = np.arange(336)
    day = np.sin(2 * np.pi * hours / 24) * 10 + 50
    rng = np.random.default_rng(4)
    batch = forecast_many((day + rng.normal(0, 0.5, 336))[None, :], 48, season=24)
    truth = np.sin(2 * np.pi * np.arange(336, 384) / 24) * 10 + 50
    assert np.abs(batch.mean[0] - truth).mean() < 0.6


def test_a_single_spike_does_not_move_the_forecast():
    values = 50 + 0.05 * np.arange(200.0) + np.random.default_rng(5).normal(0, 0.1, 200)
    spiked = values.copy()
    spiked[150] += 40
    assert np.abs(forecast_many(spiked[None], 60).mean - forecast_many(values[None], 60).mean).max() < 1.0


@pytest.mark.parametrize("season", [1, 7])
@pytest.mark.parametrize("kind", ["walk", "noise", "trend"])
def test_intervals_cover_what_they_say_on_made_up_noise(kind, season):
    rng = np.random.default_rng(6)
    shock = rng.normal(size=(200, 210))
    made = {
        "walk": np.cumsum(shock, axis=1),
        "noise": 50 + shock,
        "trend": 0.2 * np.arange(210) + 2 * shock,
    }[kind]
    batch = forecast_many(made[:, :180], 30, season=season)
    # Straight lines under white noise are kinder than what the intervals were trained for: they may cover more.
    for level, least, most in ((80, 0.71, 0.96), (95, 0.90, 1.0)):
        inside = (made[:, 180:] >= batch.lower[level]) & (made[:, 180:] <= batch.upper[level])
        assert least <= inside.mean() <= most


def test_intervals_of_random_walks_cover_half_a_year_ahead():
    walk = np.cumsum(np.random.default_rng(12).normal(size=(300, 545)), axis=1)
    batch = forecast_many(walk[:, :365], 180)
    for level, least, most in ((80, 0.72, 0.88), (95, 0.90, 0.99)):
        inside = (walk[:, 365:] >= batch.lower[level]) & (walk[:, 365:] <= batch.upper[level])
        assert least <= inside.mean() <= most


def test_what_is_full_stays_full():
    full = np.minimum(60 + 0.2 * np.arange(365) + np.random.default_rng(13).normal(0, 0.3, (20, 365)), 100.0)
    batch = forecast_many(full, 60, lower_bound=0.0, upper_bound=100.0)
    assert batch.mean.min() > 99
    assert batch.upper[80].min() > 99.9
    assert batch.lower[80].min() > 95


@pytest.mark.parametrize(("history", "lately"), [(35, 7), (35, 3), (90, 10), (365, 30)])
def test_a_step_of_late_is_hardly_growth(history, lately):
    """A deployment: the load doubles and stays. A line through it would be at its limit in half a year."""
    rng = np.random.default_rng(15)
    after = np.arange(history) >= history - lately
    load = np.where(after, 0.30, 0.15) + rng.normal(0, 0.035, (40, history))
    batch = forecast_many(load, 140, lower_bound=0.0, upper_bound=1.0)
    end = batch.mean[:, -1]
    assert 0.22 < np.median(end) < 0.4
    assert np.quantile(end, 0.9) < 0.55
    assert np.isinf(batch.crossing(0.8)[0]).mean() > 0.9


@pytest.mark.parametrize("noise", [0.05, 0.3])
@pytest.mark.parametrize(("history", "lately"), [(35, 17), (90, 30), (182, 45), (365, 180)])
def test_a_leak_of_late_goes_on(history, lately, noise):
    """A rise of 15 points began not long ago and is told in full: forecast to stop, the warning would come too late."""
    rng = np.random.default_rng(17)
    path = 10 + 15 * np.maximum(np.arange(history + 30) - (history - lately), 0) / lately
    values = path + rng.normal(0, noise, (40, history + 30))
    batch = forecast_many(values[:, :history], 30, lower_bound=0.0, upper_bound=100.0)
    told = (batch.mean[:, -1] - path[history - 1]) / (path[-1] - path[history - 1])
    assert 0.85 < np.median(told) < 1.15
    inside = (values[:, history:] >= batch.lower[80]) & (values[:, history:] <= batch.upper[80])
    assert inside.mean() > 0.75


def padded(y, before):
    """*y* in age order, as if it had begun *before* steps after the batch."""
    return np.concatenate([np.full(before, y[0]), y])[None, ::-1].copy()


def left(y, *regressors):
    """Share of squares that least squares leaves, by numpy."""
    columns = np.column_stack([np.ones(len(y)), *regressors])
    rest = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    return (rest**2).sum() / ((y - y.mean()) ** 2).sum()


def test_a_step_a_line_and_a_turn_are_told_by_what_they_leave():
    rng = np.random.default_rng(16)
    y = rng.normal(size=60) + np.where(np.arange(60) >= 48, 4.0, 0.0)
    moved = histories.changes(padded(y, 20), np.array([60]))
    age = np.arange(60)[::-1]
    by_step = min(left(y, age < k) for k in range(3, 58))
    by_turn, newer = min((left(y, np.maximum(k - age, 0)), k) for k in range(5, 61))
    assert moved.line_or_step[0] == pytest.approx(np.log((by_step + 0.01) / (left(y, age) + 0.01)), rel=1e-9)
    assert moved.turn_or_step[0] == pytest.approx(np.log((by_turn + 0.01) / (by_step + 0.01)), rel=1e-9)
    assert (moved.step.age[0], moved.turn.age[0]) == (12, newer)
    assert moved.step.size[0] == pytest.approx(y[-12:].mean() - y[:-12].mean(), rel=1e-9)


def test_a_turn_is_where_it_was_and_goes_on_as_it_did():
    y = 3 + 0.5 * np.maximum(np.arange(60) - 40, 0)
    turn = histories.one_turn(padded(y, 20), np.array([60]))
    assert turn.age[0] == 19
    assert (turn.end[0], turn.slope[0], turn.left[0]) == pytest.approx((y[-1], 0.5, 0.0), abs=1e-9)
    moved = histories.changes(padded(y, 20), np.array([60]))
    assert moved.turn_or_step[0] < -2
    assert histories.changes(padded(np.arange(60.0), 20), np.array([60])).line_or_step[0] > 2


def test_smoothing_is_that_of_statsmodels():
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    y = np.random.default_rng(7).normal(size=150).cumsum()
    fit = SimpleExpSmoothing(y, initialization_method="known", initial_level=y[0]).fit(
        smoothing_level=0.3, optimized=False
    )
    assert members.smoothed(y[None, ::-1].copy(), 0.3)[0] == pytest.approx(fit.forecast(1)[0], abs=1e-9)


def test_lines_are_those_of_least_squares():
    y = np.random.default_rng(8).normal(size=80).cumsum()
    level, slope = members.Sums.of(y[None, ::-1].copy()).line(np.array([40]))
    expected = np.polyfit(np.arange(-39, 1), y[-40:], 1)
    assert slope[0] == pytest.approx(expected[0], rel=1e-9)
    assert level[0] == pytest.approx(expected[1], rel=1e-9)


def test_one_series_has_dates_a_record_and_a_sentence():
    found = forecast(disk(), limit=0.75)
    assert isinstance(found, Forecast)
    assert found.mean.index[0] == pd.Timestamp("2027-01-01", tz="UTC")
    assert len(found.mean) == 180
    crossing = found.crossing(0.75)
    assert abs(crossing.median - pd.Timestamp("2027-03-27", tz="UTC")) < pd.Timedelta("10D")
    assert crossing.lower <= crossing.median
    assert str(found).startswith("Disk used reaches 75\u00a0% on ")
    assert "80 % interval" in str(found)
    assert found.unit == "ratio"
    assert found.n == 365
    assert found.coverage == 1
    assert found.backtest.origins == 8
    assert 0 < found.backtest.error < found.backtest.naive_error
    assert list(found.to_frame().columns) == ["mean", "lower_80", "upper_80", "lower_95", "upper_95"]
    assert found.upper[95].max() <= 1


def test_the_record_is_of_the_level_that_it_names():
    walk = pd.Series(np.cumsum(np.random.default_rng(0).normal(size=200)), days(200))
    eighty, both, wide = (forecast(walk, horizon="30D", levels=levels) for levels in ((80,), (80, 95), (95,)))
    assert eighty.backtest == both.backtest
    assert wide.backtest.coverage > eighty.backtest.coverage
    assert "as wide as its 95 % there" in wide._repr_mimebundle_()["text/html"]


def test_a_limit_already_reached_is_said():
    found = forecast(disk(), limit=0.5)
    assert str(found) == "Disk used is at or above 50\u00a0% already"
    assert found.crossing(0.5).upper == found.mean.index[0]


def test_sentences_for_what_is_not_reached():
    flat = forecast(disk(slope=0.0), limit=0.99)
    assert "does not reach 99\u00a0%" in str(flat) or "is not expected to reach 99\u00a0%" in str(flat)
    assert flat.crossing(0.99).median is None
    assert "is expected at" in str(forecast(disk()))


def test_what_never_moved_is_not_said_to_be_sure():
    still = pd.Series(0.4, days(90), name="disk_used_ratio")
    assert str(forecast(still, limit=0.85)).startswith("Disk used was the same in all 90 values: it does not reach 85")
    assert str(forecast(still)).endswith("in all 90 values and stays there, if it does not start to move")


def test_a_forecast_shows_itself_as_a_chart_a_table_and_numbers():
    found = forecast(disk(), limit=0.75)
    shown = found._repr_mimebundle_()
    assert shown["text/plain"] == str(found)
    assert "Error of carrying the last value on" in shown["text/html"]
    data = json.loads(json.dumps(shown[MEDIA_TYPE], allow_nan=False))["data"]
    assert data["mean"] == list(found.mean)
    assert data["crossing"]["median"].startswith(f"{found.crossing(0.75).median:%Y-%m-%d}")
    chart = found.chart()
    assert [band.level for band in chart.bands] == [95, 80]
    assert chart.lines[0].y == tuple(disk())
    axes = found.plot(Figure().add_subplot())
    assert len(axes.lines) == 3  # measured, forecast, limit


def test_missing_days_are_gaps_not_a_shorter_history():
    whole = disk()
    holes = whole.drop(whole.index[50:80])
    found = forecast(holes, horizon="30D")
    assert found.n == 335
    assert found.coverage == pytest.approx(335 / 365)


def test_hourly_and_weekly_are_recognised():
    hours = pd.date_range("2026-01-01", periods=336, freq="h", tz="UTC")
    load = pd.Series(50 + 10 * np.sin(2 * np.pi * np.arange(336) / 24), hours)
    found = forecast(load, horizon="48h")
    assert found.mean.iloc[6] == pytest.approx(load.iloc[6], abs=0.5)
    weeks = pd.date_range("2024-01-01", periods=104, freq="7D", tz="UTC")
    assert len(forecast(pd.Series(np.arange(104.0), weeks), horizon="91D").mean) == 13


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(1.0, pd.date_range("2026-01-01", periods=30, freq="D")),
        pd.Series(1.0, days(30)[::-1]),
        pd.Series(1.0, days(30).repeat(2)),
        pd.Series(["a"] * 30, days(30)),
        pd.Series([1.0] * 29 + [np.inf], days(30)),
        pd.Series(1.0, range(30)),
        pd.Series(1.0, days(20).append(pd.date_range("2026-02-01 00:00:07", periods=10, freq="h", tz="UTC"))),
    ],
    ids=["naive", "unsorted", "duplicate", "object", "infinite", "no times", "mixed frequency"],
)
def test_what_cannot_be_forecast_has_a_name(series):
    with pytest.raises(BadSeries):
        forecast(series)


def test_too_little_is_refused_with_numbers():
    for n, series in ((0, disk(0)), (0, disk(30) * np.nan), (1, disk(1)), (13, disk(13))):
        with pytest.raises(NotEnoughData, match="forecast of disk_used_ratio") as short:
            forecast(series)
        assert (short.value.n, short.value.needed) == (n, 14)
    gappy = disk(100)
    gappy.iloc[5:70] = np.nan
    with pytest.raises(NotEnoughData) as gaps:
        forecast(gappy)
    assert gaps.value.needed == 50


@pytest.mark.parametrize(
    "options",
    [
        *({"horizon": horizon} for horizon in ("soon", "1h", "99999D", "", None)),
        *({"levels": levels} for levels in ((50,), 80, np.array([80, 90]))),
        *({"limit": limit} for limit in (np.nan, np.inf, "full")),
        {"upper_bound": 0.1},  # it was above
        {"lower_bound": 0.9},
        {"lower_bound": "none"},
    ],
    ids=str,
)
def test_parameters_that_cannot_be(options):
    with pytest.raises(ParameterError):
        forecast(disk(60), **options)


@pytest.mark.parametrize("horizon", [180, 180.0, "180", " 0.5 "])
def test_a_horizon_without_a_unit_is_not_taken_for_nanoseconds(horizon):
    with pytest.raises(ParameterError, match="has no unit"):
        forecast(disk(60), horizon=horizon)


@pytest.mark.parametrize(
    "options",
    [
        {"horizon": 0},
        {"horizon": np.nan},
        {"season": 0},
        {"season": 1.5},
        {"levels": ()},
        {"lower_bound": 3, "upper_bound": 2},
        {"lower_bound": [1, 2, 3]},
    ],
)
def test_batch_parameters_that_cannot_be(options):
    with pytest.raises(ParameterError):
        forecast_many(np.ones((2, 30)), options.pop("horizon", 5), **options)


@pytest.mark.parametrize("values", [np.ones(5), [["a", "b"]], [[1.0, np.inf]]])
def test_batch_values_that_cannot_be(values):
    with pytest.raises(BadSeries):
        forecast_many(values, 5)


@pytest.mark.parametrize("limits", [np.nan, [0.9, np.nan, 0.8], [0.9, 0.8], "full", None], ids=str)
def test_a_limit_that_is_no_number_is_not_called_unreached(walks, limits):
    batch = forecast_many(walks[:3], 5)
    with pytest.raises(ParameterError, match="limit"):
        batch.crossing(limits)


def test_a_series_renamed_keeps_its_metric_and_unit():
    series = disk(60).rename("web-1")
    series.attrs = {"metric": "disk_used_ratio", "unit": "ratio"}
    found = forecast(series, horizon="10D")
    assert (found.metric, found.unit) == ("disk_used_ratio", "ratio")
    assert found.upper[95].max() <= 1


def test_an_empty_batch_is_empty():
    assert forecast_many(np.ones((0, 30)), 5).mean.shape == (0, 5)


floats = st.floats(-1e12, 1e12, allow_subnormal=False) | st.just(np.nan)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 60)), elements=floats),
    st.integers(1, 40),
    st.sampled_from([1, 7, 24]),
)
def test_any_table_of_numbers_gives_finite_ordered_paths(values, horizon, season):
    batch = forecast_many(values, horizon, season=season, lower_bound=-1e12, upper_bound=1e12)
    some = np.isfinite(values).any(axis=1)
    assert np.isfinite(batch.mean[some]).all()
    assert np.isnan(batch.mean[~some]).all()
    for level in (80, 95):
        assert (batch.lower[level][some] <= batch.mean[some]).all()
        assert (batch.mean[some] <= batch.upper[level][some]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(floats | st.just(np.inf), min_size=0, max_size=40), st.sampled_from(["D", "h", "7D"]), st.booleans())
def test_any_series_gives_a_forecast_or_a_named_error(values, freq, aware):
    index = pd.date_range("2026-01-01", periods=len(values), freq=freq, tz="UTC" if aware else None)
    try:
        found = forecast(pd.Series(values, index, dtype=float), horizon="28D")
    except HealthkitError:
        return
    assert np.isfinite(found.mean).all()
    assert str(found)
