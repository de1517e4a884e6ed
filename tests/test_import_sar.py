"""sysstat's own files, made by its own sadc a moment ago, and what must be refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from healthkit import store
from healthkit.cli.main import main

SADC = Path("/usr/lib/sysstat/sadc")
needs_sysstat = pytest.mark.skipif(not (SADC.exists() and shutil.which("sadf")), reason="needs Debian's sysstat")


@pytest.fixture(scope="module")
def daily(tmp_path_factory):
    """A daily file with three measurements, a second apart."""
    path = tmp_path_factory.mktemp("sysstat") / "sa24"
    subprocess.run([str(SADC), "-F", "-S", "XALL", "1", "3", str(path)], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def imported(daily, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    assert main(["import", "sar", str(daily), "--home", str(home), "--host", "web-1"]) == 0
    return store.load(home, rates=False)


@pytest.mark.slow
@needs_sysstat
def test_every_number_of_a_daily_file_is_in_the_store(daily, imported):
    told = json.loads(
        subprocess.run(["sadf", "-j", str(daily), "--", "-A", "-F", "MOUNT"], capture_output=True, check=True).stdout
    )
    records = told["sysstat"]["hosts"][0]["statistics"]
    assert len(records) >= 2
    names = {"cpu", "number", "line", "intr"}
    numbers = sum(count(value, names) for record in records for key, value in record.items() if key != "timestamp")
    made = imported["metric"].isin(MADE)
    assert (~made).sum() == numbers
    (load,) = {record["queue"]["ldavg-1"] for record in records[:1]}
    assert imported.loc[imported["metric"] == "load1", "value"].iloc[0] == load


def count(value, names, key=""):
    """Numbers in a tree, without those that are names of devices."""
    if isinstance(value, dict):
        return sum(count(inner, names, name) for name, inner in value.items())
    if isinstance(value, list):
        return sum(count(inner, names) for inner in value)
    return int(isinstance(value, int | float) and key not in names)


MADE = {
    "cpu_busy_ratio", "cpu_user_ratio", "cpu_system_ratio", "cpu_iowait_ratio", "cpu_steal_ratio", "swap_total_bytes",
    "swap_used_ratio", "disk_used_bytes", "disk_total_bytes", "disk_used_ratio", "disk_inodes", "disk_inodes_used",
    "inodes_used_ratio", "cpu_pressure_some_ratio", "memory_pressure_some_ratio", "memory_pressure_full_ratio",
    "io_pressure_some_ratio", "io_pressure_full_ratio",
}  # fmt: skip


@pytest.mark.slow
@needs_sysstat
def test_our_names_in_base_units(imported):
    def last(metric, device=""):
        rows = imported[(imported["metric"] == metric) & (imported["device"] == device)]
        return rows["value"].iloc[-1]

    space = os.statvfs("/")
    used, free = (space.f_blocks - space.f_bfree) * space.f_frsize, space.f_bavail * space.f_frsize
    assert last("disk_used_ratio", "/") == pytest.approx(used / (used + free), abs=0.02)
    assert last("disk_total_bytes", "/") == pytest.approx(space.f_blocks * space.f_frsize, rel=0.01)
    assert 1e8 < last("memory_available_bytes") < 1e13
    assert 0 <= last("cpu_busy_ratio") <= 1
    assert last("cpu_user_ratio") + last("cpu_system_ratio") == pytest.approx(
        last("cpu_busy_ratio") - last("cpu_steal_ratio"), abs=0.001
    )


RECORD = {
    "timestamp": {"date": "2026-11-20", "time": "00:10:00", "utc": 1, "interval": 600},
    "cpu-load": [{"cpu": "all", "user": 10.0, "nice": 0.0, "system": 5.0, "iowait": 2.0, "steal": 1.0, "idle": 82.0}],
    "memory": {"avail": 1024, "swpfree": 3072, "swpused": 1024},
}


def document(*records, zone="UTC"):
    return json.dumps({"sysstat": {"hosts": [{"nodename": "db-1", "timezone": zone, "statistics": list(records)}]}})


def bring(tmp_path, text):
    path = tmp_path / "sar.json"
    path.write_text(text)
    return main(["import", "sar", str(path), "--home", str(tmp_path / "home")])


def test_json_made_elsewhere_with_its_own_host(tmp_path):
    for _ in range(2):  # twice is once
        assert bring(tmp_path, document(RECORD, {"restarts": []})) == 0
    found = store.load(tmp_path / "home")
    assert set(found["host"]) == {"db-1"}
    assert set(found["ts"]) == {pd.Timestamp("2026-11-20T00:10Z")}
    values = dict(zip(zip(found["metric"], found["device"], strict=True), found["value"], strict=True))
    assert values["cpu_busy_ratio", ""] == pytest.approx(0.16)
    assert values["memory_available_bytes", ""] == 2**20
    assert values["swap_used_ratio", ""] == 0.25
    assert values["sar_cpu_load_idle", "all"] == 82


def test_local_time_needs_a_zone_that_is_one(tmp_path, capsys):
    local = RECORD | {"timestamp": {"date": "2026-11-20", "time": "01:10:00", "utc": 0}}
    assert bring(tmp_path, document(local, zone="Europe/Berlin")) == 0
    assert set(store.load(tmp_path / "home")["ts"]) == {pd.Timestamp("2026-11-20T00:10Z")}
    assert bring(tmp_path, document(local, zone="Here")) == 1
    assert "record 1" in (said := capsys.readouterr().err)
    assert "without -t and -T" in said


@pytest.mark.parametrize("text", ["{}", '{"sysstat": 3}', "{", "\x00\x01"])
def test_what_is_not_of_sysstat_is_refused(tmp_path, text, capsys):
    assert bring(tmp_path, text) == 1
    assert "sar.json: " in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
