"""Killing a collector lowers coverage and never raises the score: on a whole host, healthy or not."""

from __future__ import annotations

import pandas as pd
import pytest

from healthkit.checks import check
from healthkit.config import Config
from healthkit.scores import health_score

COLLECTORS = {
    "cpu": ("cpu_busy", "cpu_iowait", "cpu_steal", "load"),
    "memory": ("memory_used", "memory_available", "swap_", "oom_"),
    "disk": ("disk_", "inodes_"),
    "pressure": ("cpu_pressure", "memory_pressure", "io_pressure"),
    "host": ("clock_",),
    "service": ("http_",),
}
GOOD = {
    "cpu_busy_ratio": 0.2, "cpu_iowait_ratio": 0.0, "cpu_steal_ratio": 0.0, "memory_used_ratio": 0.4,
    "memory_available_bytes": 6e9, "swap_total_bytes": 1e9, "swap_used_ratio": 0.0, "oom_kills_total": 0.0,
    "cpu_pressure_some_ratio": 0.0, "memory_pressure_full_ratio": 0.0, "io_pressure_full_ratio": 0.0,
    "clock_synchronised": 1.0, "clock_offset_seconds": 0.0,
}  # fmt: skip
BAD = GOOD | {
    "cpu_busy_ratio": 1.0, "memory_used_ratio": 0.99, "swap_used_ratio": 0.99, "io_pressure_full_ratio": 0.9,
    "clock_synchronised": 0.0, "clock_offset_seconds": 100.0,
}  # fmt: skip
DISK = {"disk_used_ratio": 0.4, "disk_available_bytes": 1e10, "inodes_used_ratio": 0.1, "disk_read_only": 0.0}
FULL = {"disk_used_ratio": 0.99, "disk_available_bytes": 1e6, "inodes_used_ratio": 0.99, "disk_read_only": 1.0}


def host(worlds, values, disk, *, up):
    frames = [worlds.sampled(metric, [value] * 120) for metric, value in values.items()]
    frames += [worlds.sampled(metric, [value] * 120, "/") for metric, value in disk.items()]
    frames += [
        worlds.sampled("http_up", [up] * 120, "web"),
        worlds.sampled("http_response_seconds", [0.1] * 120, "web"),
    ]
    frames += [worlds.sampled("collector_up", [1] * 120, name) for name in COLLECTORS]
    return pd.concat(frames, ignore_index=True)


def without(samples, name):
    gone = samples["metric"].str.startswith(COLLECTORS[name])
    samples = samples[~gone].copy()
    down = (samples["metric"] == "collector_up") & (samples["device"] == name)
    samples.loc[down, "value"] = 0
    return samples


@pytest.mark.parametrize("condition", ["good", "bad"])
def test_killing_a_collector_never_pays(worlds, tmp_path, condition):
    good = condition == "good"
    samples = host(worlds, GOOD if good else BAD, DISK if good else FULL, up=int(good))
    history = pd.concat(
        [
            worlds.daily("cpu_busy_ratio", [0.2] * 28),
            worlds.daily("memory_used_ratio", [0.4] * 28),
            worlds.daily("http_response_seconds", [0.1] * 28, "web"),
            worlds.daily("http_up", [1.0] * 28, "web"),
            worlds.daily("disk_used_ratio", [0.4] * 28, "/"),
        ]
    )

    def score(given):
        found = check(tmp_path, config=Config(), samples=given, history=history, now=worlds.NOW, host="web-1")
        return health_score(found)

    whole = score(samples)
    assert (whole.value, whole.coverage) == (100, 1) if good else whole.value < 59
    for name in COLLECTORS:
        killed = score(without(samples, name))
        assert killed.value <= whole.value, name
        assert killed.coverage < whole.coverage, name
    day_after = samples[~samples["metric"].str.startswith("http_")]
    assert score(day_after).value <= whole.value
