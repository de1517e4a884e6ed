"""What reports say, on a simulated fleet whose truth is known, and on hosts about which little is known."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import healthkit as hk
from healthkit import demo, ledger, sections
from healthkit.config import config_path
from healthkit.errors import ParameterError
from healthkit.findings import Severity
from healthkit.reports import index, mails, outputs
from healthkit.sections import MEDIA_TYPE
from healthkit.store import write_samples

END = datetime(2026, 11, 23, 6, tzinfo=UTC)
NAMES = [name for name in sections.__all__ if name.islower()]


@pytest.fixture(scope="session")
def truth():
    return demo.demo_truth(hosts=5, days=28, end=END)


@pytest.fixture(scope="module")
def week(fleet):
    return hk.review(fleet, "weekly", now=END)


@pytest.mark.parametrize("name", NAMES)
def test_every_section_shows_itself_in_three_forms(week, name):
    bundle = getattr(sections, name)(week)._repr_mimebundle_()
    assert bundle["text/plain"].strip()
    assert '<div class="hk">' in bundle["text/html"]
    payload = json.loads(json.dumps(bundle[MEDIA_TYPE], allow_nan=False))
    assert payload["section"] == name


def test_the_newest_ended_week_is_reviewed(week):
    assert week.period.label == "2026-W47"
    assert not week.so_far


def test_the_verdict_names_the_disk_that_fills(week, truth):
    shown = sections.verdict(week)
    assert truth.leak_host in shown.text
    assert "Simulated data" in shown.text
    assert shown.data["simulated"] is True
    assert 0 < shown.data["score"] < 100


def test_two_dates_of_one_disk_say_which_limit_each_speaks_of(week, truth):
    """The forecast's is that of the configured limit, the finding's that of the whole disk; neither says it by itself."""
    shown = sections.capacity(week)
    assert f"{truth.leak_host} " in shown.text
    assert "Dates of disks are those of their limit, 80\u00a0%;" in shown.text
    assert any(finding.message.startswith("100\u00a0% full in ") for finding in week.findings)
    assert "Next to reach its limit: " in sections.verdict(week).text


def test_a_day_without_data_is_named_and_lowers_coverage(week, truth):
    shown = sections.coverage(week)
    assert f"{truth.gap_start:%-d %b}" in shown.html
    assert shown.data["hosts"][truth.gap_host] == pytest.approx(6 / 7, abs=0.01)


def test_availability_is_what_was_simulated(week, truth):
    row = next(r for r in sections.availability(week).data["rows"] if r["host"] == truth.outage_host)
    assert row["down_seconds"] == pytest.approx((truth.outage_end - truth.outage_start).total_seconds(), rel=0.05)
    assert row["longest_seconds"] == pytest.approx(row["down_seconds"], rel=0.05)
    assert row["up"] == pytest.approx(1 - row["down_seconds"] / (7 * 86400), abs=1e-4)


def test_nothing_measured_is_said_and_has_no_score(tmp_path):
    shown = sections.verdict(hk.review(tmp_path, "weekly", now=END))
    assert "Nothing was measured" in shown.text
    assert shown.data["score"] is None
    assert shown.data["state"] == "unknown"


def test_one_minute_is_not_a_week_and_has_no_forecast(tmp_path):
    ts = pd.date_range(END - timedelta(minutes=1), periods=60, freq="s")
    one = {"ts": ts, "host": "new-1", "device": "/", "metric": "disk_used_ratio", "value": 0.5}
    write_samples(tmp_path, pd.DataFrame(one))
    review = hk.review(tmp_path, "weekly", now=END)
    assert review.so_far
    shown = sections.verdict(review)
    assert shown.data["state"] in {"unknown", "critical"}
    assert "Only" in shown.text
    assert not [row for row in review.capacity.rows if row.days is not None]


def test_machine_text_cannot_break_out_of_the_page(tmp_path):
    ts = pd.date_range(END - timedelta(hours=2), periods=120, freq="min")
    name = '<img src=x onerror="alert(1)">\x1b[31m'
    rows = {"ts": ts, "host": name, "device": name, "metric": "disk_used_ratio", "value": 0.99}
    write_samples(tmp_path, pd.DataFrame(rows))
    review = hk.review(tmp_path, "weekly", now=END)
    for section in NAMES:
        html = getattr(sections, section)(review).html
        assert "<img" not in html
        assert "\x1b" not in html


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"period": "2026-11"}, "monthly"),
        ({"period": "2026-W50"}, "begun"),
        ({"hosts": "web-1, nobody"}, "nobody"),
        ({"cadence": "hourly"}, "hourly"),
        ({"now": "yesterday"}, "yesterday"),
        ({"now": "2026-11-23T02:00"}, "zone"),
    ],
)
def test_a_wrong_parameter_is_named(fleet, options, word):
    with pytest.raises(ParameterError, match=word):
        hk.review(fleet, **({"cadence": "weekly", "now": END} | options))


def test_a_dead_collector_is_a_few_rows_and_every_question_stays_in_sight(fleet):
    late = hk.review(fleet, "weekly", period="2026-W48", now=END + timedelta(hours=9))
    unknown = late.findings.of(Severity.UNKNOWN)
    assert len(unknown) > 60
    rows = sections.attention(late).data["rows"]
    assert len(rows) < 12
    assert {row["host"] for row in rows if row["severity"] == "unknown"} == {"all 5 hosts"}
    shown = sections.evidence(late).html
    assert all(f"{f.subject}: {f.message}" in shown or f.message in shown for f in unknown)


def test_days_without_a_sample_are_told_as_spans(tmp_path):
    write_samples(tmp_path, demo.demo_data(hosts=1, days=10, end=END, every="1h"))
    month = hk.review(tmp_path, "monthly", period="2026-11", now=END)
    assert "1 Nov to 12 Nov" in sections.coverage(month).html


def test_the_busiest_hour_is_told_with_its_zone(week, truth):
    shown = sections.hours(week)
    assert shown.data["rows"][0]["host"] in truth.hosts
    assert "UTC" in shown.text
    grid = np.array(shown.data["rows"][0]["mean"], dtype=float)
    assert grid.shape == (7, 24)
    assert np.nanmean(grid[:5, 10:16]) > np.nanmean(grid[:, 0:5]), "days are busier than nights"


def test_trouble_that_could_not_be_asked_about_is_no_health(tmp_path):
    demo.write_demo(tmp_path, hosts=2, days=28, end=END)
    late = hk.review(tmp_path, "weekly", period="2026-W48", now=END + timedelta(days=3))
    shown = sections.verdict(late)
    assert shown.data["state"] == "unknown"
    assert "nothing needs a hand" not in shown.text.lower()


@pytest.fixture(scope="module")
def calm():
    """Six weeks of a healthy host."""
    samples = demo.demo_data(hosts=3, days=42, end=END, every="1h").query("host == 'cache-1'")
    return samples.astype({"host": str, "metric": str, "device": str})


def home_of(home, *samples):
    """A home of which samples are expected every hour."""
    config_path(home).parent.mkdir()
    config_path(home).write_text("collect: {every: 1h}\n")
    write_samples(home, pd.concat(samples))
    return home


@pytest.fixture(scope="module")
def filling(calm, tmp_path_factory):
    """A healthy host with a disk that grows by half a point a day: 80 % in days, full in weeks."""
    ts = pd.date_range(END - timedelta(days=42), END, freq="h", inclusive="left")
    used = 0.775 - 0.005 * (END - ts) / timedelta(days=1) + np.random.default_rng(0).normal(0, 5e-4, len(ts))
    disk = pd.DataFrame({"ts": ts, "host": "cache-1", "metric": "disk_used_ratio", "device": "/data", "value": used})
    return home_of(tmp_path_factory.mktemp("filling"), calm, disk)


def test_a_limit_that_is_reached_before_the_next_report_is_what_headline_mail_and_index_say(filling):
    review = hk.review(filling, "weekly", now=END)
    row = review.capacity.rows[0]
    assert (row.device, row.state) == ("/data", "reaches")
    assert 3 <= row.days <= 7
    said = f"Disk used expected to reach the limit, 80\u00a0%, on {row.crossing}"
    verdict = sections.verdict(review).data
    assert verdict["sentence"] == f"cache-1 needs attention: /data: {said}."
    assert (verdict["state"], verdict["worst"]) == ("attention", "warning")
    assert f"1 warning: cache-1 /data: {said}" in mails.subject(outputs.Verdict(**verdict))
    assert "\u25b2\u00a0Needs attention" in index.render([verdict | {"folder": "weekly", "stem": "one"}])
    (shown,) = [one for one in sections.attention(review).data["rows"] if one["subject"] == "/data"]
    assert shown["hint"] == "Free space or enlarge /data before that."


def test_a_forecast_costs_no_points_and_one_beyond_the_next_report_is_only_a_date(filling):
    review = hk.review(filling, "weekly", now=END)
    assert "forecast" in {finding.check for finding in review.findings}
    assert review.scores["cache-1"] == hk.health_score(review.checked)
    early = hk.review(filling, "weekly", now=END - timedelta(days=21), period="2026-W44")
    assert 10 < early.capacity.rows[0].days < 40
    assert "forecast" not in {finding.check for finding in early.findings}
    assert "Next to reach its limit: cache-1 /data, 80\u00a0% on " in sections.verdict(early).data["sentence"]


def test_what_another_check_says_as_badly_as_before_is_neither_new_nor_gone(filling):
    review = hk.review(filling, "weekly", now=END)
    before = {"headroom": "warning", "disk": "critical"}
    found = [["cache-1", check, "/data", severity] for check, severity in before.items()]
    vars(review)["previous"] = {"score": 100, "detail": {"findings": found}}
    shown = sections.changes(review).data
    assert (shown["new"], shown["gone"]) == ([], ["cache-1 /data (critical)"])


def test_a_disk_of_which_a_check_warns_is_warned_of_once(week, truth):
    reached = [row for row in week.capacity.rows if row.device == truth.leak_device and row.host == truth.leak_host]
    assert reached[0].days < 7
    warned = [f.check for f in week.findings.of(Severity.WARNING) if f.subject == truth.leak_device]
    assert warned == ["headroom"]


def test_a_silent_host_outweighs_a_warning_in_headline_and_subject(calm, filling, tmp_path):
    dead = calm[calm["ts"] < END - timedelta(days=2)].assign(host="dead-1")
    write_samples(shutil.copytree(filling, tmp_path / "home"), dead)
    review = hk.review(tmp_path / "home", "weekly", now=END)
    shown = sections.verdict(review)
    said = shown.data["sentence"]
    assert said.index("required questions about dead-1 could not be answered: CPU: ") < said.index("needs attention: ")
    assert "lowest score, dead-1 (of 100, lower bound): 0" in shown.text
    unknown = len(review.findings.of(Severity.UNKNOWN))
    assert f": 0, {unknown} unknown: dead-1 CPU: no sample" in mails.subject(outputs.Verdict(**shown.data))


def test_a_host_that_was_hardly_measured_is_not_called_fine(calm, tmp_path):
    silent = (calm["ts"] >= END - timedelta(days=8)) & (calm["ts"] < END - timedelta(days=1))
    review = hk.review(home_of(tmp_path, calm[~silent]), "weekly", now=END)
    assert sections.attention(review).text == "Too little was measured to tell of cache-1."
    assert (
        "Only 10.7\u00a0% of the week was measured, nothing on 16 Nov to 21 Nov: too little to call anything healthy."
        in sections.verdict(review).text
    )


def test_what_was_not_asked_is_said(week):
    shown = sections.coverage(week)
    assert "Judged by samples alone: all 5 hosts." in shown.text
    assert " backups, " in shown.html


def test_questions_without_an_answer_for_one_reason_are_one_row(calm, tmp_path):
    review = hk.review(
        home_of(tmp_path, calm[calm["ts"] > END - timedelta(days=2)]), "weekly", period="2026-W47", now=END
    )
    rows = sections.attention(review).data["rows"]
    assert len(review.findings.of(Severity.UNKNOWN)) == 4
    assert [row["subject"] for row in rows] == ["2 questions", "2 questions"]


def test_a_limit_that_is_passed_is_said_once_and_of_what_days_it_speaks(calm, tmp_path):
    used = calm["metric"].eq("disk_used_ratio") & calm["device"].eq("/var")
    home = home_of(tmp_path, calm.assign(value=calm["value"].where(~used, 0.85)))
    review = hk.review(home, "weekly", now=END)
    assert sections.verdict(review).data["sentence"].count("85\u00a0%") == 1
    said = "cache-1 /var is at its limit of 80\u00a0% or above: 85\u00a0% on the newest day"
    assert said in sections.capacity(review).text


def test_a_service_that_is_down_at_the_end_comes_before_one_that_was_down_longer(calm, tmp_path):
    ts = pd.date_range(END - timedelta(days=6), END, freq="h", inclusive="left")
    probes = {"ts": ts, "host": "cache-1", "metric": "http_up", "value": 1.0}
    shop, blog = (pd.DataFrame(probes | {"device": name}) for name in ("shop", "blog"))
    shop.loc[ts >= END - timedelta(hours=9), "value"] = 0.0
    blog.loc[30:60, "value"] = 0.0
    review = hk.review(home_of(tmp_path, calm, shop, blog), "weekly", period="2026-W47", now=END)
    said = "Service shop on cache-1 was down for 3\u00a0h and not up again at the end, and 1 more service."
    assert said in sections.verdict(review).text


@pytest.mark.slow
def test_of_many_hosts_those_with_a_finding_come_first_and_the_others_are_folded_away(calm, filling, tmp_path):
    known = calm[calm["ts"] >= END - timedelta(days=17)]
    late = [known[known["ts"] >= END - timedelta(days=9)].assign(host=f"a-{number}") for number in (1, 2)]
    write_samples(
        shutil.copytree(filling, tmp_path / "home"), pd.concat([known.assign(host=f"node-{n:02d}") for n in range(12)])
    )
    write_samples(tmp_path / "home", pd.concat(late))
    review = hk.review(tmp_path / "home", "weekly", now=END)
    assert {f.host for f in review.findings if f.severity.exit_code} == {"cache-1", "a-1", "a-2"}
    for section in (sections.resources, sections.performance):
        shown = section(review)
        first, folded = shown.html.split("<details><summary>12 hosts without a finding</summary>")
        assert all(f">{host}<" in first and f">{host}<" not in folded for host in ("cache-1", "a-1", "a-2"))
        assert "node-11" in folded
        assert shown.text.startswith("a-1: ")
    month = hk.review(tmp_path / "home", "monthly", period="2026-11", now=END)
    assert "a-1, a-2: 40.4\u00a0% measured; days without a sample: 1 Nov to 13 Nov" in sections.coverage(month).text


def test_a_record_says_whose_forecasts_it_counts(filling):
    first = hk.review(filling, "weekly", period="2026-W44", now=END - timedelta(days=21))
    ledger.record(filling, ledger.predictions(first.capacity))
    own = hk.review(filling, "weekly", now=END)
    assert own.ledger.n > 0
    assert "not in this report" not in sections.record(own).text
    other = dataclasses.replace(own, hosts=("web-9",))
    assert "They are of every host here, 1 of them not in this report." in sections.record(other).text


def test_what_did_not_run_is_said_once(week):
    assert sections.architecture(week).text.count("did not run") == 1


def test_several_warnings_are_warnings():
    two = [{"severity": "warning", "host": "a", "subject": "/", "message": "full"}] * 2
    assert mails.subject(outputs.Verdict(period="2026-W47", hosts=("a",), findings=two)).endswith(
        ", 2 warnings: a /: full"
    )
