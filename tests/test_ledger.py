"""The forecast ledger: stored once, scored when measured, calibrated by what came."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import healthkit as hk
from healthkit import sections
from healthkit.capacity import capacity
from healthkit.ledger import Prediction, coverage_interval, predictions, record, score, width_factor
from healthkit.state import State

MADE = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def prediction(host="web-1", days=7, mean=0.5, width80=0.1, **changes):
    wide = width80 * 1.6
    return Prediction(
        host=host, metric="disk_used_ratio", device="/var", how="mean", made=MADE, target=MADE + (days - 1) * DAY,
        mean=mean, lower80=mean - width80, upper80=mean + width80, lower95=mean - wide, upper95=mean + wide, **changes,
    )  # fmt: skip


def measured(values, host="web-1", start=MADE):
    days = pd.date_range(start, periods=len(values), freq="D", unit="ms")
    frame = pd.DataFrame({"date": days, "host": host, "metric": "disk_used_ratio", "device": "/var", "n": 10})
    frame["mean"] = frame["max"] = frame["min"] = frame["last"] = np.asarray(values, dtype=float)
    frame["coverage"], frame["q"] = 1.0, [np.full(21, value) for value in values]
    return frame[np.isfinite(frame["mean"])]


def test_a_forecast_is_scored_when_its_day_is_over(tmp_path):
    assert record(tmp_path, [prediction(days=7), prediction(days=30)]) == 2
    early = score(tmp_path, rollup=measured([0.52] * 6), now=MADE + 6 * DAY)
    assert (early.n, early.waiting) == (0, 2)
    assert "(2 wait for their day)" in str(early)
    ledger = score(tmp_path, rollup=measured([0.52] * 7), now=MADE + 7 * DAY)
    assert (ledger.n, ledger.held80, ledger.waiting) == (1, 1, 1)
    assert ledger.mean_absolute_error == {"disk_used_ratio": pytest.approx(0.02)}
    late = score(tmp_path, rollup=measured([0.9] * 30), now=MADE + 30 * DAY)
    assert (late.n, late.held80) == (2, 1), "what was scored stays scored"
    assert str(late) == "1 of 2 forecasts held in their 80 % interval."
    frame = late.to_frame()
    assert frame["days"].tolist() == [7, 30]
    assert frame["coverage80"].tolist() == [1.0, 0.0]


def test_the_same_report_made_twice_is_stored_once(tmp_path):
    assert record(tmp_path, [prediction()]) == 1
    assert record(tmp_path, [prediction(), prediction(days=14)]) == 1
    with State(tmp_path) as state:
        assert len(state.records("forecasts")) == 2


def test_a_day_that_was_not_measured_is_told_apart_and_given_up_after_a_month(tmp_path):
    assert str(score(tmp_path, rollup=measured([0.5]), now=MADE)) == "No earlier forecast is on record."
    record(tmp_path, [prediction(days=7)])
    assert score(tmp_path, rollup=measured([0.5] * 6), now=MADE + 10 * DAY).waiting == 1
    ledger = score(tmp_path, rollup=measured([0.5] * 6), now=MADE + 40 * DAY)
    assert str(ledger) == "No earlier forecast could be scored yet (1 day was not measured)."
    assert (ledger.n, ledger.unmeasured, ledger.waiting, ledger.coverage) == (0, 1, 0, 0)
    assert math.isnan(ledger.coverage80)


def test_dates_are_scored_when_the_limit_is_reached_or_the_horizon_is_over(tmp_path):
    horizon = MADE + 29 * DAY
    common = {"kind": "crossing", "limit_value": 0.8}
    for host, ends in {"right": (10, 8, 12), "early": (10, 9, 11), "never": (math.inf, 20, math.inf)}.items():
        base = prediction(host=host)
        record(
            tmp_path,
            [
                Prediction(
                    **{name: getattr(base, name) for name in ("host", "metric", "device", "how", "made")},
                    target=horizon, mean=ends[0], lower80=ends[1], upper80=ends[2], **common,
                )
            ],
        )  # fmt: skip
    reached = [0.7] * 9 + [0.81] * 3
    rollup = pd.concat([measured(reached, "right"), measured(reached[4:], "early"), measured([0.5] * 12, "never")])
    ledger = score(tmp_path, rollup=rollup, now=MADE + 12 * DAY)
    assert (ledger.crossings, ledger.crossings_held, ledger.waiting) == (2, 1, 1)
    ledger = score(tmp_path, rollup=measured([0.5] * 30, "never"), now=MADE + 30 * DAY)
    assert (ledger.crossings, ledger.crossings_held, ledger.waiting) == (3, 2, 0)


def crossing(host="web-1", ends=(math.inf, math.inf, math.inf), days=30):
    base = prediction(host=host, days=days)
    names = ("host", "metric", "device", "how", "made", "target")
    return Prediction(
        **{name: getattr(base, name) for name in names}, mean=ends[0], lower80=ends[1], upper80=ends[2],
        kind="crossing", limit_value=0.8,
    )  # fmt: skip


def test_a_date_that_nobody_could_see_is_neither_right_nor_wrong(tmp_path):
    record(
        tmp_path,
        [
            crossing("renamed", (10, 8, 12)),  # measured under another name since
            crossing("gone"),  # not expected to reach it, and nobody knows
            crossing("silent", (10, 8, 12)),  # back after 20 days, above the limit: since when?
            crossing("quiet"),  # not expected, and it did not
            crossing("later"),  # reached when the forecast had ended
            crossing("surprise"),
        ],
    )
    silent = np.r_[0.7, np.full(20, np.nan), np.full(19, 0.9)]
    later, surprise = np.r_[np.full(35, 0.5), np.full(5, 0.9)], np.full(40, 0.9)
    came = {"silent": silent, "quiet": np.full(40, 0.5), "later": later, "surprise": surprise}
    rollup = pd.concat([measured(values, host) for host, values in came.items()])
    ledger = score(tmp_path, rollup=rollup, now=MADE + 40 * DAY)
    assert (ledger.crossings, ledger.crossings_held, ledger.waiting) == (1, 0, 0)
    with State(tmp_path) as state:
        found = {row["host"]: (row["actual"], row["measured"]) for row in state.records("forecasts")}
    assert found["renamed"] == found["gone"] == (None, 0.0)
    assert found["silent"] == (22, pytest.approx(2 / 22))
    assert found["quiet"] == found["later"] == (None, 1.0)
    assert found["surprise"] == (1, 1.0)


def test_an_old_report_made_again_knows_nothing_of_later_days(tmp_path):
    record(tmp_path, [prediction(days=7), prediction(days=30), crossing(ends=(20, 18, 22))])
    values = measured(np.linspace(0.5, 0.85, 30))
    new = score(tmp_path, rollup=values, now=MADE + 30 * DAY)
    old = score(tmp_path, rollup=values, now=MADE + 10 * DAY)
    assert (new.n, new.crossings) == (2, 1)
    assert (old.n, old.crossings, old.waiting) == (1, 0, 2)
    assert old.scores[0]["days"] == 7


def simulate(home, *, scale, rounds, factor=1.0, seed=0, series=25, start=0):
    """Reports every week whose intervals are right for noise of sd 1, while the noise has sd *scale*."""
    rng = np.random.default_rng(seed)
    z80, z95 = norm.ppf(0.9), norm.ppf(0.975)
    for week in range(start, start + rounds):
        made = MADE + 7 * week * DAY
        hosts = [f"h{i}" for i in range(series)]
        record(
            home,
            [
                Prediction(host, "load1", "", "mean", made, made + 6 * DAY, 10.0, *(10 + np.array([-1, 1]) * factor * z80),
                           *(10 + np.array([-1, 1]) * factor * z95), factor=factor)
                for host in hosts
            ],
        )  # fmt: skip
        came = pd.DataFrame({"date": pd.Timestamp(made + 6 * DAY).as_unit("ms"), "host": hosts, "metric": "load1"})
        came = came.assign(device="", n=10, mean=10 + scale * rng.normal(size=series))
        ledger = score(home, rollup=came, now=made + 7 * DAY)
    return ledger


def test_intervals_that_hold_are_left_alone(tmp_path):
    ledger = simulate(tmp_path, scale=1.0, rounds=12)
    assert ledger.n == 300
    assert ledger.coverage80 == pytest.approx(0.8, abs=0.06)
    assert ledger.coverage80_lower <= 0.8 <= ledger.coverage80_upper
    assert (ledger.factor, ledger.drifting) == (1.0, False)


def test_intervals_that_are_too_narrow_are_widened_until_they_hold(tmp_path):
    before = simulate(tmp_path, scale=1.8, rounds=8)
    assert before.coverage80 < 0.65
    assert before.factor == pytest.approx(1.8, rel=0.2)
    assert "intervals are made wider (1." in str(before)
    simulate(tmp_path, scale=1.8, rounds=12, factor=before.factor, seed=1, start=8)
    with State(tmp_path) as state:
        later = [row for row in state.records("forecasts") if row["factor"] > 1]
    inside = np.mean([row["lower80"] <= row["actual"] <= row["upper80"] for row in later])
    assert inside == pytest.approx(0.8, abs=0.07)
    after = score(tmp_path, rollup=measured([0.5]), now=MADE + 140 * DAY)
    assert after.factor == pytest.approx(1.8, rel=0.2), "it judges the unwidened interval, and does not swing back"
    assert after.held80 > after.held80_uncorrected
    assert f"as wide as they were at first, {after.held80_uncorrected} would have: too few" in str(after)


def test_what_the_ledger_changed_is_said_in_the_report(tmp_path):
    told = simulate(tmp_path, scale=1.8, rounds=8)
    review = hk.review(tmp_path, "weekly", now=MADE + 63 * DAY)
    assert review.capacity.factor == pytest.approx(told.factor)
    assert (
        f"made {told.factor:.2g} times as wide, because earlier ones held too rarely" in sections.capacity(review).text
    )
    assert "interval: too few, so intervals are made wider" in str(review.ledger)


@pytest.mark.slow
def test_series_that_become_restless_widen_the_next_plan(tmp_path):
    rng = np.random.default_rng(6)
    hosts, days = [f"web-{k}" for k in range(12)], 300
    moves = rng.normal(size=(len(hosts), days)) * np.where(np.arange(days) < 200, 0.001, 0.006)
    used = np.clip(0.4 + 0.0005 * np.arange(days) + np.cumsum(moves, axis=1), 0, 1)
    start = MADE - 200 * DAY

    def until(day):
        return pd.concat([measured(row[:day], host=host, start=start) for host, row in zip(hosts, used, strict=True)])

    calm = capacity(until(190), now=start + 190 * DAY)
    assert record(tmp_path, predictions(calm, horizons=(3, 7))) > 0
    before = score(tmp_path, rollup=until(198), now=start + 198 * DAY)
    assert not before.drifting, "what happened until then was foreseen"
    for day in (200, 210, 220):
        record(tmp_path, predictions(capacity(until(day), now=start + day * DAY), horizons=(7, 14)))
    drifted = score(tmp_path, rollup=until(250), now=start + 250 * DAY)
    assert drifted.coverage80 < 0.7
    assert drifted.factor > 1.2
    assert "too few, so intervals are made wider" in str(drifted)
    ends = []
    for factor in (1.0, drifted.factor):
        plan = capacity(until(250), now=start + 250 * DAY, factor=factor)
        ranked = [row.host for row in plan.rows]  # soonest first, which the factor may change
        ends.append(np.array([(plan.lower[80][i, 6], plan.upper[80][i, 6]) for i in map(ranked.index, hosts)]))
    plain, wider = (end[:, 1] - end[:, 0] for end in ends)
    assert wider == pytest.approx(drifted.factor * plain, rel=0.05)
    came = used[:, 256]
    inside = [np.mean((end[:, 0] <= came) & (came <= end[:, 1])) for end in ends]
    assert inside[1] >= inside[0]


def test_intervals_that_are_far_too_wide_are_narrowed(tmp_path):
    ledger = simulate(tmp_path, scale=0.4, rounds=8)
    assert ledger.factor == pytest.approx(2 / 3)
    assert "narrower" in str(ledger)


def test_the_interval_of_a_share_covers_although_series_err_together():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        cluster = np.repeat(np.arange(40), 6)
        common = rng.normal(size=40)[cluster]
        inside = (np.abs(0.8 * common + 0.6 * rng.normal(size=240)) <= norm.ppf(0.9)).astype(float)
        lower, upper = coverage_interval(inside, cluster)
        hits += lower <= 0.8 <= upper
    assert hits / 400 >= 0.92


def test_share_of_independent_trials_is_wilsons():
    # Wilson (1927) for 81 of 263: 0.2553 to 0.3662, Newcombe (1998), Statistics in Medicine 17, 857-872, table I.
    inside = np.array([1.0] * 81 + [0.0] * 182)
    lower, upper = coverage_interval(inside, np.arange(263))
    assert (lower, upper) == (pytest.approx(0.2553, abs=0.003), pytest.approx(0.3662, abs=0.003))


def test_few_scores_change_nothing():
    assert width_factor(np.full(29, 5.0), np.arange(29)) == 1.0
    assert width_factor(np.full(30, 5.0), np.arange(30)) == 3.0
    assert math.isnan(coverage_interval(np.array([]), np.array([], dtype=int))[0])


def test_a_capacity_plan_goes_in_and_comes_out(tmp_path):
    now = MADE + timedelta(hours=2)
    rng = np.random.default_rng(0)
    truth = 0.3 + 0.002 * np.arange(200) + 0.003 * rng.normal(size=200)
    plan = capacity(measured(truth[:120], start=MADE - 120 * DAY), now=now)
    promised = list(predictions(plan))
    assert [p.kind for p in promised] == ["value"] * 6 + ["crossing"]
    assert record(tmp_path, promised) == 7
    ledger = score(tmp_path, rollup=measured(truth[120:]), now=MADE + 80 * DAY)
    assert ledger.n == 4
    assert ledger.held80 >= 2
    assert ledger.waiting == 3
    assert json.loads(json.dumps(ledger.as_dict(), allow_nan=False))["n"] == 4
    assert "scores" not in ledger.as_dict()
    assert "disk_used_ratio" in ledger._repr_mimebundle_()["text/html"]


def test_while_the_database_is_corrupt_forecasts_wait_in_the_spool(tmp_path):
    (tmp_path / "health.db").write_bytes(b"no database" * 100)
    assert record(tmp_path, [prediction()]) == 1
    (tmp_path / "health.db").unlink()
    ledger = score(tmp_path, rollup=measured([0.5] * 7), now=MADE + 7 * DAY)
    assert ledger.held80 == 1
