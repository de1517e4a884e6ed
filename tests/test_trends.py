from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from healthkit.errors import BadSeries, HealthkitError, NotEnoughData, ParameterError
from healthkit.trends import Trend, trend, trend_many
from healthkit.trends.explanations import LINES, explain
from healthkit.trends.fits import fit, whiten
from healthkit.trends.lines import columns
from healthkit.trends.mixtures import Mixture, student
from healthkit.trends.noises import Noises
from healthkit.trends.spikes import spikes

DAYS = 90


def noise(rng, shape, phi=0.0):
    out = rng.standard_normal(shape)
    for t in range(1, shape[1]):
        out[:, t] = phi * out[:, t - 1] + np.sqrt(1 - phi**2) * out[:, t]
    return out


def daily(values, start="2026-01-01", freq="D", **attrs):
    series = pd.Series(values, pd.date_range(start, periods=len(values), freq=freq, tz="UTC"), name="load1")
    series.attrs.update(attrs)
    return series


def one_noise(phi, white=0.0):
    zero = np.zeros(1)
    return Noises(np.array([phi]), np.array([white]), zero, zero)


def test_a_line_without_noise_is_its_own_slope():
    batch = trend_many(np.arange(60.0)[None] * 3 - 7)
    assert batch.slope[0] == pytest.approx(3, rel=1e-9)
    assert batch.p_value[0] < 1e-12
    assert batch.lower[0] == pytest.approx(3, rel=1e-5)


def test_a_line_without_noise_does_not_wander():
    found = trend(daily(np.arange(90)))
    assert (found.direction, found.evidence) == ("rising", "more than chance")
    assert "99.9% interval" in str(trend(daily(np.arange(90)), alpha=0.001))


def test_the_slope_of_a_leak_is_found():
    rng = np.random.default_rng(0)
    leak = 3.0 * np.arange(DAYS) + 10 * noise(rng, (1, DAYS), 0.5)[0]
    found = trend(daily(leak))
    assert found.slope == pytest.approx(3.0, rel=0.05)
    assert found.lower < 3.0 < found.upper
    assert found.direction == "rising"
    assert found.n == DAYS
    assert found.coverage == 1.0


def test_falling_is_said_of_falling():
    rng = np.random.default_rng(1)
    assert trend(daily(-0.2 * np.arange(DAYS) + noise(rng, (1, DAYS))[0])).direction == "falling"


@pytest.mark.parametrize("missing", [np.s_[30:60], np.s_[::3], np.s_[1:40:2]])
def test_gaps_do_not_change_the_slope(missing):
    series = daily(5 + 0.7 * np.arange(DAYS))
    with_nan = series.copy()
    with_nan.iloc[missing] = np.nan
    without_rows = series.drop(series.index[missing])
    assert trend(with_nan).slope == pytest.approx(0.7)
    assert trend(without_rows).slope == pytest.approx(0.7)
    assert trend(with_nan).coverage == pytest.approx(1 - with_nan.isna().mean())


def test_days_of_hours_have_the_slope_of_days():
    rng = np.random.default_rng(2)
    hours = np.arange(60 * 24)
    cycle = 5 * np.sin(hours / 24 * 2 * np.pi)
    series = daily(0.3 * hours / 24 + cycle + 0.2 * noise(rng, (1, len(hours)), 0.8)[0], freq="h")
    series[pd.DatetimeIndex(series.index).hour > 12] = series.where(rng.random(len(series)) < 0.6)
    found = trend(series)
    assert found.slope == pytest.approx(0.3, rel=0.1)
    assert not found.shifts


def test_two_days_of_hours_are_judged_by_hours():
    assert trend(daily(range(48), freq="h")).slope == 24.0


def test_left_padding_changes_nothing():
    rng = np.random.default_rng(3)
    rows = noise(rng, (6, DAYS), 0.5) + 0.02 * np.arange(DAYS)
    padded = np.pad(rows, ((0, 0), (14, 0)), constant_values=np.nan)
    short, long = trend_many(rows), trend_many(padded)
    np.testing.assert_allclose(long.slope, short.slope, rtol=1e-6)
    np.testing.assert_allclose(long.p_value, short.p_value, rtol=1e-5)


@settings(max_examples=20)
@given(st.floats(1e-6, 1e12), st.floats(-1e3, 1e3))
def test_units_do_not_matter(factor, offset):
    rng = np.random.default_rng(4)
    rows = noise(rng, (3, 60), 0.5) + 0.03 * np.arange(60)
    plain, scaled = trend_many(rows), trend_many((rows + offset) * factor)
    np.testing.assert_allclose(scaled.slope, plain.slope * factor, rtol=1e-6)
    np.testing.assert_allclose(scaled.lower, plain.lower * factor, rtol=1e-4)
    np.testing.assert_allclose(scaled.p_value, plain.p_value, rtol=1e-4)


def test_upside_down_is_the_mirror_image():
    rng = np.random.default_rng(5)
    rows = noise(rng, (5, 60), 0.3) + 0.05 * np.arange(60)
    up, down = trend_many(rows), trend_many(-rows)
    np.testing.assert_allclose(down.slope, -up.slope, rtol=1e-9)
    np.testing.assert_allclose(down.lower, -up.upper, rtol=1e-5)
    np.testing.assert_allclose(down.p_value, up.p_value, rtol=1e-9)


def test_a_series_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(6)
    rows = noise(rng, (300, 40), 0.5)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    together = trend_many(rows)
    for k in (0, 7, 299):
        alone = trend_many(rows[k : k + 1])
        for name in ("slope", "lower", "upper", "p_value", "shift_at"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[k])


@pytest.mark.parametrize(("phi", "white"), [(0.0, 0.0), (0.6, 0.0), (0.9, 0.4)])
def test_fits_agree_with_statsmodels_gls(phi, white):
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    measured = rng.random((1, 50)) < 0.7
    at = np.flatnonzero(measured[0])
    values = noise(rng, (1, 50), phi)
    columns = np.stack([np.ones(50), np.linspace(-1, 1, 50)], axis=1)
    grid = one_noise(phi, white)
    fitted = fit(columns[None], values, measured, grid, whiten(measured, grid))
    sigma = (1 - white) * phi ** np.abs(at[:, None] - at) + white * np.eye(len(at))
    theirs = sm.GLS(values[0, at], columns[at], sigma=sigma).fit()
    value, error = fitted.slope()
    assert value[0, 0] == pytest.approx(theirs.params[1], rel=1e-6)
    assert error[0, 0] == pytest.approx(theirs.bse[1], rel=1e-6)
    value, error = fitted.coefficient(0)
    assert value[0, 0] == pytest.approx(theirs.params[0], rel=1e-6)
    assert error[0, 0] == pytest.approx(theirs.bse[0], rel=1e-6)


@pytest.mark.parametrize("change", [0.0, 2.0])
def test_a_line_is_as_likely_as_numerical_integration_over_the_spread_says(change):
    from scipy.integrate import quad

    rng = np.random.default_rng(22)
    values = noise(rng, (1, 50)) + np.linspace(0, change, 50)
    grid, measured = one_noise(0.0), np.ones((1, 50), dtype=bool)
    whitening = whiten(measured, grid)
    design = columns(50, 1, np.full((1, 0), -1))
    still = explain(fit(design, values, measured, grid, whitening), whitening, grid.phi).still[0, 0]
    rest, line = (row - row.mean() for row in (values[0], np.linspace(0, 1, 50)))

    def integral(size):
        # the mean is integrated out: 49 degrees of freedom
        return quad(lambda u: u**48 * np.exp(-((u * rest - size * line) ** 2).sum() / 2 + 49 / 2), 0, 5, points=[1.0])[
            0
        ]

    for place, size in enumerate(LINES, start=1):
        expected = np.log((integral(size) + integral(-size)) / 2 / integral(0.0))
        assert still[place] - still[0] == pytest.approx(expected, abs=0.02)


def test_student_is_scipys():
    t = np.linspace(-15, 15, 301)
    for freedom, tolerance in ((3, 2e-5), (5, 1e-6), (10, 1e-9), (80, 1e-12)):
        np.testing.assert_allclose(student(np.array([freedom]), t), stats.t.cdf(t, freedom), atol=tolerance)


def test_the_quantile_of_one_student_is_scipys():
    one = Mixture(np.ones((1, 1)), np.array([[2.0]]), np.array([[3.0]]), np.array([[20.0]]))
    assert one.quantile(0.025)[0] == pytest.approx(stats.t.ppf(0.025, 20, loc=2, scale=3), rel=1e-6)
    assert one.p_value()[0] == pytest.approx(2 * stats.t.sf(2 / 3, 20), rel=1e-6)


def test_quantiles_of_a_mixture_are_where_the_probability_is():
    rng = np.random.default_rng(8)
    weight = rng.dirichlet(np.ones(6), 4)
    mixed = Mixture(weight, rng.normal(size=(4, 6)), rng.uniform(0.01, 3, (4, 6)), np.full((4, 1), 12.0))
    for share in (0.005, 0.025, 0.5, 0.9):
        np.testing.assert_allclose(mixed.below(mixed.quantile(share)), share, rtol=1e-4)


def test_a_deployment_is_a_step_and_no_trend():
    rng = np.random.default_rng(9)
    found = trend(daily(20 + 4.0 * (np.arange(DAYS) >= 50) + noise(rng, (1, DAYS), 0.3)[0], unit="ratio"))
    assert found.direction == "none"
    (shift,) = found.shifts
    assert abs((shift.at - pd.Timestamp("2026-02-20", tz="UTC")).days) <= 1
    assert shift.lower < 4.0 < shift.upper
    assert "steps up by" in str(found)


def test_a_step_beside_a_trend_leaves_the_trend():
    rng = np.random.default_rng(10)
    at = np.arange(DAYS)
    found = trend(daily(0.2 * at - 10.0 * (at >= 40) + noise(rng, (1, DAYS))[0]))
    assert found.direction == "rising"
    assert found.slope == pytest.approx(0.2, rel=0.15)
    assert [shift.size < 0 for shift in found.shifts] == [True]


def test_shifts_come_in_order_of_time():
    rng = np.random.default_rng(11)
    at = np.arange(120)
    batch = trend_many((5.0 * ((at >= 30) & (at < 80)) + 0.5 * noise(rng, (1, 120))[0])[None])
    assert batch.shift_at[0].tolist() == [30, 80, -1, -1, -1]
    assert batch.shift_size[0, :2] == pytest.approx([5, -5], abs=0.5)


def test_where_step_and_line_fit_alike_it_says_so():
    rng = np.random.default_rng(12)
    at = np.arange(40)
    found = trend(daily(1.8 * (at >= 20) + 0.02 * at + noise(rng, (1, 40))[0]))
    assert "shift or trend, cannot tell" in found.evidence


def test_few_days_are_weak_evidence():
    assert trend(daily(range(20))).evidence.startswith("weak evidence: 20 days")
    assert trend(daily(range(40))).evidence == "more than chance"


def test_spikes_are_set_aside():
    rng = np.random.default_rng(13)
    values = noise(rng, (1, DAYS)) + 0.03 * np.arange(DAYS)
    spiky = values.copy()
    spiky[0, [5, 40, 41, 88]] += 30
    assert np.flatnonzero(spikes(spiky)[0]).tolist() == [5, 40, 41, 88]
    plain, robust = trend_many(values), trend_many(spiky)
    assert robust.slope[0] == pytest.approx(plain.slope[0], abs=0.005)
    assert robust.n[0] == DAYS


def test_a_step_and_a_busy_weekday_are_no_spikes():
    at = np.arange(DAYS)
    rng = np.random.default_rng(14)
    assert not spikes((8.0 * (at >= 45) + noise(rng, (1, DAYS))[0])[None]).any()
    assert not spikes((20.0 * (at % 7 == 6) + noise(rng, (1, DAYS))[0])[None]).any()


def test_a_constant_has_no_trend():
    batch = trend_many(np.full((1, 30), 17.25))
    assert (batch.slope[0], batch.lower[0], batch.upper[0]) == (0, 0, 0)
    assert batch.p_value[0] == pytest.approx(1)
    assert trend(daily(np.full(30, 0.1))).direction == "none"


def test_too_few_values_are_unknown():
    batch = trend_many(np.array([[1.0] * 9 + [np.nan] * 9, list(range(18))]))
    assert np.isnan(batch.p_value).tolist() == [True, False]
    with pytest.raises(NotEnoughData) as caught:
        trend(daily(range(9)))
    assert (caught.value.n, caught.value.needed) == (9, 10)


def test_an_empty_batch_is_an_empty_result():
    assert trend_many(np.empty((0, 30))).slope.shape == (0,)
    assert np.isnan(trend_many(np.empty((2, 0))).slope).all()


@pytest.mark.parametrize(
    "series",
    [
        [1.0, 2.0],
        pd.Series(range(20)),
        pd.Series(range(20), pd.date_range("2026-01-01", periods=20)),
        daily([str(k) for k in range(20)]),
        daily(np.array([object()] * 20)),
        daily([np.inf, *range(19)]),
        daily(range(20))[::-1],
        pd.concat([daily(range(20)), daily(range(20))]).sort_index(),
        pd.concat([daily(range(20)), daily(range(20), start="2026-02-01 00:07", freq="h")]),
        daily(np.arange(20) * 1j),
    ],
    ids=["list", "no times", "naive", "text", "object", "infinite", "backwards", "twice", "mixed steps", "complex"],
)
def test_what_is_no_series_is_named(series):
    with pytest.raises(BadSeries):
        trend(series)


@pytest.mark.parametrize(
    ("values", "options", "error"),
    [
        (np.arange(20.0), {}, BadSeries),
        ([["a"] * 20], {}, BadSeries),
        (np.full((1, 20), np.inf), {}, BadSeries),
        (np.zeros((1, 20)), {"season": 0}, ParameterError),
        (np.zeros((1, 20)), {"season": 3.5}, ParameterError),
        (np.zeros((1, 20)), {"season": np.nan}, ParameterError),
        (np.zeros((1, 20)), {"alpha": 1.5}, ParameterError),
    ],
)
def test_what_is_no_batch_is_named(values, options, error):
    with pytest.raises(error):
        trend_many(values, **options)


def test_all_missing_is_not_enough():
    with pytest.raises(NotEnoughData):
        trend(daily(np.full(30, np.nan)))
    with pytest.raises(NotEnoughData):
        trend(daily(np.array([], dtype=float)))


@given(
    hnp.arrays(
        np.float64,
        st.integers(0, 60),
        elements=st.one_of(st.just(np.nan), st.sampled_from([0.0, 1.0]), st.floats(-1e300, 1e300)),
    ),
    st.sampled_from(["D", "h", "7D", "5min"]),
)
def test_any_numbers_give_a_result_or_a_named_error(values, freq):
    try:
        found = trend(daily(values, freq=freq))
    except HealthkitError:
        return
    assert 0 <= found.p_value <= 1
    assert found.lower <= found.upper
    assert found.direction in {"rising", "falling", "none"}
    assert str(found).endswith(".")


def test_a_trend_shows_itself():
    rng = np.random.default_rng(15)
    values = 0.5 + 0.002 * np.arange(DAYS) + 0.2 * (np.arange(DAYS) >= 30) + 0.01 * noise(rng, (1, DAYS))[0]
    found = trend(daily(values, unit="ratio", metric="cpu_busy_ratio"))
    assert isinstance(found, Trend)
    assert str(found).startswith("CPU busy rises: +0.2")
    frame = found.to_frame()
    assert frame["kind"].tolist() == ["slope", "shift"]
    assert frame["unit"].tolist() == ["ratio/day", "ratio"]
    assert "CPU busy rises" in found._repr_mimebundle_()["text/html"]
    assert json.loads(json.dumps(found.as_dict()))["shifts"][0]["at"].startswith("2026-01-31")


@pytest.mark.parametrize(("phi", "most"), [(0.0, 0.08), (0.5, 0.08)])
def test_false_trends_are_rare(phi, most):
    rng = np.random.default_rng(16)
    rows = noise(rng, (400, DAYS), phi) + 2 * (np.arange(DAYS) % 7 == 6)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    batch = trend_many(rows)
    assert np.mean(batch.p_value < 0.05) <= most
    assert np.mean((batch.lower <= 0) & (batch.upper >= 0)) >= 1 - most
    assert (batch.shift_at >= 0).sum() <= 0.2 * 400 * DAYS / 365


def test_trends_are_found():
    rng = np.random.default_rng(17)
    rows = noise(rng, (200, DAYS), 0.5) + np.linspace(0, 2, DAYS)
    batch = trend_many(rows)
    assert np.mean(batch.p_value < 0.05) >= 0.65
    assert np.mean(batch.slope * (DAYS - 1)) == pytest.approx(2, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "n", "most"),
    [(0.0, 14, 0.07), (0.5, 14, 0.07), (0.5, 30, 0.07), (0.5, 90, 0.07), (0.8, 90, 0.07), (0.95, 90, 0.09)],
)
def test_the_level_holds(phi, n, most):
    rng = np.random.default_rng(18)
    rows = noise(rng, (1500, n), phi)
    rows[500:] += rng.standard_normal((1000, 7))[:, np.arange(n) % 7] * 2
    rows[500:1000][rng.random((500, n)) < 0.1] = np.nan
    rows[1000:][rng.random((500, n)) < 0.3] = np.nan
    # two standard errors of a share of 1500
    assert np.mean(trend_many(rows).p_value < 0.05) <= most + 0.013


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_a_shift_of_four_sd_is_found_and_is_no_trend(phi):
    rng = np.random.default_rng(19)
    at = rng.integers(20, 160, 400)
    rows = noise(rng, (400, 180), phi) + 4 * (np.arange(180) >= at[:, None])
    batch = trend_many(rows)
    hits = (np.abs(batch.shift_at - at[:, None]) <= 3).any(axis=1).sum()
    assert 2 * hits / ((batch.shift_at >= 0).sum() + 400) >= 0.95
    assert np.mean(batch.p_value < 0.05) <= 0.1


@pytest.mark.slow
def test_most_shifts_of_two_sd_in_ninety_days_are_found_and_few_that_are_not_there():
    rng = np.random.default_rng(21)
    at = rng.integers(14, 76, 600)
    batch = trend_many(noise(rng, (600, DAYS)) + 2 * (np.arange(DAYS) >= at[:, None]))
    hits = (np.abs(batch.shift_at - at[:, None]) <= 3).any(axis=1).sum()
    # whoever knew the noise and the size of the step would reach 0.98
    assert 2 * hits / ((batch.shift_at >= 0).sum() + 600) >= 0.92
    for phi in (0.0, 0.5):
        rising = trend_many(noise(rng, (600, DAYS), phi) + np.linspace(0, 2, DAYS))
        assert (rising.shift_at >= 0).sum() <= 0.25 * 600 * DAYS / 365


def test_a_sawtooth_of_clean_ups_rises():
    rng = np.random.default_rng(20)
    at = np.arange(DAYS)
    used = 40 + 0.5 * at - 12.0 * (at >= 30) - 12.0 * (at >= 62) + 0.8 * noise(rng, (1, DAYS), 0.3)[0]
    found = trend(daily(used))
    assert found.direction == "rising"
    assert found.lower < 0.5 < found.upper
    assert [shift.size < -8 for shift in found.shifts] == [True, True]
