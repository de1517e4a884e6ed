"""The host's micro-benchmark: real work, and differences only beyond the noise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import healthkit as hk
from healthkit.config import Config
from healthkit.findings import Severity
from healthkit.procedures._stopwatches import ROUNDS, Timing
from healthkit.procedures.host_benchmark import difference
from healthkit.state import State

NOW = datetime(2026, 11, 5, 4, tzinfo=UTC)
NAMES = ["hash", "loop", "copy", "write", "read", "sync"]


def timed(run):
    return {t["name"]: t for step in ("processor", "memory", "disk") for t in evidence(run, step)["timings"]}


def evidence(run, name):
    return next(step for step in run.steps if step.name == name).evidence


def kept(home, factor, *, when, busy=False, timings=None):
    """A run of an earlier quarter whose numbers were *factor* times those of *timings*."""
    rows = [t | {key: t[key] * factor for key in ("median", "low", "high")} for t in timings.values()]
    steps = [
        {"name": "load", "status": "ok", "message": "", "seconds": 0, "evidence": {"busy": busy}},
        {"name": "processor", "status": "ok", "message": "", "seconds": 0, "evidence": {"timings": rows}},
    ]
    detail = {"procedure": "host_benchmark", "steps": steps, "findings": []}
    with State(home) as state:
        state.record_task_run("host_benchmark", started=when, ended=when, status="ok", host="web-1", detail=detail)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """One real run, and its home."""
    home = tmp_path_factory.mktemp("benchmark")
    return home, hk.run("host_benchmark", home, config=Config(host="web-1"), now=NOW - timedelta(days=200))


def test_real_numbers_with_their_spread(first):
    home, run = first
    found = timed(run)
    assert list(found) == NAMES
    for one in found.values():
        assert len(one["rounds"]) == ROUNDS
        assert 0 < one["low"] <= one["median"] <= one["high"]
    assert found["copy"]["median"] > 50e6, "any machine copies 50 MB a second"
    assert found["sync"]["unit"] == "seconds"
    assert not list(home.rglob("benchmark")), "nothing is left on the disk"
    assert "load1" in evidence(run, "load")


def test_without_an_earlier_run_there_is_no_comparison(first):
    assert "there is no run of an earlier quarter" in first[1].steps[-1].message


def test_quarter_over_quarter(first, tmp_path, monkeypatch):
    timings = timed(first[1])
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    kept(tmp_path, 1e5, when=NOW - timedelta(days=90), timings=timings)  # more than any noise of a busy disk
    kept(tmp_path, 1.0, when=NOW - timedelta(days=60), busy=True, timings=timings)
    run = hk.run("host_benchmark", tmp_path, config=Config(host="web-1"), now=NOW)
    told = evidence(run, "compare")
    assert told["since"] == "2026-Q3", "a run in a busy hour is nothing to compare with"
    verdicts = {row["name"]: row["verdict"] for row in told["compared"]}
    assert verdicts == {name: "faster" if name == "sync" else "slower" for name in NAMES}
    assert {f.severity for f in run.findings} == {Severity.WARNING, Severity.INFO}


def test_a_busy_host_is_not_compared(first, tmp_path, monkeypatch):
    kept(tmp_path, 100.0, when=NOW - timedelta(days=90), timings=timed(first[1]))
    monkeypatch.setattr("os.getloadavg", lambda: (500.0, 0.0, 0.0))
    run = hk.run("host_benchmark", tmp_path, config=Config(host="web-1"), now=NOW)
    assert evidence(run, "compare")["compared"] == []
    assert run.exit_code == 3


def before(median, low, high):
    return {"median": median, "low": low, "high": high}


@pytest.mark.parametrize(
    ("rounds", "then", "verdict"),
    [
        ((100, 101, 102), before(101, 99, 103), "no difference"),
        ((100, 110, 150), before(140, 120, 160), "no difference"),  # far apart, but the rounds overlap
        ((100, 101, 102), before(106, 104, 108), "no difference"),  # sure, but nobody cares
        ((100, 101, 102), before(200, 190, 210), "slower"),
        ((200, 201, 202), before(100, 90, 110), "faster"),
    ],
)
def test_a_difference_is_beyond_the_noise_of_both(rounds, then, verdict):
    assert difference(Timing("hash", "", "bytes/s", rounds), then)["verdict"] == verdict


def test_fewer_seconds_are_faster():
    assert difference(Timing("sync", "", "seconds", (0.2, 0.21)), before(0.1, 0.09, 0.11))["verdict"] == "slower"
