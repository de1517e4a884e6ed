"""Annotations: kept by the command, given by the review, drawn by the charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import healthkit as hk
from healthkit.cli.main import main
from healthkit.errors import ParameterError
from healthkit.events import annotate, events
from healthkit.sections.capacity import capacity
from healthkit.state import State
from healthkit.store import write_samples

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_an_annotation_is_kept_as_one_line_with_its_time_and_host(tmp_path):
    assert (
        main(["annotate", "deployed\n2.4 \x1b[31m", "--home", str(tmp_path), "--at", "2026-11-20", "--host", "web-1"])
        == 0
    )
    (event,) = events(tmp_path, start=NOW - timedelta(days=7))
    assert (event.text, event.host, event.at) == ("deployed 2.4 [31m", "web-1", datetime(2026, 11, 20, tzinfo=UTC))
    with State(tmp_path) as state:
        assert state.records("events")[0]["detail"]["who"]


def test_events_of_other_hosts_and_times_are_left_out(tmp_path):
    for host, day in (("", 1), ("web-1", 2), ("db-1", 3), ("web-1", 9)):
        annotate(tmp_path, f"{host or 'all'} {day}", at=NOW - timedelta(days=day), host=host)
    found = events(tmp_path, start=NOW - timedelta(days=7), end=NOW, hosts=["web-1"])
    assert [event.text for event in found] == ["web-1 2", "all 1"]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 201])
def test_a_text_that_does_not_fit_beside_a_chart_is_refused(tmp_path, text):
    with pytest.raises(ParameterError, match="1 to 200"):
        annotate(tmp_path, text)


def test_fan_charts_carry_the_events_of_their_host(tmp_path):
    days = pd.date_range(NOW - timedelta(days=40), periods=40 * 4, freq="6h", tz="UTC")
    rows = [(ts, "web-1", "disk_used_ratio", "/", 0.5 + 0.29 * i / len(days)) for i, ts in enumerate(days)]

    write_samples(tmp_path, pd.DataFrame(rows, columns=["ts", "host", "metric", "device", "value"]))
    annotate(tmp_path, "deployed <2.4>", at=NOW - timedelta(days=3), host="web-1")
    annotate(tmp_path, "elsewhere", at=NOW - timedelta(days=3), host="db-1")
    review = hk.review(tmp_path, "weekly", period="2026-W48", now=NOW)
    (chart,) = capacity(review).charts
    assert [label for _, label in chart.marks] == ["deployed <2.4>"]
    assert "deployed &lt;2.4&gt;" in chart.html()
    assert review.events == ()
    before = hk.review(tmp_path, "weekly", period="2026-W47", now=NOW)
    assert [event.text for event in before.events] == ["deployed <2.4>"]


def test_records_that_cannot_be_read_are_not_no_events(tmp_path):
    (tmp_path / "health.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert hk.review(tmp_path, "weekly", period="2026-W47", now=NOW).events is None
