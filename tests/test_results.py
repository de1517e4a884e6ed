"""Every result says what it rests on, and shows itself: one sentence, a table, a picture, HTML, JSON."""

from __future__ import annotations

import inspect
import json
import pkgutil
from datetime import UTC, datetime, timedelta

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import healthkit
from healthkit.bundles import MEDIA_TYPE
from healthkit.capacity import capacity
from healthkit.changes import change
from healthkit.detections import anomalies
from healthkit.errors import HealthkitError
from healthkit.findings import Finding, Findings, Severity
from healthkit.forecasts import forecast
from healthkit.jsons import plain
from healthkit.ledger import predictions, record, score
from healthkit.periods import Period
from healthkit.quantiles import percentiles
from healthkit.scores import health_score
from healthkit.trends import trend

mpl.use("agg")

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def daily(values, name="disk_used_ratio", freq="D"):
    return pd.Series(values, pd.date_range(START, periods=len(values), freq=freq), name=name)


def growth(days=120):
    return 0.3 + 0.003 * np.arange(days) + 0.003 * np.random.default_rng(0).normal(size=days)


def rollup(values, start=START):
    frame = pd.DataFrame({"date": pd.date_range(start, periods=len(values), freq="D", unit="ms"), "host": "web-1"})
    frame["metric"], frame["device"], frame["n"], frame["coverage"] = "disk_used_ratio", "/var", 10, 1.0
    for how in ("mean", "max", "min", "last"):
        frame[how] = values
    return frame.assign(q=[np.full(21, value) for value in values])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    values = growth(200)
    hours = daily(50 + np.random.default_rng(1).normal(size=720), "load1", "h")
    hours.iloc[500] += 20
    plan = capacity(rollup(values[:120]), now=START + 120 * DAY)
    record(home, predictions(plan))
    found = anomalies(hours)
    full = Finding("disk", Severity.CRITICAL, "/var", "/var is full", value=0.97, unit="ratio", host="web-1", ts=START)
    return {
        "trend": trend(daily(values + 0.2 * (np.arange(200) > 90))),
        "forecast": forecast(daily(values[:120]), horizon="60D"),
        "percentiles": percentiles(hours),
        "percentiles by hour": percentiles(hours, by="hour"),
        "change": change(daily(values), period=Period.parse("2026-W10")),
        "anomalies": found,
        "anomaly": found[0],
        "capacity": plan,
        "capacity row": plan.rows[0],
        "ledger": score(home, rollup=rollup(values), now=START + 200 * DAY),
        "score": health_score(Findings((full,))),
    }


ALL = ["trend", "forecast", "percentiles", "percentiles by hour", "change", "anomalies", "capacity", "ledger", "score"]


@pytest.mark.parametrize("name", ALL)
def test_it_says_what_it_rests_on(results, name):
    result = results[name]
    assert isinstance(result.unit, str)
    assert result.n > 0
    assert 0 <= result.coverage <= 1
    assert result.method


@pytest.mark.parametrize("name", [*ALL, "anomaly", "capacity row"])
def test_it_shows_itself(results, name):
    result = results[name]
    sentence = str(result)
    assert "\n" not in sentence
    assert len(sentence) > 20
    assert isinstance(result.to_frame(), pd.DataFrame)
    bundle = result._repr_mimebundle_()
    assert bundle["text/plain"] == sentence
    assert bundle["text/html"].count("<p>") >= 1
    assert json.loads(json.dumps(bundle[MEDIA_TYPE], allow_nan=False))["data"]
    rows = json.dumps(plain(result.to_frame().to_dict("records")), allow_nan=False)
    assert "NaT" not in rows


# where results of an analysis live; procedures, sections and the store show what they did, which has no axes
ANALYSES = ("capacity", "changes", "detections", "forecasts", "ledger", "quantiles", "scores", "trends")


def test_no_class_that_shows_itself_is_left_out(results):
    names = [one.name for one in pkgutil.walk_packages(healthkit.__path__, "healthkit.")]
    modules = [__import__(name, fromlist=["_"]) for name in names if name.split(".")[1] in ANALYSES]
    shown = {
        one
        for module in modules
        for _, one in inspect.getmembers(module, inspect.isclass)
        if hasattr(one, "_repr_mimebundle_") and one.__module__ == module.__name__
    }
    assert {type(result) for result in results.values()} == shown


@pytest.mark.parametrize("name", [*ALL, "anomaly", "capacity row"])
def test_it_draws_itself_on_the_axes_given(results, name):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert results[name].plot(axes) is axes
    assert axes.get_title(loc="left")
    assert axes.lines or axes.collections


def test_the_line_drawn_goes_through_the_values(results):
    measured, line = results["trend"].chart().lines
    assert np.abs(np.array(measured.y) - line.y).max() < 0.02


TIMES = {
    "in order": lambda n: pd.date_range("2026-01-05", periods=n, freq="D", tz="UTC"),
    "naive": lambda n: pd.date_range("2026-01-05", periods=n, freq="D"),
    "backwards": lambda n: pd.date_range("2026-01-05", periods=n, freq="D", tz="UTC")[::-1],
    "twice": lambda n: pd.date_range("2026-01-05", periods=n, freq="D", tz="UTC").repeat(2)[:n],
    "mixed steps": lambda n: (
        pd.date_range("2026-01-05", periods=n, freq="D", tz="UTC")
        + pd.to_timedelta(np.where(np.arange(n) % 5 == 4, 61, 0), unit="min")
    ),
    "numbers": range,
}
NUMBERS = st.one_of(
    st.floats(-1e300, 1e300),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0, 1e-320]),
)


@settings(max_examples=120, deadline=None)
@given(
    st.one_of(
        st.lists(NUMBERS, max_size=70),
        st.builds(lambda value, n: [value] * n, NUMBERS, st.integers(0, 70)),
    ),
    st.sampled_from(sorted(TIMES)),
    st.sampled_from(["float64", "object", "str"]),
    st.sampled_from([trend, percentiles, anomalies, lambda s: change(s, period=Period.parse("2026-W08"))]),
)
def test_bad_input_gives_a_named_error_or_a_result_that_shows_itself(values, times, dtype, analyse):
    series = pd.Series(values, TIMES[times](len(values)), dtype="float64").astype(dtype)
    try:
        result = analyse(series)
    except HealthkitError:
        return
    assert dtype == "float64"
    assert times in {"in order", "mixed steps"}
    assert not np.isinf(values).any()
    assert str(result)
    json.dumps(result._repr_mimebundle_()[MEDIA_TYPE], allow_nan=False)
