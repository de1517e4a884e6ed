"""Compaction under faults: killed at every fsync, rename and unlink, and at random moments; nothing lost, nothing doubled."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from faults import needs_strace, preloaded
from faults import run as run_with

from healthkit import store
from healthkit.errors import StoreError
from healthkit.findings import Severity
from healthkit.schema import Reading
from healthkit.store.files import locked
from healthkit.store.journal import Journal, journal_path
from healthkit.store.layout import Place

DAY = datetime(2026, 3, 4, tzinfo=UTC)
TODAY = DAY + timedelta(days=2)
COMPACT = "import sys; from datetime import date; from healthkit import store; store.compact(sys.argv[1], before=date(2026, 3, 6))"


def ms(when):
    return int(when.timestamp() * 1000)


def fill(home, *, hosts=("a", "b"), days=2, ticks=50):
    """Journals of some hosts and days, and the samples in them."""
    written = {}
    for host in hosts:
        with Journal(home, host) as journal:
            for tick in range(days * ticks):
                ts = ms(DAY + timedelta(days=tick // ticks, seconds=60 * (tick % ticks)))
                readings = [
                    Reading("load1", tick / 7),
                    Reading("oom_kills_total", float(tick)),
                    Reading("disk_used_bytes", tick, "/"),
                ]
                journal.append(ts, readings)
                written |= {(ts, host, reading.metric, reading.device): reading.value for reading in readings}
    return written


def stored(home):
    frame = store.load(home, rates=False)
    keys = list(zip(frame["ts"].astype("int64"), frame["host"], frame["metric"], frame["device"], strict=True))
    assert len(keys) == len(set(keys))
    return dict(zip(keys, frame["value"], strict=True))


def names(home):
    return sorted(str(path.relative_to(home)) for path in home.glob("metrics/**/*") if path.is_file())


def test_journals_of_past_days_become_parquet(tmp_path):
    written = fill(tmp_path, days=3)
    done = store.compact(tmp_path, before=TODAY.date())
    assert (done.journals, done.samples, done.torn, done.damaged) == (4, 600, 0, 0)
    assert str(done) == "4 journals, 600 samples compacted"
    assert names(tmp_path) == [
        "metrics/daily/month=2026-03/a.parquet",
        "metrics/daily/month=2026-03/b.parquet",
        "metrics/journal/a-2026-03-06.csv",
        "metrics/journal/b-2026-03-06.csv",
        "metrics/lock",
        *(f"metrics/raw/date=2026-03-0{day}/{host}.parquet" for day in (4, 5) for host in "ab"),
    ]
    assert stored(tmp_path) == written
    assert store.compact(tmp_path, before=TODAY.date()).journals == 0
    assert store.compact(tmp_path, host="b").journals == 1


def test_rollup_is_the_same_before_and_after(tmp_path):
    fill(tmp_path)
    before = store.load_rollup(tmp_path)
    store.compact(tmp_path)
    pd.testing.assert_frame_equal(store.load_rollup(tmp_path), before)


def test_late_samples_merge(tmp_path):
    written = fill(tmp_path)
    store.compact(tmp_path)
    late = ms(DAY + timedelta(hours=23))
    with Journal(tmp_path, "a") as journal:
        journal.append(late, [Reading("load1", 99.0)])
        journal.append(ms(DAY), [Reading("load1", -1.0)])
    written |= {(late, "a", "load1", ""): 99.0, (ms(DAY), "a", "load1", ""): -1.0}
    assert stored(tmp_path) == written
    assert store.load_rollup(tmp_path, hosts="a", metrics="load1")["n"].tolist() == [51, 50]
    store.compact(tmp_path)
    assert stored(tmp_path) == written
    assert store.load_rollup(tmp_path, hosts="a", metrics="load1")["n"].tolist() == [51, 50]


def test_a_clock_that_went_back_is_reported_and_costs_nothing(tmp_path):
    with Journal(tmp_path, "a") as journal:
        for at, second in enumerate((0, 1, 2, 1, 2, 3)):
            journal.append(ms(DAY) + second * 10_000, [Reading("load1", float(second)), Reading("load5", float(at))])
    findings = [f.message for f in store.verify(tmp_path) if f.severity is Severity.INFO]
    assert any("clock went back 1 times" in message for message in findings)
    assert any("replaced" in message for message in findings)
    store.compact(tmp_path)
    again = [f.message for f in store.verify(tmp_path) if f.severity is Severity.INFO]
    assert len(again) == len(findings)
    assert len(store.load(tmp_path, metrics="load1")) == 4


def test_a_torn_tail_is_dropped_and_reported(tmp_path):
    written = fill(tmp_path, hosts=["a"], days=1)
    path = journal_path(tmp_path, "a", DAY.date())
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]
    for cut in range(1, len(last)):
        path.write_bytes(whole[: -1 - cut])
        assert len(stored(tmp_path)) == len(written) - 1
        assert store.verify(tmp_path).worst is Severity.INFO
    assert store.compact(tmp_path).torn == 1
    assert store.verify(tmp_path).worst is Severity.INFO


def test_a_damaged_line_is_reported_and_kept(tmp_path):
    written = fill(tmp_path, hosts=["a"], days=1)
    path = journal_path(tmp_path, "a", DAY.date())
    lines = path.read_bytes().splitlines(keepends=True)
    lines[10] = lines[10].replace(b"load1", b"load7")
    path.write_bytes(b"".join(lines))
    assert len(stored(tmp_path)) == len(written) - 1
    assert store.verify(tmp_path).worst is Severity.WARNING
    assert store.compact(tmp_path).damaged == 1
    assert path.with_name(path.name + ".damaged").read_bytes() == lines[10]
    assert store.verify(tmp_path).worst is Severity.INFO


@pytest.mark.parametrize("garbage", [b"", b"\0" * 4096, b"\xff\xfe\n" * 50, b"1,2,3\n", b"\n\n\n", b"a" * 100_000])
def test_a_journal_of_garbage_is_no_samples(tmp_path, garbage):
    path = journal_path(tmp_path, "a", DAY.date())
    path.parent.mkdir(parents=True)
    path.write_bytes(garbage)
    (path.parent / "notes.csv").write_text("hello")
    assert store.load(tmp_path).empty
    assert store.load_rollup(tmp_path).empty
    assert store.verify(tmp_path).worst is Severity.WARNING  # notes.csv
    assert store.compact(tmp_path).samples == 0
    assert not path.exists()


def test_one_damaged_day_does_not_stop_the_others(tmp_path):
    written = fill(tmp_path)
    store.compact(tmp_path, host="a", before=DAY.date() + timedelta(days=1))
    damaged = tmp_path / "metrics" / "raw" / "date=2026-03-04" / "a.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with Journal(tmp_path, "a") as journal:
        journal.append(ms(DAY) + 1, [Reading("load1", 1.0)])
    with pytest.raises(StoreError, match=r"date=2026-03-04/a\.parquet"):
        store.compact(tmp_path)
    assert names(tmp_path)[2:3] == ["metrics/journal/a-2026-03-04.csv"]
    store.repair(tmp_path)
    store.compact(tmp_path)
    assert store.verify(tmp_path).worst is Severity.INFO
    lost = {key for key in written if key[1] == "a" and key[0] < ms(DAY + timedelta(days=1))}
    assert stored(tmp_path) == {key: value for key, value in written.items() if key not in lost} | {
        (ms(DAY) + 1, "a", "load1", ""): 1.0
    }


@pytest.mark.slow
def test_only_one_writer_at_a_time(tmp_path):
    fill(tmp_path)
    place = Place.open(tmp_path)
    with locked(place), pytest.raises(StoreError, match="another process"), locked(place, wait=0.1):
        pass
    one, two = (subprocess.Popen([sys.executable, "-c", COMPACT, str(tmp_path)]) for _ in range(2))
    assert (one.wait(60), two.wait(60)) == (0, 0)
    assert store.verify(tmp_path).worst is Severity.OK


def test_a_collector_that_appends_to_a_past_day_loses_nothing(tmp_path):
    """The clock went back: the collector writes into a journal that is being compacted, again and again."""
    script = f"""
import sys, time
from healthkit.schema import Reading
from healthkit.store.journal import Journal
with Journal(__import__("pathlib").Path(sys.argv[1]), "a") as journal:
    print("ready", flush=True)
    end, n = time.monotonic() + 4, 0
    while time.monotonic() < end:
        journal.append({ms(DAY)} + n, [Reading("load1", n)])
        n += 1
        time.sleep(0.0005)
    print(n)
"""
    collector = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert collector.stdout.readline() == "ready\n"
    compacted = 0
    while collector.poll() is None:
        compacted += store.compact(tmp_path).journals
        read = store.load(tmp_path)["value"].to_numpy()
        assert (read == np.arange(len(read))).all()  # a reader in between sees all of it
    n = int(collector.stdout.read())
    collector.stdout.close()
    assert compacted > 3
    assert stored(tmp_path) == {(ms(DAY) + at, "a", "load1", ""): float(at) for at in range(n)}


# ----------------------------------------------------------------------------------------------------------------- kill
@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("call", ["fsync", "/rename.*", "/unlink.*"])
def test_killed_at_every_call(tmp_path, call):
    origin = tmp_path / "origin"
    written = fill(origin, hosts=["a"], days=1, ticks=5)
    kills = 0
    for number in range(1, 200):
        home = tmp_path / str(number)
        shutil.copytree(origin, home)
        done = run_with(store.compact, home, before=TODAY.date(), inject=f"{call}:signal=KILL:when={number}")
        assert stored(home) == written
        if done.code == 0:
            break
        kills += 1
        store.compact(home, before=TODAY.date())
        assert stored(home) == written
        assert [name for name in names(home) if "tmp" in name or "journal" in name] == []
        assert store.verify(home).worst is Severity.OK
    else:
        pytest.fail("never got through")
    assert kills >= {"fsync": 8, "/rename.*": 2, "/unlink.*": 1}[call]


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(("call", "error"), [("write", "ENOSPC"), ("fsync", "EIO"), ("/rename.*", "EIO")])
def test_a_full_or_broken_disk_is_an_error_and_loses_nothing(tmp_path, call, error):
    origin = tmp_path / "origin"
    written = fill(origin, hosts=["a"], days=1, ticks=5)
    (origin / "metrics" / "lock").touch()
    for number in range(1, 60):
        home = tmp_path / str(number)
        shutil.copytree(origin, home)
        raw, daily = (home / "metrics" / name for name in ("raw/date=2026-03-04", "daily/month=2026-03"))
        for folder in (raw, daily):
            folder.mkdir(parents=True)
        watched = [path for folder in (raw, daily) for path in (folder, folder / ".a.parquet.tmp")]
        fault = f"{call}:error={error}:when={number}"
        done = run_with(store.compact, home, before=TODAY.date(), inject=fault, paths=watched)
        assert stored(home) == written
        assert [name for name in names(home) if name.endswith(".tmp")] == []
        if done.code == 0:
            break
        assert "StoreError" in done.error
        store.compact(home, before=TODAY.date())
        assert stored(home) == written
        assert store.verify(home).worst is Severity.OK
    else:
        pytest.fail("never got through")
    assert number > 2


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    """Fifty times: a collector and a compaction at once, both killed; every acknowledged tick is there afterwards."""
    script = f"""
import sys
from pathlib import Path
from healthkit.schema import Reading
from healthkit.store.journal import Journal
start, home = int(sys.argv[2]), Path(sys.argv[1])
with Journal(home, "a") as journal:
    for n in range(start, start + 400):
        journal.append({ms(DAY)} + n * 60_000, [Reading("load1", n), Reading("load5", -n)])
        sys.stdout.write(f"{{n}}\\n"); sys.stdout.flush()
"""
    random_ = random.Random(0)
    acknowledged, rounds, stopped = -1, 0, 0
    for _ in range(50):
        command = [sys.executable, "-S", "-c", script, str(tmp_path), str(acknowledged + 1)]
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        collector = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        first = collector.stdout.readline()
        compaction = preloaded().Process(target=store.compact, args=(tmp_path,), kwargs={"before": date(2027, 1, 1)})
        compaction.start()
        time.sleep(random_.uniform(0.0, 0.15))
        doomed = [compaction, collector]
        random_.shuffle(doomed)
        for process in doomed:
            process.kill()
        out = first + collector.communicate()[0]
        compaction.join()
        stopped += compaction.exitcode == -signal.SIGKILL
        complete = out[: out.rfind("\n") + 1].split()
        rounds += int(complete[-1]) > acknowledged
        acknowledged = int(complete[-1])
        read = store.load(tmp_path, rates=False)
        for metric, sign in (("load1", 1), ("load5", -1)):
            found = read[read["metric"] == metric]
            ticks = np.arange(len(found))
            assert len(found) > acknowledged
            assert (found["ts"].astype("int64") == ms(DAY) + ticks * 60_000).all()
            assert (found["value"] == sign * ticks).all()
    store.compact(tmp_path, before=date(2027, 1, 1))
    assert store.verify(tmp_path).worst in {Severity.OK, Severity.INFO}
    assert rounds == 50  # each of them saw the collector at work
    assert stopped > 10  # compactions that were killed before they were done
    assert acknowledged > 1000


# ---------------------------------------------------------------------------------------------------------------- parts
@pytest.mark.slow
def test_a_fleet_becomes_one_part_a_day(tmp_path):
    written = fill(tmp_path, hosts=[f"h{at}" for at in range(7)])
    store.compact(tmp_path)
    samples, rollup = store.load(tmp_path), store.load_rollup(tmp_path)
    done = store.compact_parts(tmp_path, before=date(2026, 4, 1))
    assert (done.before, done.after) == (21, 3)
    assert all("hosts+" in name for name in names(tmp_path) if name.endswith(".parquet"))
    pd.testing.assert_frame_equal(store.load(tmp_path), samples)
    pd.testing.assert_frame_equal(store.load_rollup(tmp_path), rollup)
    assert len(store.load(tmp_path, hosts="h3", metrics="load1")) == 100
    assert store.hosts(tmp_path) == tuple(f"h{at}" for at in range(7))
    assert store.verify(tmp_path).worst is Severity.OK
    with Journal(tmp_path, "h3") as journal:  # late
        journal.append(ms(DAY), [Reading("load1", 42.0)])
    written[ms(DAY), "h3", "load1", ""] = 42.0
    for _ in range(2):
        assert stored(tmp_path) == written
        store.compact(tmp_path)
        assert stored(tmp_path) == written
        assert store.load_rollup(tmp_path, hosts="h3", metrics="load1")["max"].tolist() == [42.0, 99 / 7]
        store.compact_parts(tmp_path, before=date(2026, 4, 1))
    assert store.verify(tmp_path).worst is Severity.OK
    assert store.expire(tmp_path, keep_raw=0).files == 2


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("call", ["fsync", "/unlink.*"])
def test_merging_parts_killed_at_every_call(tmp_path, call):
    origin = tmp_path / "origin"
    written = fill(origin, hosts="ab", days=1, ticks=5)
    store.compact(origin)
    for number in range(1, 100):
        home = tmp_path / str(number)
        shutil.copytree(origin, home)
        done = run_with(store.compact_parts, home, inject=f"{call}:signal=KILL:when={number}")
        assert stored(home) == written
        if done.code == 0:
            break
        store.compact_parts(home)
        assert stored(home) == written
        assert store.verify(home).worst is Severity.OK
        assert len([name for name in names(home) if name.endswith(".parquet")]) == 2
    else:
        pytest.fail("never got through")
