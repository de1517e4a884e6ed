"""History that exists already: every source, what it may not lose, and errors that name line and value."""

from __future__ import annotations

import contextlib
import io
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Sample
from prometheus_client.openmetrics.exposition import generate_latest

from healthkit import store
from healthkit.cli.main import main
from healthkit.errors import SourceError
from healthkit.imports import openmetrics
from healthkit.imports.series import Hosts, notation

HOUR = 3_600_000
START = pd.Timestamp("2026-11-20T00:00Z")


def lines(*rows):
    return "\n".join(rows) + "\n"


@pytest.fixture
def bring(tmp_path, capsys):
    """Write a text to a file, import it, and return exit code, standard output and errors."""

    def run(source, text, *options, name="history.txt"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        code = main(["import", source, "--home", str(tmp_path / "home"), *options, str(path)])
        return code, *capsys.readouterr()

    return run


def loaded(tmp_path, **more):
    return store.load(tmp_path / "home", **more)


TIDY = lines(
    "ts,host,metric,device,value",
    "2026-11-20T00:00:00Z,web-1,disk_used_ratio,/,0.5",
    "2026-11-20T01:00:00+01:00,web-1,disk_used_ratio,/var,0.25",
    "2026-11-20T00:01:00Z,,load1,,",
    "2026-11-20T00:02:00Z,,load1,,3",
)


def test_a_tidy_csv_arrives_whole_and_twice_is_once(bring, tmp_path):
    assert bring("csv", TIDY, "--host", "db-1")[0] == 0
    first = loaded(tmp_path)
    assert bring("csv", TIDY, "--host", "db-1")[0] == 0
    pd.testing.assert_frame_equal(first, loaded(tmp_path))
    found = [tuple(map(str, row)) for row in first[["host", "metric", "device", "value"]].itertuples(index=False)]
    assert found == [
        ("db-1", "load1", "", "3.0"),
        ("web-1", "disk_used_ratio", "/", "0.5"),
        ("web-1", "disk_used_ratio", "/var", "0.25"),
    ]
    assert first["ts"].tolist() == [START + pd.Timedelta(minutes=2), START, START]


def test_a_dry_run_says_what_would_come_and_writes_nothing(bring, tmp_path):
    code, out, _ = bring("csv", TIDY, "--dry-run", "--format", "json", "--host", "db-1")
    told = json.loads(out)
    assert code == 0
    assert not (tmp_path / "home").exists()
    assert (told["samples"], told["series"], told["unmeasured"], told["hosts"]) == (3, 3, 1, ["db-1", "web-1"])
    assert told["dry_run"] is True


def test_a_wide_csv_with_a_zone_and_devices(bring, tmp_path):
    text = lines("when,cpu_busy_ratio,disk_used_ratio{/var}", "2026-11-20 01:00,0.5,", "2026-11-20 02:00,0.75,0.125")
    assert bring("csv", text, "--time", "when", "--host", "db-1", "--timezone", "Europe/Berlin")[0] == 0
    found = loaded(tmp_path).sort_values(["metric", "ts"])
    assert found["value"].tolist() == [0.5, 0.75, 0.125]
    assert found["device"].astype(str).tolist() == ["", "", "/var"]
    assert found["ts"].tolist() == [START, START + pd.Timedelta(hours=1), START + pd.Timedelta(hours=1)]


@pytest.mark.parametrize("factor", [1, 1000], ids=["seconds", "milliseconds"])
def test_times_may_be_numbers(bring, tmp_path, factor):
    text = lines("ts,metric,value", f"{START.timestamp() * factor:.0f},load1,2")
    assert bring("csv", text)[0] == 0
    assert loaded(tmp_path)["ts"].tolist() == [START]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("2026-11-20T00:00:00Z,web-1,load1,,many", ":3: value 'many' is not a number"),
        ("2026-11-20 00:00:00,web-1,load1,,1", ":3: ts '2026-11-20 00:00:00' has no time zone"),
        ("yesterdayZ,web-1,load1,,1", ":3: ts 'yesterdayZ' is no time"),
        ("2026-11-20T00:00:00Z,web-1,load average,,1", ":3: metric 'load average' is no name"),
        ("2026-11-20T00:00:00Z,web-1,load1,1", ":3: 4 cells, the header has 5"),
        ('2026-11-20T00:00:00Z,web-1,load1,"x,1', ":3: "),
        ("3026-11-20T00:00:00Z,web-1,load1,,1", "3026-11-20 00:00:00 UTC: nothing was measured then"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named_with_its_line_and_nothing_is_written(bring, tmp_path, row, named):
    good = "2026-11-20T00:00:00Z,web-1,load1,,1"
    code, out, err = bring("csv", lines("ts,host,metric,device,value", good, row))
    assert (code, out) == (1, "")
    assert named in err
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_an_hour_that_the_clocks_repeat_is_refused_unless_its_offset_is_named(bring):
    text = "when,load1\n2026-10-25 02:30,1\n"
    options = ("--time", "when", "--timezone", "Europe/Berlin")
    code, _, err = bring("csv", text, *options)
    assert code == 1
    assert "'2026-10-25 02:30'" in err
    assert bring("csv", text.replace("02:30", "02:30+02:00"), *options)[0] == 0


def test_a_column_that_is_not_there_is_a_usage_error(bring):
    code, _, err = bring("csv", "when,load1\n", "--time", "time")
    assert code == 64
    assert "no column 'time'; there are when, load1" in err


def test_openmetrics_with_its_own_times(bring, tmp_path):
    text = lines(
        "# TYPE http_requests counter",
        'http_requests_total{instance="web-1:8080",code="200"} 5 1763596800',
        'http_requests_total{instance="web-1:8080",code="200"} 9 1763596860.5',
        "# TYPE seconds histogram",
        'seconds_bucket{le="1.0"} 3 1763596800',
        'seconds_bucket{le="+Inf"} 4 1763596800',
        "seconds_count 4 1763596800",
        "seconds_sum 2.5 1763596800",
        "# TYPE nodes_total gauge",
        "nodes_total 3 1763596800",
        "# TYPE disk_free gauge",
        'disk_free{device="sda"} NaN 1763596800',
        'disk_free{device="sdb"} 1e9 1763596800',
        "# EOF",
    )
    code, out, _ = bring("openmetrics", text, "--host", "db-1")
    assert code == 0
    assert "1 values left out as not measured" in out
    found = loaded(tmp_path, rates=False)
    rows = {(str(r.host), str(r.metric), str(r.device), r.ts.timestamp()): r.value for r in found.itertuples()}
    assert rows == {
        ("web-1", "http_requests_total", 'code="200"', 1763596800.0): 5,
        ("web-1", "http_requests_total", 'code="200"', 1763596860.5): 9,
        ("db-1", "seconds_bucket_total", 'le="1.0"', 1763596800.0): 3,
        ("db-1", "seconds_bucket_total", 'le="+Inf"', 1763596800.0): 4,
        ("db-1", "seconds_count_total", "", 1763596800.0): 4,
        ("db-1", "seconds_sum_total", "", 1763596800.0): 2.5,
        ("db-1", "nodes_total_gauge", "", 1763596800.0): 3,
        ("db-1", "disk_free", "sdb", 1763596800.0): 1e9,
    }


def test_prometheus_text_needs_a_time_for_each_sample(bring, tmp_path):
    text = lines("# TYPE load gauge", "load 2 1763596800000", "load1 3")
    code, _, err = bring("openmetrics", text)
    assert code == 1
    assert "history.txt:3: load1 has no time: name one for all (--at): 'load1 3'" in err
    assert bring("openmetrics", text, "--at", "2025-11-20T00:01Z")[0] == 0
    assert [ts.timestamp() for ts in loaded(tmp_path)["ts"]] == [1763596800, 1763596860]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("load{ 2 1763596800\n# EOF\n", 1),
        ("# TYPE load gauge\nload 1 1763596800\nload two 1763596860\n# EOF\n", 3),
        ("# TYPE a counter\na_total -1 1763596800\n# EOF\n", 2),
        ("load 1 1763596800\n# EOF\nload 2 1763596860\n", 3),
        ("load 1 99999999999999999999\n# EOF\n", 1),
    ],
)
def test_what_is_wrong_in_a_text_is_named_with_its_line(bring, tmp_path, text, line):
    code, out, err = bring("openmetrics", text, "--dialect", "openmetrics")
    assert (code, out) == (1, "")
    assert f"history.txt:{line}: " in err
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_two_series_that_would_become_one_are_refused(bring, tmp_path):
    text = lines('up{instance="a:1"} 1 1763596800000', 'up{instance="a:2"} 0 1763596800000')
    code, _, err = bring("openmetrics", text)
    assert code == 1
    assert 'up{instance="a:1"} and up{instance="a:2"} would both be up of a' in err
    assert bring("openmetrics", text, "--keep-port")[0] == 0
    assert store.hosts(tmp_path / "home") == ("a:1", "a:2")
    later = lines('up{instance="a:1"} 1 1763596800000', 'up{instance="a:2"} 0 1763596801000')
    assert bring("openmetrics", later)[0] == 0  # one after the other: the port changed


def node(seconds, **spent):
    """node_exporter's counters of one core, and more, at a time."""
    kinds = {"user": 0, "nice": 0, "system": 0, "irq": 0, "softirq": 0, "idle": 0, "iowait": 0, "steal": 0} | spent
    at = f"{1763596800 + seconds}000"
    return [f'node_cpu_seconds_total{{cpu="0",mode="{kind}"}} {value} {at}' for kind, value in kinds.items()]


def test_shares_of_time_are_what_grew(bring, tmp_path):
    moments = [
        node(0, idle=100),
        node(60, idle=130, user=15, nice=3, system=6, softirq=3, iowait=2, steal=1),
        node(120, idle=1, user=1),  # a restart: nobody knows what was before it
        node(180, idle=1, user=61),
    ]
    assert bring("openmetrics", lines(*(line for moment in moments for line in moment)), "--host", "web-1")[0] == 0
    found = loaded(tmp_path).pivot_table(index="ts", columns="metric", values="value", observed=True)
    shares = found.loc[pd.Timestamp(1763596860, unit="s", tz="UTC")]
    assert shares["cpu_busy_ratio"] == pytest.approx(28 / 60)
    assert shares["cpu_user_ratio"] == pytest.approx(18 / 60)
    assert shares["cpu_system_ratio"] == pytest.approx(9 / 60)
    assert shares["cpu_iowait_ratio"] == pytest.approx(2 / 60)
    assert shares["cpu_steal_ratio"] == pytest.approx(1 / 60)
    busy = found["cpu_busy_ratio"].dropna()
    assert [ts.timestamp() - 1763596800 for ts in busy.index] == [60, 180]
    assert found["cpu_saturated_cores_ratio"].dropna().tolist() == [0, 1]


def test_memory_that_only_looks_like_a_disk_keeps_its_own_name(bring, tmp_path):
    labels = ('device="tmpfs",fstype="tmpfs",mountpoint="/run"', 'device="/dev/sda1",fstype="ext4",mountpoint="/"')
    text = lines(*(f"node_filesystem_size_bytes{{{label}}} 5 1763596800000" for label in labels))
    assert bring("openmetrics", text)[0] == 0
    found = {(str(row.metric), str(row.device)) for row in loaded(tmp_path).itertuples()}
    assert found == {("node_filesystem_size_bytes", labels[0]), ("disk_total_bytes", "/")}


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            ["# EOF", "# TYPE a counter", "# TYPE a histogram", "# HELP a b", "# UNIT a_seconds seconds", ""]
        ),
        st.builds(
            "{}{} {} {}".format,
            st.sampled_from(["a", "a_total", "a_bucket", "a_count", "b", "é", "1"]),
            st.sampled_from(["", "{}", '{x="1"}', '{x="\\""}', '{le="+Inf"}', "{x=1}", '{x="1",x="2"}', "{"]),
            st.sampled_from(["1", "-1", "NaN", "+Inf", "1e400", "x", ""]),
            st.sampled_from(["", "1763596800", "-1", "1e300", "NaN", "9" * 30, "1.5 # {} 1"]),
        ),
    ),
    max_size=6,
).map("\n".join)


@settings(max_examples=300)
@given(text=TEXTS, dialect=st.sampled_from(["openmetrics", "prometheus", None]))
def test_any_text_is_samples_or_an_error_that_says_where(text, dialect):
    """Nothing else flies out of the parsers, whatever they are given."""
    frames = []
    with contextlib.suppress(SourceError):
        frames = list(openmetrics.read(io.StringIO(text), hosts=Hosts("here"), dialect=dialect, at=0.0, source="x"))
    for frame in frames:
        assert set(frame["host"].astype(str)) == {"here"}


LABELS = st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=6), max_size=3)


@given(
    series=st.lists(st.tuples(LABELS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=5,
                    unique_by=lambda one: tuple(sorted(one[0].items())))
)  # fmt: skip
def test_whatever_prometheus_own_library_writes_comes_back(series):
    """Values to the last bit, labels with any character in them."""
    family = GaugeMetricFamily("thing", "help")
    family.samples = [Sample("thing", labels, value, 1763596800) for labels, value in series]
    registry = CollectorRegistry()
    registry.register(type("Source", (), {"collect": lambda _: [family]})())
    text = generate_latest(registry).decode()
    hosts = Hosts("here", "no such label")
    (frame,) = openmetrics.read(io.StringIO(text), hosts=hosts, dialect="openmetrics")
    wanted = {
        dict(labels)["device"] if [*labels] == ["device"] else notation(labels): value for labels, value in series
    }
    assert dict(zip(frame["device"].astype(str), frame["value"], strict=True)) == wanted
