"""Percentiles: against numpy, scipy and simulation; refusals; the merge of daily grids."""

from __future__ import annotations

import ast
import math
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.signal import lfilter
from scipy.stats import binom, norm

import healthkit
from healthkit.demo import demo_data
from healthkit.errors import BadSeries, NotEnoughData, ParameterError
from healthkit.grids import merge_grids
from healthkit.grids.lattices import step_of
from healthkit.quantiles import independent, merge, needed, percentiles
from healthkit.quantiles.samples import binomial_quantile
from healthkit.store.rates import rates
from healthkit.store.rollup import roll_up, single

GRID = np.arange(21) / 20


def minutes(values, start="2026-01-05", name="cpu_busy_ratio"):
    index = pd.date_range(start, periods=len(values), freq="min", tz="UTC")
    return pd.Series(np.asarray(values, dtype=float), index, name=name)


def rank_error(value, pooled, p, slack=1e-12):
    """Distance in rank points of p from the ranks that *value* has in the pooled samples."""
    slack *= abs(value)
    low = 100 * np.mean(pooled < value - slack)
    high = 100 * np.mean(pooled <= value + slack)
    return max(low - p, p - high, 0.0)


def office_hours(rng):
    clock = 0.4 + 0.3 * np.sin(np.arange(1440) / 720 * np.pi)
    return clock * np.where(np.arange(90) % 7 < 5, 1, 0.3)[:, None] + 0.02 * rng.normal(size=(90, 1440))


def growing_disk(rng):
    return np.linspace(0.2, 0.9, 90 * 1440).reshape(90, 1440) + 1e-4 * rng.normal(size=(90, 1440))


def response_times(rng):
    return np.exp(0.8 * rng.normal(size=(90, 1440)) + 0.5 * rng.normal(size=(90, 1)))


def levels(rng):
    return 0.2 + 0.5 * rng.random((90, 1)) + 0.03 * rng.normal(size=(90, 1440))


def bursts(rng):
    values = 0.1 + 0.02 * rng.normal(size=(90, 1440))
    values[::9, 300:360] = 0.9
    return values


def counts(rng):
    return rng.poisson(3, (90, 1440)).astype(float)


def autocorrelated(rng):
    return np.exp(lfilter([1], [1, -0.99], rng.normal(size=90 * 1440)) * 0.07).reshape(90, 1440)


@pytest.mark.parametrize("days", [office_hours, growing_disk, response_times, levels, bursts, counts, autocorrelated])
def test_merged_from_ninety_daily_grids_within_three_quarters_of_a_rank_point(days):
    rng = np.random.default_rng(3)
    at = np.array([5, 50, 75, 90, 95, 99.0])
    for _ in range(3):
        samples = days(rng)
        values, error, bound = merge_grids(np.quantile(samples, GRID, axis=1).T, np.full(90, 1440.0), at)
        off = np.array([rank_error(v, samples.ravel(), p) for v, p in zip(values, at, strict=True)])
        assert off.max() <= 0.75
        assert (off <= bound + 0.07).all()  # 1440 values a day: a rank is 0.07 points wide
        assert (off <= error + 0.07).mean() >= 5 / 6


@pytest.mark.slow
def test_merged_over_the_simulated_fleet():
    data = demo_data(hosts=2, days=90, end=datetime(2026, 11, 23, tzinfo=UTC), every="10min")
    data = data.sort_values(["host", "metric", "device", "ts"], kind="stable").reset_index(drop=True)
    names = ["metric", "host", "device"]
    data[names] = data[names].astype("category")
    data["value"] = np.asarray(rates(data), dtype=float)
    samples = {key: part["value"].to_numpy() for key, part in data.dropna().groupby(names, observed=True)}
    worst, true = {}, []
    for key, days in roll_up(data, data["value"].to_numpy()).groupby(names, observed=True):
        for row in merge(days, (50, 90, 95, 99)) if key in samples else ():
            # the rollup keeps quantiles to 16 bits
            off = rank_error(row.value, samples[key], row.q, slack=2e-5)
            worst[row.q] = max(worst.get(row.q, 0.0), off)
            true.append(off <= row.error + 0.01)
    assert max(worst.values()) <= 0.75, worst
    assert np.mean(true) >= 0.95


def events(rng, every_minutes=5, a_day=12, days=90):
    """Rates of a counter of rare events, and their rollup."""
    n = 1440 // every_minutes
    values = rng.poisson(a_day / n, (days, n)) / (60 * every_minutes)
    q = single(np.quantile(values, GRID, axis=1).T).astype(float)
    q[:, -1] = values.max(axis=1)
    body = {"metric": "network_receive_drops_total", "host": "a", "device": "eth0", "n": n, "coverage": 1.0}
    return values.ravel(), pd.DataFrame({**body, "mean": values.mean(axis=1), "q": list(q)})


@pytest.mark.parametrize("a_day", [1, 3, 12])
def test_the_percentiles_of_rare_events(a_day):
    values, rollup = events(np.random.default_rng(4), a_day=a_day)
    for row in merge(rollup, (50, 95, 98, 99, 99.5)):
        assert rank_error(row.value, values, row.q, slack=2e-5) <= min(0.75, row.error + 0.36)  # one event in 288


def test_without_means_the_stated_error_of_rare_events_is_the_greatest():
    values, rollup = events(np.random.default_rng(4))
    stated = {row.q: row for row in merge(rollup.drop(columns="mean"), (90, 99))}
    assert rank_error(stated[99].value, values, 99, slack=2e-5) <= stated[99].error
    assert stated[99].error > 1


def test_days_without_values_change_nothing():
    _, rollup = events(np.random.default_rng(4), days=10)
    grids, n, at = np.stack(rollup["q"]), np.full(10, 288.0), np.array([1, 50, 99.0])
    gaps = np.vstack([grids, np.full((3, 21), np.nan)]), np.r_[n, 0, 0, 0]
    np.testing.assert_array_equal(merge_grids(*gaps, at), merge_grids(grids, n, at))


def test_steps_are_found_in_sixteen_bits_and_none_finer_than_they_keep():
    rng = np.random.default_rng(5)
    rounded = np.round(rng.uniform(0, 0.01, (1, 30, 21)), 4)
    rough = rng.uniform(0.2, 0.9, (1, 30, 21))
    there = np.ones((1, 30), dtype=bool)
    assert step_of(np.sort(single(rounded).astype(float)), there) == [1e-4]
    assert step_of(np.sort(single(rough).astype(float)), there) == [0]
    few = np.sort(rng.binomial(2, 0.1, (1, 30, 21)) / 300)
    assert step_of(few, there) == pytest.approx([1 / 300])


def test_mean_of_daily_p95_is_not_what_merge_returns():
    days = np.full((10, 1440), 0.1)
    days[0] = 0.9
    rollup = pd.DataFrame(
        {
            "metric": "cpu_busy_ratio", "host": "a", "device": "", "n": 1440, "coverage": 1.0,
            "q": [list(np.quantile(day, GRID)) for day in days],
        }
    )  # fmt: skip
    merged = merge(rollup, (50, 90, 95))
    assert (merged[50], merged[95]) == pytest.approx((0.1, 0.9))  # the mean of the p95s would be 0.18
    assert merged.n == 14400
    assert merged.unit == "ratio"


def test_no_function_averages_percentiles():
    for module in Path(healthkit.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "mean":
                assert '"q"' not in ast.unparse(node.func.value), f"{module}:{node.lineno}"


def test_merge_by_host_weighs_days_by_their_values_and_refuses_thin_hosts():
    rng = np.random.default_rng(0)
    rows = [("a", 1440, rng.random(1440)), ("a", 30, rng.random(30) + 5), ("b", 7, rng.random(7))]
    rollup = pd.DataFrame(
        [
            {"metric": "load1", "host": host, "device": "", "n": n, "coverage": n / 1440, "q": np.quantile(v, GRID)}
            for host, n, v in rows
        ]
    )
    merged = merge(rollup, (50, 95), by="host")
    frame = merged.to_frame().set_index(["group", "q"])
    assert frame.loc[("a", 95), "value"] < 1.0  # 30 of 1470 values lie above 5: the p95 does not
    assert frame.loc[("b", 95), "unknown"] == "7 values, needs 20"
    assert math.isnan(frame.loc[("b", 95), "value"])
    assert "p50 is highest at b" in str(merged)


def test_merge_refuses_what_is_no_rollup():
    good = pd.DataFrame({"metric": ["load1"], "host": "a", "device": "", "n": 100, "coverage": 1.0, "q": [GRID]})
    with pytest.raises(ParameterError, match="column q is missing"):
        merge(good.drop(columns="q"))
    with pytest.raises(ParameterError, match="by='metric'"):
        merge(good, by="metric")
    with pytest.raises(ParameterError, match="one metric at a time"):
        merge(pd.concat([good, good.assign(metric="load5")]))
    with pytest.raises(NotEnoughData):
        merge(good.iloc[:0])
    with pytest.raises(ParameterError, match="not ascending"):
        merge_grids(GRID[::-1][None], np.ones(1), np.array([50.0]))
    with pytest.raises(ParameterError, match="between 0 and 100"):
        merge_grids(GRID[None], np.ones(1), np.array([101.0]))


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.integers(1, 2000),
            st.lists(st.floats(-1e12, 1e12), min_size=21, max_size=21).map(sorted),
        ),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.floats(0, 100), min_size=1, max_size=4).map(sorted),
)
@settings(max_examples=150, deadline=None)
def test_merged_values_ascend_and_stay_within_the_grids(days, at):
    grids, n = np.array([grid for _, grid in days]), np.array([float(n) for n, _ in days])
    values, error, bound = merge_grids(grids, n, np.array(at))
    assert (np.diff(values) >= -1e-6 * np.abs(grids).max()).all()
    assert (values >= grids.min()).all()
    assert (values <= grids.max()).all()
    assert (error <= bound + 1e-9).all()


def test_exact_values_are_numpys():
    rng = np.random.default_rng(1)
    series = minutes(rng.lognormal(size=5000))
    series.iloc[100:200] = np.nan
    result = percentiles(series, (5, 50, 95, 99))
    for row in result:
        assert row.value == pytest.approx(np.nanpercentile(series, row.q))
        assert row.lower <= row.value <= row.upper
    assert result.n == 4900
    assert result.coverage == pytest.approx(0.98)


def test_intervals_of_independent_values_are_the_binomial_ones():
    # R: sort(x)[qbinom(c(.025,.975), 100, .5)] style limits; Conover's table for n=100, p=.5 gives ranks 40 and 61.
    result = percentiles(minutes(np.random.default_rng(5).permutation(np.arange(1.0, 101.0))), (50,))
    row = result.rows[0]
    assert row.lower <= 41
    assert row.upper >= 60
    assert row.upper - row.lower < 40


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.0, 0.9, 0.98])
def test_intervals_cover_although_minutes_follow_one_another(phi):
    rng = np.random.default_rng(7)
    truth = norm.ppf([0.5, 0.9, 0.95])
    hits = np.zeros(3)
    for _ in range(200):
        noise = lfilter([1], [1, -phi], rng.normal(size=11_080))[1000:] * math.sqrt(1 - phi**2)
        hits += [
            row.lower <= t <= row.upper for row, t in zip(percentiles(minutes(noise), (50, 90, 95)), truth, strict=True)
        ]
    assert (hits / 200 >= 0.91).all()


def test_the_quantile_of_the_binomial_is_scipy_s():
    for n in (1, 2, 7, 100, 1439, 10_080):
        for p in (0.01, 0.5, 0.9, 0.95, 0.99):
            for share in (1e-6, 0.025, 0.3, 0.4, 0.975, 1 - 1e-6):
                assert binomial_quantile(share, n, p) == binom.ppf(share, n, p), (share, n, p)


def test_independent_counts_runs_not_minutes():
    rng = np.random.default_rng(0)
    assert independent(rng.random(2000) > 0.5) > 1500
    assert independent(np.repeat(rng.random(100) > 0.5, 20)) == pytest.approx(100, rel=0.5)


def test_no_p95_from_seven_points():
    # The runbook's quantiles(n=20) on 7 points returns a p95 above the maximum (D19).
    week = pd.Series([90.0, 60, 60, 60, 60, 60, 90.1], pd.date_range("2026-01-05", periods=7, tz="UTC"), name="load1")
    result = percentiles(week)
    with pytest.raises(NotEnoughData) as refusal:
        _ = result[95]
    assert (refusal.value.n, refusal.value.needed) == (7, 20)
    assert "p95 unknown (7 values, needs 20)" in str(result)
    assert result[50] == 60
    with pytest.raises(NotEnoughData):
        percentiles(week, (95, 99))


def test_by_hour_and_weekday():
    series = minutes(np.tile(np.repeat(np.arange(24.0), 60), 14))
    by_hour = percentiles(series, (50, 95), by="hour")
    assert [row.value for row in by_hour if row.q == 95] == list(range(24))
    assert "highest at 23" in str(by_hour)
    by_day = percentiles(series, (50,), by="weekday")
    assert by_day.rows[0].group == "Monday"
    assert len(by_day.rows) == 7
    berlin = percentiles(series.tz_convert("Europe/Berlin"), (50,), by="hour")
    assert berlin.rows[1].value == 0  # 01:00 in Berlin is 00:00 UTC in January


def test_groups_are_compared_by_the_highest_percentile_that_most_of_them_know():
    month = pd.Series(np.arange(720.0) % 24, pd.date_range("2026-01-05", periods=720, freq="h", tz="UTC"), name="load1")
    text = str(percentiles(month, by="hour"))  # thirty values an hour: no p99, and that says nothing of p95
    assert text == "Load1 by hour: p95 is highest at 23 (23) and lowest at 00 (0)."
    thin = pd.concat([month.iloc[:610], month.iloc[610:610]])
    assert "too few values in every group (610 values)" in str(percentiles(thin, (99,), by="hour"))
    assert str(percentiles(month * 0 + 3, (50,), by="hour")) == "Load1 by hour: p50 is 3 in 24 groups."
    uneven = month[(month.index.hour < 6) | (month.index.day < 20)]
    assert str(percentiles(uneven, (95,), by="hour")).endswith("(0); 18 groups have too few values.")


def test_by_host_of_what_load_returns():
    quiet, busy = minutes(np.linspace(0, 0.5, 500)), minutes(np.linspace(0.5, 1, 300))
    frames = [
        pd.DataFrame({"ts": one.index, "host": host, "metric": "cpu_busy_ratio", "device": "", "value": one.to_numpy()})
        for host, one in (("web-2", busy), ("web-1", quiet))
    ]
    data = pd.concat(frames, ignore_index=True)
    by_host = percentiles(data, (50, 95), by="host")
    assert [row.group for row in by_host if row.q == 50] == ["web-1", "web-2"]
    assert [row.value for row in by_host if row.q == 50] == pytest.approx([0.25, 0.75])
    assert (by_host.n, by_host.coverage, by_host.unit) == (800, 1.0, "ratio")
    assert percentiles(data, (50,))[50] == pytest.approx(np.median(data["value"]))
    assert len(percentiles(data, (50,), by="hour").rows) == 24
    with pytest.raises(ParameterError, match="one metric"):
        percentiles(pd.concat([data, data.assign(metric="load1")]))
    with pytest.raises(ParameterError, match="column device is missing"):
        percentiles(data.drop(columns="device"))
    with pytest.raises(BadSeries, match="web-1: the times must be"):
        percentiles(pd.concat([data, frames[1]]))
    with pytest.raises(BadSeries, match="web-1: the times have no time zone"):
        percentiles(data.assign(ts=data["ts"].dt.tz_localize(None)))
    with pytest.raises(BadSeries, match="web-1: "):
        percentiles(data.assign(ts="soon"))
    with pytest.raises(BadSeries, match="device is missing"):
        percentiles(data.assign(device=None))
    arrow = data.assign(ts=data["ts"].astype("timestamp[us, tz=UTC][pyarrow]"))
    assert list(percentiles(arrow, by="host")) == list(percentiles(data, by="host"))
    with pytest.raises(ParameterError, match="one of hour, weekday"):
        percentiles(quiet, by="host")


def test_json_has_no_nan():
    body = percentiles(minutes(np.arange(30.0))).as_dict()
    assert body["rows"][3]["value"] is None
    assert body["rows"][3]["unknown"] == "30 values, needs 100"


@pytest.mark.parametrize("q", [0, 100, -1, math.nan, math.inf])
def test_percentiles_outside_are_refused(q):
    with pytest.raises(ParameterError):
        needed(q)


@pytest.mark.parametrize("q", [95, (), ("most",), None], ids=str)
def test_percentiles_that_are_no_list_of_numbers_are_named(q):
    with pytest.raises(ParameterError, match="percentile"):
        percentiles(minutes(range(100)), q)


@pytest.mark.parametrize(
    ("series", "error"),
    [
        (pd.Series(dtype=float, index=pd.DatetimeIndex([], tz="UTC")), NotEnoughData),
        (minutes([math.nan] * 50), NotEnoughData),
        (minutes(np.arange(50.0)).iloc[::-1], BadSeries),
        (pd.concat([minutes(np.arange(50.0))] * 2).sort_index(), BadSeries),
        (minutes(np.arange(50.0)).tz_localize(None), BadSeries),
        (minutes([*np.arange(50.0), math.inf]), BadSeries),
        (minutes(np.arange(50.0)).astype(object), BadSeries),
        (pd.Series(range(50)), BadSeries),
        ([1, 2, 3], BadSeries),
    ],
)
def test_bad_input_is_named(series, error):
    with pytest.raises(error):
        percentiles(series)


@given(st.lists(st.floats(-1e300, 1e300) | st.just(math.nan), max_size=150))
@settings(max_examples=100, deadline=None)
def test_any_numbers_give_a_result_or_not_enough_data(values):
    try:
        result = percentiles(minutes(values))
    except NotEnoughData:
        assert np.isfinite(values).sum() < 2
        return
    for row in result:
        assert row.known == (result.n >= needed(row.q))
        assert not row.known or row.lower <= row.value <= row.upper
    assert str(result)


def test_constant_series_is_its_own_percentile():
    result = percentiles(minutes(np.full(200, 0.5)))
    assert {row.value for row in result} == {0.5}


def test_a_notebook_shows_table_text_and_numbers():
    bundle = percentiles(minutes(np.arange(30.0)))._repr_mimebundle_()
    assert "30 values, needs 100" in bundle["text/html"]
    assert bundle["text/plain"].startswith("CPU busy: p50")
    assert bundle["application/vnd.healthkit+json"]["data"]["rows"][0]["q"] == 50


FLOORS = {
    "a few at the floor": lambda rng: np.where(rng.random((90, 1440)) < 0.04, 0.0, rng.lognormal(size=(90, 1440))),
    "cut off at the floor": lambda rng: np.maximum(1.15 + 0.5 * rng.normal(size=(90, 1440)), 0.0),
    "heaped up at the floor": lambda rng: rng.beta(0.5, 3.0, (90, 1440)),
    "heaped up at the cap": lambda rng: 1 - rng.beta(0.5, 3.0, (90, 1440)),
}


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_the_error_of_a_p1_or_p99_at_a_floor_or_cap_is_not_understated(name):
    values = FLOORS[name](np.random.default_rng(0))
    at = np.array([0.5, 1, 2, 5, 95, 98, 99, 99.5])
    found, error, bound = merge_grids(
        np.quantile(values, GRID, axis=1).T, np.full(90, 1440.0), at, mean=values.mean(axis=1)
    )
    off = np.array([rank_error(value, values, p) for value, p in zip(found, at, strict=True)])
    assert off.max() > 0.3
    assert (off <= error + 0.1).all()
    assert (error <= bound + 1e-9).all()
