"""Anomalies: each kind is found where it was put, said with what was expected, and quiet series stay quiet."""

from __future__ import annotations

import json
import math
import time

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.signal import lfilter

from healthkit.detections import anomalies, anomalies_many
from healthkit.detections.expectations import quantile
from healthkit.errors import BadSeries, NotEnoughData, ParameterError


def hours(values, name="load1"):
    index = pd.date_range("2026-01-05", periods=len(values), freq="h", tz="UTC")
    return pd.Series(np.asarray(values, dtype=float), index, name=name)


def rhythm(days=30, seed=0, phi=0.5, series=None):
    """Hours with a rhythm of 3 sd and AR(1) noise of sd 1."""
    rng = np.random.default_rng(seed)
    noise = lfilter([1], [1, -phi], rng.normal(size=(series or 1, days * 24)), axis=1) * math.sqrt(1 - phi**2)
    values = 50 + 3 * np.sin(np.arange(days * 24) / 12 * np.pi) + noise
    return values if series else values[0]


def test_a_spike_is_found_with_what_was_expected():
    values = rhythm()
    values[500] += 12
    (spike,) = anomalies(hours(values))
    assert (spike.kind, spike.start, spike.end - spike.start) == (
        "spike",
        pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(hours=500),
        pd.Timedelta(hours=1),
    )
    assert spike.lower < values[500] - 12 < spike.upper < spike.value == values[500]
    assert spike.score > 1
    assert "expected" in str(spike)


def test_the_season_is_expected():
    values = np.tile(np.r_[np.zeros(23), 100.0], 30) + np.random.default_rng(0).normal(size=720)
    assert len(anomalies(hours(values))) == 0
    values[23 + 24 * 10] = 0  # the nightly job did not run: only a seasonal view sees that
    (missed,) = anomalies(hours(values))
    assert missed.start == pd.Timestamp("2026-01-15 23:00", tz="UTC")


def test_the_latch_tells_an_event_once_and_again_only_at_a_new_maximum_of_a_day():
    values = rhythm()
    values[300:312] += np.r_[np.linspace(12, 20, 6), np.linspace(20, 12, 6)]
    assert len(anomalies(hours(values))) == 1
    values[400] += 15
    assert len(anomalies(hours(values))) == 2


def test_a_shift_is_a_shift_and_says_the_new_level():
    values = rhythm()
    values[360:] += 10
    found = anomalies(hours(values))
    assert found[0].kind == "shift"
    assert abs((found[0].peak - hours(values).index[360]) / pd.Timedelta(hours=1)) <= 3
    assert found[0].value == pytest.approx(60, abs=2)
    assert found[0].upper < 57
    assert found[0].end == hours(values).index[-1] + pd.Timedelta(hours=1)


def test_a_steady_slope_is_no_shift():
    assert len(anomalies(hours(rhythm() + np.linspace(0, 200, 720)))) == 0


def test_a_flat_line_in_a_series_that_moves():
    values = rhythm()
    values[200:230] = values[200]
    (flat,) = anomalies(hours(values))
    assert (flat.kind, flat.value, flat.unit) == ("flat-line", 30 * 3600, "seconds")
    assert "same value for" in str(flat)
    assert len(anomalies(hours(np.round(rhythm() / 20)))) == 0, "a coarse gauge repeats itself"
    assert len(anomalies(hours(np.full(720, 3.0)))) == 0


def test_a_gap_unless_gaps_are_usual():
    values = rhythm()
    values[100:110] = math.nan
    (gap,) = anomalies(hours(values))
    assert (gap.kind, gap.value) == ("gap", 36000)
    assert gap.end - gap.start == pd.Timedelta(hours=10)
    nightly = rhythm()
    nightly[np.arange(720) % 24 < 8] = math.nan
    assert len(anomalies(hours(nightly))) == 0


def test_a_change_of_variance():
    values = np.r_[rhythm(days=30, phi=0.0), 50 + 6 * np.random.default_rng(1).normal(size=720)]
    kinds = {item.kind for item in anomalies(hours(values))}
    assert "variance change" in kinds


def test_missing_rows_are_gaps_too():
    series = hours(rhythm()).drop(hours(rhythm()).index[300:320])
    (gap,) = anomalies(series)
    assert gap.kind == "gap"
    assert anomalies(series).coverage == pytest.approx(700 / 720)


def test_days_have_a_week():
    rng = np.random.default_rng(0)
    values = 100 + np.tile([0, 0, 0, 0, 0, -40, -40], 20) + rng.normal(size=140)
    series = pd.Series(values, pd.date_range("2026-01-05", periods=140, tz="UTC"))
    assert len(anomalies(series)) == 0
    series.iloc[47] += 40  # a Saturday as busy as a Friday
    (busy,) = anomalies(series)
    assert busy.start == series.index[47]
    assert busy.upper < 80


def test_what_is_expected_stays_within_what_the_metric_can_be():
    values = np.clip(0.02 + 0.02 * np.abs(np.random.default_rng(0).normal(size=720)), 0, 1)
    values[400] = 1.0
    (spike,) = anomalies(hours(values, name="cpu_busy_ratio"))
    assert 0 <= spike.lower < 0.04 < spike.upper < 0.2
    assert spike.unit == "ratio"
    assert "100" in str(spike)


def test_worst_first_and_the_sentence_names_the_worst():
    values = rhythm()
    values[200] += 12
    values[500] += 40
    found = anomalies(hours(values))
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert "2 anomalies among 720 values, the worst a spike on 2026-01-25 20:00" in str(found)
    frame = found.to_frame()
    assert frame["kind"].tolist() == ["spike", "spike"]
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["n"] == 720
    assert "nothing unusual" in str(anomalies(hours(rhythm())))


def test_what_happens_all_the_time_is_usual():
    values = np.zeros(720)
    values[::20] = 1.0
    assert len(anomalies(hours(values))) == 0


def families(rng, steps, season):
    clock = np.sin(2 * np.pi * np.arange(steps) / season)
    noise = lfilter([1], [1, -0.6], rng.normal(size=(60, steps)), axis=1)
    yield 50 + rng.normal(size=(60, steps))
    yield 50 + 3 * clock + noise
    yield np.exp(3 + 0.6 * clock + 0.2 * noise)
    yield 50 + rng.standard_t(4, size=(60, steps))
    yield rng.poisson(6 + 2 * clock, size=(60, steps)).astype(float)
    yield 100 + np.linspace(0, 40, steps) + noise


@pytest.mark.parametrize(("season", "steps", "month"), [(24, 1440, 720), (7, 180, 30)])
def test_at_most_one_false_alarm_per_metric_month(season, steps, month):
    for values in families(np.random.default_rng(11), steps, season):
        assert len(anomalies_many(values, season)) / (60 * steps / month) <= 1


@pytest.mark.slow
def test_five_microseconds_a_value():
    values = rhythm(days=90, series=200)
    anomalies_many(values, 24)
    start = time.process_time()
    anomalies_many(values, 24)
    assert (time.process_time() - start) / values.size <= 5e-6


def test_a_batch_gives_each_row_what_it_gets_alone():
    values = rhythm(series=8)
    values[3, 100] += 15
    values[5, 300:] += 12
    values[6, 50:80] = math.nan
    values[7] = math.nan
    together = anomalies_many(values, 24)
    alone = [event._replace(row=row) for row in range(8) for event in anomalies_many(values[row][None], 24)]
    assert sorted(together) == sorted(alone)
    assert {event.row for event in together} == {3, 5, 6}


@pytest.mark.parametrize(
    ("series", "error"),
    [
        (hours([]), NotEnoughData),
        (hours([math.nan] * 50), NotEnoughData),
        (hours(np.arange(20.0)), NotEnoughData),
        (hours(rhythm()).iloc[::-1], BadSeries),
        (hours(rhythm()).tz_localize(None), BadSeries),
        (hours([*rhythm(), math.inf]), BadSeries),
        (hours(rhythm()).astype(object), BadSeries),
        (pd.concat([hours(rhythm())] * 2).sort_index(), BadSeries),
        (hours(rhythm()).set_axis(hours(rhythm()).index + pd.to_timedelta(np.arange(720) ** 2, "s")), BadSeries),
    ],
)
def test_bad_input_is_named(series, error):
    with pytest.raises(error):
        anomalies(series)


def test_bad_arrays_are_named():
    for values in (np.zeros(5), [["a"]], [[math.inf]]):
        with pytest.raises(BadSeries, match="values"):
            anomalies_many(values, 24)
    for season in (0, 1.5, math.nan):
        with pytest.raises(ParameterError, match="season"):
            anomalies_many(np.zeros((1, 50)), season)
        with pytest.raises(ParameterError, match="season"):
            anomalies(hours(rhythm()), season=season)


@given(
    st.lists(st.floats(-1e100, 1e100) | st.just(math.nan) | st.sampled_from([0.0, 1.0]), max_size=250),
    st.sampled_from([1, 2, 7, 24]),
)
@settings(max_examples=150, deadline=None)
def test_any_numbers_give_anomalies_within_the_series_or_not_enough_data(values, season):
    series = hours(values)
    try:
        found = anomalies(series, season=season)
    except NotEnoughData:
        assert np.isfinite(values).sum() < 21
        return
    for item in found:
        assert series.index[0] <= item.start <= item.peak < item.end <= series.index[-1] + pd.Timedelta(hours=1)
        assert item.score > 1
        assert item.lower <= item.upper
        assert str(item)


@given(
    st.lists(st.lists(st.floats(-1e9, 1e9) | st.just(math.nan), min_size=9, max_size=9), min_size=1, max_size=5),
    st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_quantile_is_numpys(rows, share):
    values = np.array(rows)
    expected = [np.nanquantile(row, share) if np.isfinite(row).any() else math.nan for row in values]
    assert quantile(values, share) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-6, nan_ok=True)


def test_a_notebook_shows_the_chart_with_what_was_expected():
    values = rhythm() / 60
    values[500] = 1.0
    found = anomalies(hours(values, name="cpu_busy_ratio"))
    chart = found.chart()
    assert len(chart.lines[0].y) == len(chart.bands[0].upper) == 720
    assert max(chart.bands[0].upper) <= 1
    assert [label for _, label in chart.marks] == ["spike"]
    assert found.plot().get_title(loc="left") == "CPU busy"
    assert "<svg" in found._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize(("season", "steps"), [(7, 200), (24, 720)])
def test_what_grows_steadily_is_not_unusual_at_its_ends(noise, season, steps):
    values = np.arange(steps) + noise * np.random.default_rng(2).normal(size=(20, steps))
    values[10:] *= -1
    values[15:, :50] = values[15:, -60:] = math.nan  # it began later, and is silent since: gaps, and nothing else
    found = [event for event in anomalies_many(values, season) if event.kind != "gap"]
    assert len(found) <= 3
    assert noise or not found


def test_what_never_moves_or_hardly_ever_needs_no_division_by_nothing():
    assert len(anomalies(hours(np.zeros(720)))) == 0
    values = np.zeros(720)
    values[[100, 400]] = 1.0
    found = anomalies(hours(values))
    assert [(item.kind, item.lower, item.upper) for item in found] == [("spike", 0, 0)] * 2
    assert str(found[0]).endswith(": 1; expected 0")


def test_a_host_replaced_after_a_gap_shifts_on_the_first_day_of_the_new_one():
    rng = np.random.default_rng(3)
    values = 0.6 + 0.001 * np.arange(200) + 0.01 * rng.normal(size=(10, 200))
    values[:, 100:] -= 0.4
    values[:, 79:100] = math.nan
    found = anomalies_many(values, 7)
    shifts = [event for event in found if event.kind == "shift"]
    assert [event.start for event in shifts] == [100] * 10
    assert all(abs(event.value - 0.3) < 0.03 for event in shifts)  # the new level, not one between that nobody measured
    assert len(found) <= 22  # ten gaps, ten shifts


def test_a_metric_that_was_negative_can_be():
    values = rhythm() - 50
    values[400] = -40
    (spike,) = anomalies(hours(values))
    assert spike.value < spike.lower < -1 < 1 < spike.upper
    assert min(anomalies(hours(values)).chart().bands[0].lower) < -1


def test_a_shift_has_lasted_for_a_cycle():
    values = 100 + np.random.default_rng(4).normal(size=140)
    values[-4:] += 20
    assert all(item.kind == "spike" for item in anomalies(pd.Series(values, hours(values).index)) if item)
    assert not [event for event in anomalies_many(values[None], 7) if event.kind == "shift"]


def test_hardly_anything_is_not_unusual():
    rare = np.zeros(720)
    rare[400::40] = rare[415::40] = 1.0
    assert not [event for event in anomalies_many(rare[None], 24) if event.kind == "variance change"]
    still = np.full(720, 1e9)
    still[500] += 10  # "1 GB; expected 1 GB" would tell nobody anything
    assert len(anomalies(hours(still))) == 0
    still[500] += 1e5
    assert len(anomalies(hours(still))) == 1
