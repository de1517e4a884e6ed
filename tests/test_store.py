"""The store: what is written is what is read, whatever the host is called and whenever the clock went back."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthkit import store
from healthkit.demo import demo_data
from healthkit.errors import BadSeries, NotEnoughData, ParameterError, StoreError
from healthkit.findings import Severity
from healthkit.periods import Period
from healthkit.schema import Reading
from healthkit.store.journal import Journal

DAY = pd.Timestamp("2026-03-04", tz="UTC")
HOSTILE = (
    "web 1",
    "../../etc",
    "a\nb\x1b[31m",
    "<img src=x onerror=alert(1)>",
    "$(reboot)",
    "ünïcode✓",
    "%2F",
    "a+b",
    ".",
    "x.tmp",
)


def series(values, *, host="web-1", metric="load1", device="", start=DAY, every="60s"):
    ts = pd.date_range(start, periods=len(values), freq=every, unit="ms")
    return pd.DataFrame(
        {"ts": ts, "host": host, "metric": metric, "device": device, "value": np.asarray(values, float)}
    )


def plain(samples):
    """Rows as a set of tuples, whatever the dtypes and the order."""
    ts = samples["ts"].dt.as_unit("ms").astype("int64")
    return set(zip(ts, samples["host"], samples["metric"], samples["device"], samples["value"], strict=True))


def day_of(home, day=DAY):
    return home / "metrics" / "raw" / f"date={day:%Y-%m-%d}"


# ---------------------------------------------------------------------------------------------------- writing, reading
def test_layout_and_encodings_are_those_of_the_contract(tmp_path):
    store.write_samples(tmp_path, series(np.random.default_rng(0).random(500)))
    file = pq.ParquetFile(day_of(tmp_path) / "web-1.parquet")
    assert file.schema_arrow.names == ["ts", "host", "metric", "device", "value"]
    assert file.schema_arrow.field("ts").type == pa.timestamp("ms", tz="UTC")
    columns = {
        file.metadata.row_group(0).column(at).path_in_schema: file.metadata.row_group(0).column(at) for at in range(5)
    }
    assert all(column.compression == "ZSTD" for column in columns.values())
    assert "DELTA_BINARY_PACKED" in columns["ts"].encodings
    assert "BYTE_STREAM_SPLIT" in columns["value"].encodings
    assert all("RLE_DICTIONARY" in columns[name].encodings for name in ("host", "metric", "device"))
    facts = json.loads(file.metadata.metadata[b"healthkit"])
    assert facts["schema"] == 1
    assert facts["rows"] == 500
    daily = pq.read_table(tmp_path / "metrics" / "daily" / "month=2026-03" / "web-1.parquet", partitioning=None)
    names = ["date", "host", "metric", "device", "n", "coverage", "min", "max", "mean", "last"]
    assert daily.column_names == [*names, *(f"p{percent:02d}" for percent in range(5, 100, 5))]


def test_samples_come_back_sorted_and_tidy(tmp_path):
    samples = pd.concat([series(range(5), device=d, host=h) for h in ("b", "a") for d in ("/var", "/", "")])
    store.write_samples(tmp_path, samples.sample(frac=1, random_state=0))
    got = store.load(tmp_path)
    assert plain(got) == plain(samples)
    assert str(got["ts"].dtype) == "datetime64[ms, UTC]"
    assert [str(got[name].dtype) for name in ("host", "metric", "device")] == ["category"] * 3
    assert got["value"].dtype == np.float64
    keys = list(zip(got["host"], got["metric"], got["device"], got["ts"], strict=True))
    assert keys == sorted(keys)


def test_an_empty_store_is_empty_not_an_error(tmp_path):
    assert store.load(tmp_path).empty
    assert list(store.load(tmp_path).columns) == ["ts", "host", "metric", "device", "value"]
    assert store.load_rollup(tmp_path).empty
    assert store.hosts(tmp_path) == store.metrics(tmp_path) == ()
    assert store.info(tmp_path).bytes_per_sample is None
    assert store.verify(tmp_path).worst is Severity.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", HOSTILE)
def test_hosts_and_devices_may_be_called_anything(tmp_path, host):
    device = '/mnt/a,b\n"c"\\d' + host
    store.write_samples(tmp_path, series([1, 2], host=host, device=device))
    with Journal(tmp_path, host) as journal:
        journal.append(int((DAY + pd.Timedelta(days=1)).timestamp() * 1000), [Reading("load1", 3.0, device)])
    assert store.hosts(tmp_path) == (host,)
    for _ in range(2):
        got = store.load(tmp_path, hosts=host)
        assert list(got["value"]) == [1, 2, 3]
        assert set(got["device"]) == {device}
        store.compact(tmp_path)
    inside = [path.relative_to(tmp_path / "metrics").parts[0] for path in tmp_path.glob("**/*.parquet")]
    assert set(inside) == {"raw", "daily"}
    assert store.verify(tmp_path).worst is Severity.OK


def test_a_device_name_that_is_no_utf8_is_kept_readable(tmp_path):
    with Journal(tmp_path, "web-1") as journal:
        journal.append(
            int(DAY.timestamp() * 1000),
            [Reading("disk_used_bytes", 1.0, b"/mnt/\xff".decode(errors="surrogateescape"))],
        )
    before = store.load(tmp_path)
    store.compact(tmp_path)
    assert list(store.load(tmp_path)["device"]) == list(before["device"]) == ["/mnt/\\xff"]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * 86_400_000),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
            st.sampled_from(["load1", "disk_used_bytes", "a_total"]),
            st.text(st.characters(codec="utf-8"), max_size=5),
            st.floats(),
        ),
        max_size=40,
    )
)
def test_what_is_written_is_read(tmp_path_factory, rows):
    home = tmp_path_factory.mktemp("home")
    start = int(DAY.timestamp() * 1000)
    last = {(start + ms, host, metric, device): value for ms, host, metric, device, value in rows}
    frame = pd.DataFrame(rows, columns=["ts", "host", "metric", "device", "value"])
    frame["ts"] = pd.to_datetime(frame["ts"].astype("int64") + start, unit="ms", utc=True)
    store.write_samples(home, frame.astype({"value": float}))
    got = store.load(home, rates=False)
    ts = got["ts"].astype("int64")
    read = dict(zip(zip(ts, got["host"], got["metric"], got["device"], strict=True), got["value"], strict=True))
    assert read.keys() == last.keys()
    assert all(np.array_equal(read[key], last[key], equal_nan=True) for key in last)
    shutil.rmtree(home)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda frame: frame.drop(columns="device"), "device"),
        (lambda frame: frame.assign(ts=frame["ts"].dt.tz_localize(None)), "zone"),
        (lambda frame: frame.assign(ts=frame["ts"].where([False, True])), "missing"),
        (lambda frame: frame.assign(host=[None, "a"]), "host"),
        (lambda frame: frame.assign(value=["x", "y"]), "number"),
    ],
)
def test_what_is_no_sample_is_refused(tmp_path, change, word):
    with pytest.raises(BadSeries, match=word):
        store.write_samples(tmp_path, change(series([1, 2])))
    with pytest.raises(ParameterError):
        store.write_samples(tmp_path, series([1], host=""))


def test_the_later_of_two_values_for_a_moment_wins(tmp_path):
    store.write_samples(tmp_path, series([1, 2, 3]))
    store.write_samples(tmp_path, series([20], start=DAY + pd.Timedelta("60s")))
    with Journal(tmp_path, "web-1") as journal:
        journal.append(int(DAY.timestamp() * 1000) + 120_000, [Reading("load1", 30.0)])
        journal.append(int(DAY.timestamp() * 1000) + 120_000, [Reading("load1", 31.0)])
    assert list(store.load(tmp_path)["value"]) == [1, 20, 31]
    store.compact(tmp_path)
    assert list(store.load(tmp_path)["value"]) == [1, 20, 31]


def test_only_what_is_asked_for(tmp_path):
    store.write_samples(
        tmp_path,
        pd.concat(
            [series(range(3 * 24), host=h, metric=m, every="1h") for h in ("a", "b") for m in ("load1", "load5")]
        ),
    )
    assert set(store.load(tmp_path, hosts="a")["host"]) == {"a"}
    assert set(store.load(tmp_path, metrics=["load5"])["metric"]) == {"load5"}
    assert set(store.load(tmp_path, metrics=["load5"])["metric"].cat.categories) == {"load5"}
    day = store.load(tmp_path, period="2026-03-05", hosts=["a"], metrics="load1")
    assert list(day["value"]) == list(range(24, 48))
    assert len(store.load(tmp_path, period=Period.parse("2026-W10"))) == 4 * 72
    part = store.load(
        tmp_path, start="2026-03-04T05:00", end=datetime(2026, 3, 4, 7, tzinfo=UTC), hosts="a", metrics="load1"
    )
    assert list(part["value"]) == [5, 6]
    assert len(store.load(tmp_path, start=date(2026, 3, 6), hosts="a", metrics="load1")) == 24
    assert store.load(tmp_path, hosts=[]).empty
    assert store.load(tmp_path, hosts="nobody").empty


@pytest.mark.parametrize("bad", [{"period": "2026-W60"}, {"start": datetime(2026, 1, 1)}, {"end": "soon"}])  # noqa: DTZ001
def test_bounds_that_make_no_sense_are_named(tmp_path, bad):
    with pytest.raises(ParameterError, match=str(next(iter(bad)))):
        store.load(tmp_path, **bad)


def test_a_damaged_file_that_is_not_needed_does_no_harm(tmp_path):
    store.write_samples(tmp_path, pd.concat([series([1, 2], host="a"), series([1, 2], host="b")]))
    (day_of(tmp_path) / "b.parquet").write_bytes(b"PAR1 nonsense PAR1")
    assert len(store.load(tmp_path, hosts="a")) == 2
    with pytest.raises(StoreError, match=r"b\.parquet"):
        store.load(tmp_path)


# ------------------------------------------------------------------------------------------------------------- counters
def test_counters_load_as_rates_and_a_reset_is_not_a_number(tmp_path):
    counter = series([100, 160, 280, 10, 70], metric="network_receive_bytes_total", device="eth0")
    store.write_samples(tmp_path, pd.concat([counter, series([7] * 5)]))
    got = store.load(tmp_path, metrics="network_receive_bytes_total")
    np.testing.assert_array_equal(got["value"], [np.nan, 1.0, 2.0, np.nan, 1.0])
    raw = store.load(tmp_path, metrics="network_receive_bytes_total", rates=False)
    assert list(raw["value"]) == [100, 160, 280, 10, 70]
    assert list(store.load(tmp_path, metrics="load1")["value"]) == [7] * 5
    row = store.load_rollup(tmp_path, metrics="network_receive_bytes_total").iloc[0]
    assert (row["n"], row["min"], row["max"], row["last"]) == (3, 1.0, 2.0, 1.0)


@pytest.mark.parametrize("compacted", [True, False])
def test_midnight_costs_no_rate(tmp_path, compacted):
    hourly = series(np.arange(72) * 3600.0, metric="oom_kills_total", every="1h")
    if compacted:
        store.write_samples(tmp_path, hourly)
    else:
        with Journal(tmp_path, "web-1") as journal:
            for ts, value in zip(hourly["ts"], hourly["value"], strict=True):
                journal.append(int(ts.timestamp() * 1000), [Reading("oom_kills_total", value)])
    second = store.load(tmp_path, period="2026-03-05")
    assert list(second["value"]) == [1.0] * 24
    assert list(store.load_rollup(tmp_path)["n"]) == [23, 24, 24]
    assert np.isnan(store.load(tmp_path, period="2026-03-04")["value"].iloc[0])


def test_a_rate_over_more_than_a_day_is_not_told(tmp_path):
    store.write_samples(tmp_path, series([0, 100, 200], metric="oom_kills_total", every="25h"))
    assert store.load(tmp_path)["value"].isna().all()
    store.write_samples(tmp_path, series([0, 86400], host="b", metric="oom_kills_total", every="24h"))
    assert list(store.load(tmp_path, hosts="b")["value"])[1] == 1.0
    assert list(store.load(tmp_path, hosts="b", period="2026-03-05")["value"]) == [1.0]


def test_writing_a_day_late_mends_the_first_rate_of_the_next(tmp_path):
    hourly = series(np.arange(48) * 3600.0, metric="oom_kills_total", every="1h")
    store.write_samples(tmp_path, hourly[24:])
    assert list(store.load_rollup(tmp_path)["n"]) == [23]
    store.write_samples(tmp_path, hourly[:24])
    assert list(store.load_rollup(tmp_path)["n"]) == [23, 24]


# --------------------------------------------------------------------------------------------------------------- rollup
def test_statistics_are_the_same_however_the_samples_came(tmp_path):
    rng = np.random.default_rng(3)
    hours = [
        series(rng.integers(0, 9, 240).cumsum(), host=host, metric=metric, every="1h")
        for host in ("a", "b")
        for metric in ("load1", "oom_kills_total")
    ]
    samples = pd.concat(hours, ignore_index=True)
    store.write_samples(tmp_path / "once", samples)
    for _, day in sorted(samples.groupby(samples["ts"].dt.day), reverse=True):
        store.write_samples(tmp_path / "daily", day)
    store.write_samples(tmp_path / "mixed", samples[samples["host"] == "a"].iloc[50:60])
    store.write_samples(tmp_path / "mixed", samples)
    for home in ("daily", "mixed"):
        pd.testing.assert_frame_equal(store.load_rollup(tmp_path / home), store.load_rollup(tmp_path / "once"))
        assert plain(store.load(tmp_path / home, rates=False)) == plain(samples)


def test_rollup_is_numpys(tmp_path):
    rng = np.random.default_rng(1)
    parts = [series(rng.normal(size=n), device=str(n)) for n in (1, 2, 3, 20, 21, 22, 999, 1440)]
    store.write_samples(tmp_path, pd.concat(parts))
    rollup = store.load_rollup(tmp_path)
    for part in parts:
        values = part["value"].to_numpy()
        row = rollup[rollup["device"] == str(len(values))].iloc[0]
        assert row["n"] == len(values)
        np.testing.assert_allclose(row["q"], np.quantile(values, store.QUANTILES), rtol=2.0**-16)
        assert (row["q"][0], row["q"][-1]) == (values.min(), values.max())
        assert (np.diff(row["q"]) >= 0).all()
        assert (row["min"], row["max"], row["last"]) == (values.min(), values.max(), values[-1])
        assert row["mean"] == pytest.approx(values.mean(), rel=1e-14)


def test_what_is_not_finite_was_not_measured(tmp_path):
    store.write_samples(tmp_path, pd.concat([series([1, np.nan, 3, np.inf]), series([np.nan] * 3, metric="load5")]))
    rollup = store.load_rollup(tmp_path).set_index("metric")
    assert rollup.loc["load1", ["n", "min", "max", "last"]].tolist() == [2, 1, 3, 3]
    assert rollup.loc["load5", "n"] == 0
    assert rollup.loc["load5", "coverage"] == 0
    assert np.isnan(rollup.loc["load5", "mean"])
    assert len(store.load(tmp_path)) == 7


@pytest.mark.parametrize(
    ("seconds", "covered"),
    [
        (range(60), 60),
        (range(0, 86400, 60), 86400),
        (range(30, 86400, 60), 86400),
        (range(0, 86400, 3600), 86400),
        ([500], 60),
        ([0, 21600], 7200),  # six hours apart: nobody vouches for more than an hour
        ([*range(0, 3600, 60), *range(36000, 39600, 60)], 7200 + 30),  # a gap: the last one before it vouches for 90 s
        ([s + (s % 7) / 10 for s in range(0, 86400, 60)], 86400),
    ],
)
def test_coverage_is_honest(tmp_path, seconds, covered):
    ts = DAY + pd.to_timedelta(list(seconds), unit="s")
    frame = pd.DataFrame({"ts": ts, "host": "a", "metric": "load1", "device": "", "value": 1.0})
    store.write_samples(tmp_path, frame)
    assert store.load_rollup(tmp_path)["coverage"].iloc[0] == pytest.approx(covered / 86400, abs=2e-5)


def test_rollup_of_today_comes_from_the_journal(tmp_path):
    store.write_samples(tmp_path, series(range(1440)))
    later = int((DAY + pd.Timedelta(days=1)).timestamp() * 1000)
    with Journal(tmp_path, "web-1") as journal:
        for second in range(60):
            journal.append(later + second * 1000, [Reading("load1", second)])
    rollup = store.load_rollup(tmp_path)
    assert list(rollup["n"]) == [1440, 60]
    assert rollup["coverage"].iloc[1] == pytest.approx(60 / 86400)
    assert list(store.load_rollup(tmp_path, start="2026-03-05")["n"]) == [60]
    assert list(store.load_rollup(tmp_path, period="2026-03-04")["n"]) == [1440]
    store.compact(tmp_path)
    pd.testing.assert_frame_equal(store.load_rollup(tmp_path), rollup)


# --------------------------------------------------------------------------------------------------------------- select
@pytest.fixture
def week(tmp_path):
    values = np.random.default_rng(2).random(7 * 24)
    frame = series(values, metric="cpu_busy_ratio", every="1h", start=pd.Timestamp("2026-03-02", tz="UTC"))
    store.write_samples(tmp_path, frame.drop(index=range(48, 72)))  # Wednesday is missing
    return tmp_path, values


@pytest.mark.parametrize("how", ["mean", "min", "max", "last", "count", "p95", "p50"])
def test_samples_and_rollup_select_the_same_days(week, how):
    home, values = week
    days = store.select(store.load(home), "cpu_busy_ratio", how=how)
    rolled = store.select(store.load_rollup(home), "cpu_busy_ratio", how=how)
    assert days.index.equals(pd.date_range("2026-03-02", periods=7, tz="UTC", unit="ms"))
    assert days.index.freqstr == rolled.index.freqstr == "D"
    if how == "count":
        assert days.tolist() == rolled.tolist() == [24, 24, 0, 24, 24, 24, 24]
    else:
        assert days.isna().tolist() == rolled.isna().tolist() == [False, False, True] + [False] * 4
        np.testing.assert_allclose(days, rolled, rtol=0.05 if how in ("p95", "p50") else 1e-12)
    if how == "p95":
        assert days.iloc[0] == np.quantile(values[:24], 0.95)
    told = {"metric": "cpu_busy_ratio", "unit": "ratio"}
    if how == "count":  # samples are not shares of a CPU
        told = {"metric": "cpu_busy_ratio_count", "unit": ""}
    assert days.attrs == rolled.attrs == {**told, "host": "web-1", "device": ""}
    assert days.name == rolled.name == told["metric"]


def test_select_other_spans(week):
    home, values = week
    samples = store.load(home)
    hours = store.select(samples, "cpu_busy_ratio", every="1h")
    assert len(hours) == 7 * 24
    np.testing.assert_array_equal(hours[:48], values[:48])
    assert hours[48:72].isna().all()
    known = np.concatenate((values[:48], values[72:]))
    for data in (samples, store.load_rollup(home)):
        whole = store.select(data, "cpu_busy_ratio", every="7D")
        assert whole.index[0] == pd.Timestamp("2026-03-02", tz="UTC")
        assert whole.iloc[0] == pytest.approx(known.mean())
    with pytest.raises(ParameterError, match="whole days"):
        store.select(store.load_rollup(home), "cpu_busy_ratio", every="1h")
    with pytest.raises(ParameterError, match="percentiles"):
        store.select(store.load_rollup(home), "cpu_busy_ratio", every="7D", how="p95")


def test_select_refuses_to_mix_or_to_guess(tmp_path):
    store.write_samples(
        tmp_path, pd.concat([series([1, 2], device=d, metric="disk_used_bytes") for d in ("/", "/var")])
    )
    data = store.load(tmp_path)
    with pytest.raises(ParameterError, match="'/', '/var'"):
        store.select(data, "disk_used_bytes")
    assert store.select(data, "disk_used_bytes", device="/var").attrs["device"] == "/var"
    with pytest.raises(NotEnoughData):
        store.select(data, "load1")
    for bad in ({"how": "median"}, {"how": "p101"}, {"every": "often"}, {"every": "0s"}):
        with pytest.raises(ParameterError, match=next(iter(bad))):
            store.select(data, "disk_used_bytes", device="/", **bad)


def test_the_unit_of_a_counter_depends_on_how_it_was_loaded(tmp_path):
    store.write_samples(tmp_path, series(range(5), metric="network_receive_bytes_total"))
    rates, counts = (store.load(tmp_path, rates=rates) for rates in (True, False))
    assert store.select(rates, "network_receive_bytes_total").attrs["unit"] == "bytes/s"
    assert store.select(counts, "network_receive_bytes_total").attrs["unit"] == "bytes"


# --------------------------------------------------------------------------------------------- info, verify, repair, ...
def test_info_counts(tmp_path):
    store.write_samples(tmp_path, pd.concat([series(range(2880), host=h) for h in ("a", "b")]))
    with Journal(tmp_path, "c") as journal:
        journal.append(int(DAY.timestamp() * 1000), [Reading("load5", 1.0)])
    info = store.info(tmp_path)
    assert (info.hosts, info.metrics, info.days, info.files, info.samples) == (
        ("a", "b", "c"),
        ("load1", "load5"),
        2,
        7,
        5760,
    )
    assert info.bytes_per_sample == info.raw_bytes / 5760
    assert (info.oldest, info.newest) == (date(2026, 3, 4), date(2026, 3, 5))
    assert json.loads(json.dumps(info.as_dict()))["newest"] == "2026-03-05"


def test_verify_finds_what_is_wrong(tmp_path):
    store.write_samples(tmp_path, pd.concat([series(range(1440), host=h) for h in "abcdef"]))
    assert store.verify(tmp_path).worst is Severity.OK
    day = day_of(tmp_path)
    (day / "a.parquet").write_bytes((day / "a.parquet").read_bytes()[:-100])
    data = bytearray((day / "b.parquet").read_bytes())
    data[len(data) // 2] ^= 4
    (day / "b.parquet").write_bytes(data)
    (day / "c.parquet").write_bytes(b"")
    (day / "d.parquet").rename(day / "x.parquet")
    later = pq.read_table(day / "e.parquet", partitioning=None).replace_schema_metadata(
        {b"healthkit": b'{"schema": 99}'}
    )
    pq.write_table(later, day / "e.parquet")
    (day / ".f.parquet.tmp").write_bytes(b"half")
    (tmp_path / "metrics" / "daily" / "month=2026-03" / "f.parquet").unlink()
    findings = {Path(f.subject).name: f.severity for f in store.verify(tmp_path)}
    bad = dict.fromkeys(("a.parquet", "b.parquet", "c.parquet", "x.parquet"), Severity.CRITICAL)
    assert findings == bad | {
        "e.parquet": Severity.UNKNOWN,
        ".f.parquet.tmp": Severity.WARNING,
        "f": Severity.WARNING,
        "store": Severity.OK,
    }


def test_repair_sets_aside_and_rolls_up_again(tmp_path):
    store.write_samples(tmp_path, pd.concat([series(range(1440), host=h) for h in "abc"]))
    rollup = store.load_rollup(tmp_path)
    damaged = (b"x" * 100, day_of(tmp_path) / "a.parquet")
    damaged[1].write_bytes(damaged[0])
    (tmp_path / "metrics" / "daily" / "month=2026-03" / "b.parquet").write_bytes(b"")
    with pytest.raises(StoreError):
        store.load(tmp_path)
    with pytest.raises(StoreError):
        store.load_rollup(tmp_path)
    store.repair(tmp_path)
    assert set(store.load(tmp_path)["host"]) == {"b", "c"}
    pd.testing.assert_frame_equal(
        store.load_rollup(tmp_path), rollup
    )  # of a, whose samples are lost, it is still there
    assert (day_of(tmp_path) / "a.parquet.damaged").read_bytes() == damaged[0]
    assert store.verify(tmp_path).worst is Severity.INFO
    damaged[1].write_bytes(b"again")
    store.repair(tmp_path)
    assert (day_of(tmp_path) / "a.parquet.2.damaged").read_bytes() == b"again"
    assert [f.severity for f in store.repair(tmp_path)] == [Severity.OK]


def test_expire_keeps_the_rollup_and_what_has_none(tmp_path):
    store.write_samples(tmp_path, series(range(10), every="1D"))
    rollup = store.load_rollup(tmp_path)
    now = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert (
        store.expire(tmp_path, keep_raw=timedelta(days=5), now=now).files == 5
    )  # 4 to 8 March; the 9th ended 4.5 days ago
    assert store.load(tmp_path)["ts"].min() == pd.Timestamp("2026-03-09", tz="UTC")
    pd.testing.assert_frame_equal(store.load_rollup(tmp_path), rollup)
    assert store.verify(tmp_path).worst is Severity.OK
    shutil.rmtree(tmp_path / "metrics" / "daily")
    assert store.expire(tmp_path, keep_raw=0, now=now).kept == 5
    with pytest.raises(ParameterError):
        store.expire(tmp_path, keep_raw=-1)


def test_a_sample_that_comes_after_its_day_expired_does_not_replace_the_statistics(tmp_path):
    store.write_samples(tmp_path, series(range(1440)))
    store.expire(tmp_path, keep_raw=0, now=datetime(2026, 4, 1, tzinfo=UTC))
    store.write_samples(tmp_path, series([5], start=DAY + pd.Timedelta("1s")))
    assert store.load_rollup(tmp_path)["n"].tolist() == [1440]


def test_homes_merge_by_copying(tmp_path):
    for host in ("a", "b"):
        store.write_samples(tmp_path / host, series(range(100), host=host))
        shutil.copytree(tmp_path / host, tmp_path / "both", dirs_exist_ok=True)
    assert store.hosts(tmp_path / "both") == ("a", "b")
    assert len(store.load(tmp_path / "both")) == 200
    assert len(store.load_rollup(tmp_path / "both")) == 2
    assert store.verify(tmp_path / "both").worst is Severity.OK


def test_journal_module_costs_only_the_standard_library():
    code = "import sys; import healthkit.store.journal; print([m for m in ('pandas', 'pyarrow', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_front_door():
    assert sorted(store.__all__) == store.__all__ or sorted(store.__all__, key=str.lower)
    for name in store.__all__:
        assert getattr(store, name) is not None
    assert set(dir(store)) == set(store.__all__)


def test_an_inventory_says_itself_in_a_sentence(tmp_path):
    assert str(store.info(tmp_path)) == "nothing is stored"
    store.write_samples(tmp_path, demo_data(hosts=1, days=2, every="1h"))
    assert str(store.info(tmp_path)).startswith("1 host, ")
    assert "2 days" in store.info(tmp_path)._repr_mimebundle_()["text/plain"]
