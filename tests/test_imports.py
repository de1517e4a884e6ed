"""History that exists already: every source, what it may not lose, and errors that name line and value."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from healthkit import store
from healthkit.cli.main import main

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
