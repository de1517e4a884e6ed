"""The simulated fleet: believable, the same every time, and with the truth it claims."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from healthkit import schema, store
from healthkit.config import config_path, load_config
from healthkit.demo import demo_data, demo_truth, host_names, write_demo
from healthkit.errors import ParameterError
from healthkit.findings import Severity
from healthkit.schema import Reading
from healthkit.store.journal import Journal

END = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def truth():
    return demo_truth(end=END)


@pytest.fixture(scope="module")
def data():
    return demo_data(end=END)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo") / "home"
    write_demo(directory, end=END, every="30min")
    return directory


def test_the_frame_is_what_load_returns(data, truth):
    assert list(data.columns) == list(schema.COLUMNS)
    assert str(data["ts"].dtype) == "datetime64[ms, UTC]"
    assert tuple(data["host"].cat.categories) == truth.hosts == ("cache-1", "db-1", "db-2", "web-1", "web-2")
    assert (data["ts"].min(), data["ts"].max()) == (truth.start, truth.end - truth.every)
    assert np.isfinite(data["value"]).all()
    assert not data.duplicated(["ts", "host", "metric", "device"]).any()


def test_every_name_and_value_keeps_the_rules(data):
    ranges = data.groupby("metric", observed=True)["value"].agg(["min", "max"])
    for metric, row in ranges.iterrows():
        schema.Metric(metric, schema.kind(metric), "")
        low, high = schema.limits(metric)
        assert low <= row["min"] <= row["max"] <= high, metric


def test_values_are_consistent(data):
    at = data[data["ts"] == data["ts"].max()].set_index(["host", "metric", "device"])["value"]
    for host in data["host"].cat.categories:
        value = at.loc[host]
        assert value["memory_used_ratio", ""] == pytest.approx(
            1 - value["memory_available_bytes", ""] / value["memory_total_bytes", ""]
        )
        for mount in ("/", "/var"):
            used, available = value["disk_used_bytes", mount], value["disk_available_bytes", mount]
            assert value["disk_used_ratio", mount] == pytest.approx(used / (used + available))
            assert used + available == value["disk_total_bytes", mount]
        busy = sum(value[f"cpu_{name}_ratio", ""] for name in ("user", "system", "steal"))
        assert value["cpu_busy_ratio", ""] == pytest.approx(busy, abs=2e-4)


def test_the_same_arguments_give_the_same_samples_and_seeds_differ(data):
    assert demo_data(end=END).equals(data)
    assert (demo_data(end=END, seed=1)["value"].to_numpy() != data["value"].to_numpy()).mean() > 0.3
    more = demo_data(end=END, hosts=6)  # a larger fleet has the same first hosts
    assert store.select(more, "load1", host="web-1").equals(store.select(data, "load1", host="web-1"))


def test_the_disk_leaks_three_gigabytes_a_day(data, truth):
    days = store.select(data, "disk_used_bytes", host=truth.leak_host, device=truth.leak_device)
    slope, _ = np.polyfit(np.arange(len(days)), days, 1)
    assert slope == pytest.approx(truth.leak_bytes_per_day, rel=0.02)
    left = store.select(
        data, "disk_available_bytes", host=truth.leak_host, device=truth.leak_device, every="5min"
    ).iloc[-1]
    assert truth.end + timedelta(days=left / slope) - truth.leak_full < timedelta(days=1.5)
    others = store.select(data, "disk_used_bytes", host="cache-1", device=truth.leak_device)
    assert abs(np.polyfit(np.arange(len(others)), others, 1)[0]) < truth.leak_bytes_per_day / 3


def test_a_long_history_leaks_for_ninety_days_only():
    truth = demo_truth(hosts=2, days=180, end=END)
    samples = demo_data(hosts=2, days=180, end=END, every="1D")
    used = store.select(samples, "disk_used_bytes", host=truth.leak_host, device="/var")
    assert truth.leak_start == END - timedelta(days=90)
    assert used.iloc[:90].std() < 1e9
    assert used.iloc[-1] - used.iloc[90] == pytest.approx(89 * 3e9, rel=0.02)


def test_the_deployment_shifts_the_level(data, truth):
    busy = store.select(data, truth.shift_metric, host=truth.shift_host, every="5min")
    week = timedelta(days=7)
    before = busy[truth.shift_at - week : truth.shift_at - truth.every].mean()
    after = busy[truth.shift_at : truth.shift_at + week - timedelta(days=1)].mean()
    weekday = busy[truth.shift_at - week : truth.shift_at - timedelta(days=1)].mean()
    assert after - before == pytest.approx(truth.shift_size, abs=0.02)
    assert after - weekday == pytest.approx(truth.shift_size, abs=0.02)
    other = store.select(data, truth.shift_metric, host="web-2")
    assert abs(other.iloc[-7:].mean() - other.iloc[-14:-7].mean()) < 0.02


def test_gap_reboot_outage_and_certificate(data, truth):
    host = data[data["host"] == truth.gap_host]
    assert not ((host["ts"] >= truth.gap_start) & (host["ts"] < truth.gap_end)).any()
    assert store.select(data, "load1", host=truth.gap_host).isna().sum() == 1
    counter = data[(data["host"] == truth.reboot_host) & (data["metric"] == "network_receive_bytes_total")]
    falls = counter["value"].diff() < 0
    assert counter["ts"][falls].tolist() == [truth.reboot_at]
    up = store.select(data, "http_up", host=truth.outage_host, every="5min")
    assert up.mean() == pytest.approx(truth.availability)
    assert 0.99 < truth.availability < 1
    assert up[up == 0].index.min() == truth.outage_start
    assert up[up == 0].index.max() == truth.outage_end - truth.every
    answers = store.select(data, "http_response_seconds", host=truth.outage_host, every="5min")
    assert (answers.isna() == (up == 0)).all()  # no answer has no response time
    left = store.select(data, "tls_certificate_left_days", host=truth.certificate_host, every="5min")
    assert truth.end + timedelta(days=left.iloc[-1]) - truth.every - truth.certificate_end < timedelta(minutes=1)


def test_log_rotation_is_a_sawtooth_without_trend(data, truth):
    used = store.select(data, "disk_used_bytes", host=truth.sawtooth_host, device=truth.sawtooth_device, every="1h")
    falls = used.index[used.diff() < -20e9]
    assert len(falls) == 3
    assert set(falls.day_of_week) == {6}


def test_the_rhythm_of_day_and_week(data):
    busy = store.select(data, "cpu_busy_ratio", host="db-1", every="1h")
    assert busy[busy.index.hour == 14].mean() > 1.8 * busy[busy.index.hour == 2].mean()
    assert busy[busy.index.day_of_week < 5].mean() > 1.3 * busy[busy.index.day_of_week >= 5].mean()
    fast = store.select(data, "cpu_busy_ratio", host="db-1", every="5min")
    residual = (fast - fast.groupby([fast.index.day_of_week >= 5, fast.index.time]).transform("mean")).dropna()
    assert residual.autocorr(1) == pytest.approx(np.exp(-5 / 60), abs=0.05)


def test_the_noise_does_not_depend_on_the_step():
    for every in ("1min", "1h"):
        noise = store.select(
            demo_data(hosts=3, days=14, end=END, every=every), "clock_offset_seconds", host="cache-1", every=every
        )
        assert noise.std() == pytest.approx(2e-4, rel=0.25)


def test_names_and_bad_arguments():
    assert host_names(7) == ("cache-1", "db-1", "db-2", "db-3", "web-1", "web-2", "web-3")
    assert len(set(host_names(100))) == 100
    for bad in ({"hosts": 0}, {"days": 0}, {"end": datetime(2026, 1, 1)}, {"every": "often"}, {"every": "0.1s"}):  # noqa: DTZ001
        with pytest.raises(ParameterError):
            demo_data(**bad)
    today = demo_truth()
    assert today.end == datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def test_a_written_demo_is_a_home(home, truth):
    assert load_config(home).demonstration
    assert store.hosts(home) == truth.hosts
    rollup = store.load_rollup(home)
    assert store.select(rollup, "cpu_busy_ratio", host="db-1").notna().sum() == 21
    assert store.verify(home).worst is Severity.OK
    fresh = demo_data(end=END, every="30min")
    assert store.load(home, rates=False).equals(fresh)


def test_a_demo_is_replaced_and_what_is_real_in_it_stays(tmp_path):
    write_demo(tmp_path, hosts=3, days=3, end=END, every="1h")
    with Journal(tmp_path, "this-machine") as journal:
        journal.append(int(END.timestamp() * 1000), [Reading("load1", 1.0)])
    store.compact(tmp_path, before=END.date() + timedelta(days=1))
    write_demo(tmp_path, hosts=1, days=2, end=END + timedelta(days=1), every="1h")
    assert store.hosts(tmp_path) == ("this-machine", "web-1")
    assert len(store.load(tmp_path, hosts="web-1", metrics="load1")) == 48
    assert store.verify(tmp_path).worst is Severity.OK


def test_a_real_home_is_refused(tmp_path):
    journaled = tmp_path / "journaled"
    with Journal(journaled, "web-1") as journal:
        journal.append(int(END.timestamp() * 1000), [Reading("load1", 1.0)])
    configured = tmp_path / "configured"
    config_path(configured).parent.mkdir(parents=True)
    config_path(configured).write_text("host: web-1\n")
    for home in (journaled, configured):
        before = sorted(home.glob("**/*"))
        with pytest.raises(ParameterError, match="another directory"):
            write_demo(home, hosts=1, days=1)
        assert sorted(home.glob("**/*")) == before
