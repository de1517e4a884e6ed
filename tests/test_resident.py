"""The resident process as a process: schedule, signals, locks, failures, a full disk, kill -9, and what it weighs."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from healthkit.cli import resident
from healthkit.collectors.bells import Bell
from healthkit.collectors.children import Compaction
from healthkit.collectors.schedules import Schedule
from healthkit.config import parse_config
from healthkit.schema import Reading
from healthkit.store import journal
from healthkit.store.journal import Journal, Torn

COMMAND = [sys.executable, "-P", "-m", "healthkit.cli.resident"]
HEAVY = {
    "pandas",
    "numpy",
    "pyarrow",
    "click",
    "yaml",
    "msgspec",
    "rich",
    "scipy",
    "matplotlib",
    "ssl",
    "http",
    "email",
}


def given(home, **changes):
    settings = {"home": str(home), "host": "h", "names": [], "every": 0.05, "for": None, "services": [], "programs": []}
    return json.dumps({**settings, **changes})


@contextmanager
def running(settings, command=COMMAND, **options):
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        process.stdin.write(settings.encode())
        process.stdin.close()
        process.stdin = None
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def finish(process, number=signal.SIGTERM):
    """Ask it to end; its stderr."""
    process.send_signal(number)
    return process.communicate(timeout=10)[1].decode()


def run(settings, command=COMMAND, **options):
    return subprocess.run(command, input=settings, capture_output=True, text=True, timeout=60, check=False, **options)


def samples(home):
    return [item for path in sorted((home / "metrics" / "journal").glob("*.csv")) for item in journal.read(path)]


def ticks(home, metric="load1"):
    return [item.ts for item in samples(home) if not isinstance(item, Torn) and item.metric == metric]


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found


def test_ticks_do_not_drift_and_end_in_time(tmp_path):
    done = run(given(tmp_path, every=0.1, **{"for": 2}))
    assert (done.returncode, done.stderr) == (0, "")
    found = ticks(tmp_path)
    assert len(found) == pytest.approx(20, abs=2)
    offsets = [(ts - found[0]) % 100 for ts in found]
    assert sorted(min(offset, 100 - offset) for offset in offsets)[len(offsets) // 2] <= 10
    assert {item.value for item in samples(tmp_path) if item.metric == "collector_up"} == {1.0}


def test_a_sample_holds_at_least_sixty_values_none_twice(tmp_path):
    assert run(given(tmp_path, **{"for": 0.3})).returncode == 0
    newest = ticks(tmp_path)[-1]
    last = [item for item in samples(tmp_path) if item.ts == newest]
    assert len({(item.metric, item.device) for item in last}) == len(last) >= 60


def test_one_shot_has_rates_and_probes_of_every_collector(tmp_path):
    services = [{"name": "web", "url": "http://127.0.0.1:1/", "timeout": 1, "expect": None}]
    programs = [{"name": "me", "process": "no-such-program"}]
    done = run(given(tmp_path, every=None, services=services, programs=programs))
    assert (done.returncode, done.stderr) == (0, "")
    found = {(item.metric, item.device): item.value for item in samples(tmp_path)}
    assert 0 <= found["cpu_busy_ratio", ""] <= 1
    assert found["http_up", "web"] == 0
    assert ("http_response_seconds", "web") not in found
    assert found["program_running_count", "me"] == 0
    assert found["memory_total_bytes", ""] == psutil.virtual_memory().total
    assert len(found) >= 60


def test_only_the_named_collectors(tmp_path):
    assert run(given(tmp_path, names=["memory"], **{"for": 0.1})).returncode == 0
    assert {item.device for item in samples(tmp_path) if item.metric == "collector_up"} == {"memory"}


def test_an_unknown_collector_is_a_usage_error(tmp_path):
    done = run(given(tmp_path, names=["gpu"], **{"for": 0.1}))
    assert done.returncode == 64
    assert "no collector 'gpu': there are cpu" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_at_once_and_in_order(tmp_path, number):
    with running(given(tmp_path, every=1.0)) as process:
        until(lambda: ticks(tmp_path))
        start = time.monotonic()
        assert finish(process, number) == ""
        assert time.monotonic() - start < 1
    assert process.returncode == 0
    assert not any(isinstance(item, Torn) for item in samples(tmp_path))


def test_a_second_one_is_refused_and_told_who_holds_the_lock_while_one_shot_runs_beside(tmp_path):
    with running(given(tmp_path)) as process:
        until(lambda: ticks(tmp_path))
        second = run(given(tmp_path))
        assert second.returncode == 75
        assert str(process.pid) in second.stderr
        assert run(given(tmp_path, host="other", **{"for": 0.1})).returncode == 0
        assert run(given(tmp_path, every=None)).returncode == 0
        finish(process)
    assert process.returncode == 0
    assert run(given(tmp_path, **{"for": 0.1})).returncode == 0, "the lock goes with its holder"


def test_it_loads_nothing_heavy_and_stays_small(tmp_path):
    done = run(given(tmp_path, **{"for": 0.1}), [sys.executable, "-X", "importtime", *COMMAND[1:]])
    loaded = {
        line.split("|")[-1].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "psutil" in loaded
    assert loaded & HEAVY == set()
    with running(given(tmp_path)) as process:
        until(lambda: len(ticks(tmp_path)) > 10)
        assert psutil.Process(process.pid).memory_info().rss < 20 << 20
        finish(process)


def test_probes_come_between_ticks_and_never_delay_one(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        services = [
            {"name": "silent", "url": f"http://127.0.0.1:{silent.getsockname()[1]}/", "timeout": 0.5, "expect": None}
        ]
        with running(given(tmp_path, every=0.1, services=services)) as process:
            until(lambda: len(ticks(tmp_path, "http_up")) >= 3)
            memory = psutil.Process(process.pid).memory_info().rss
            finish(process)
    gaps = sorted(b - a for a, b in itertools.pairwise(ticks(tmp_path)))
    assert gaps[len(gaps) // 2] == pytest.approx(100, abs=20)
    assert {item.value for item in samples(tmp_path) if item.metric == "http_timed_out"} == {1.0}
    assert memory < 30 << 20


DRIVER = """
    import json, os, pathlib, sys
    from healthkit import collectors
    from healthkit.cli import resident
    from healthkit.store.journal import Journal
"""


def driver(text, **names):
    return [sys.executable, "-P", "-c", textwrap.dedent(DRIVER) + textwrap.dedent(text).format(**names)]


BROKEN = '''
"""Fails while a file exists."""
import os
from healthkit.schema import Metric, Reading
METRICS = (Metric("gpu_count", "gauge", "Processors that draw."),)
def collect():
    if os.path.exists({flag!r}):
        yield Reading("gpu_count", 1 / 0)
    yield Reading("gpu_count", 2)
'''


def test_a_failing_collector_costs_its_own_readings_and_says_so_once_per_change(tmp_path):
    home, flag, folder = tmp_path / "home", tmp_path / "flag", tmp_path / "more"
    folder.mkdir()
    flag.touch()
    (folder / "gpu.py").write_text(BROKEN.format(flag=str(flag)))
    command = driver("collectors.__path__.append({folder!r}); sys.exit(resident.main())", folder=str(folder))

    def up():
        return [item.value for item in samples(home) if item.metric == "collector_up" and item.device == "gpu"]

    with running(given(home), command) as process:
        until(lambda: len(up()) > 3)
        flag.unlink()
        until(lambda: 1.0 in up())
        flag.touch()
        until(lambda: up()[-1] == 0.0)
        said = finish(process).splitlines()
    assert process.returncode == 0
    assert [line.partition("gpu ")[2].partition(":")[0] for line in said] == ["failed", "is back", "failed"]
    assert "ZeroDivisionError" in said[0]
    assert len(ticks(home)) == len(up()), "the others were written on every tick"
    assert {item.value for item in samples(home) if item.metric == "gpu_count"} == {2.0}


BAD = {
    "cannot be imported": "import no_such_module",
    "is no Python": "def",
    "breaks the naming rule": 'from healthkit.schema import Metric\nMETRICS = (Metric("Bad Name", "gauge", "x"),)',
    "says what it did not declare": 'from healthkit.schema import Reading\nMETRICS = ()\ndef collect(): yield Reading("a,b", 1)',
    "says no number": 'from healthkit.schema import *\nMETRICS = (Metric("x", "gauge", ""),)\ndef collect(): yield Reading("x", "1")',
    "names no device": 'from healthkit.schema import *\nMETRICS = (Metric("x", "gauge", ""),)\ndef collect(): yield Reading("x", 1, None)',
    "yields no readings": 'from healthkit.schema import *\nMETRICS = (Metric("x", "gauge", ""),)\ndef collect(): yield 5',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_collector_that_is_wrong_is_down_and_the_others_go_on(tmp_path, text):
    (tmp_path / "gpu.py").write_text(text)
    command = driver("collectors.__path__.append({folder!r}); sys.exit(resident.main())", folder=str(tmp_path))
    done = run(given(tmp_path / "home", names=["gpu", "memory"], **{"for": 0.2}), command)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    up = {item.device: item.value for item in samples(tmp_path / "home") if item.metric == "collector_up"}
    assert up == {"gpu": 0.0, "memory": 1.0}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB, mounted in a mount namespace of its own: the command prefix, and its path."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare for a small tmpfs")
    folder = tmp_path / "small"
    folder.mkdir()
    script = f'mount -t tmpfs -o size=1m tmpfs "{folder}" && exec "$@"'
    if subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", "true"], check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    return ["unshare", "-m", "sh", "-c", script, "sh"], folder


def test_a_full_disk_loses_ticks_counts_them_and_does_not_end_the_loop(small_disk, tmp_path):
    prefix, folder = small_disk
    ballast = folder / "ballast"
    with running(given(folder, every=0.2), [*prefix, *COMMAND]) as process:
        inside = Path(f"/proc/{process.pid}/root") / folder.relative_to("/")  # exec keeps the process id
        until(lambda: (inside / "metrics").exists() and ticks(inside))
        with (inside / ballast.name).open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        full = until(lambda: [*ticks(inside)])
        time.sleep(1.5)
        assert len(ticks(inside)) < len(full) + 8
        (inside / ballast.name).unlink()
        lost = until(
            lambda: [
                i.value
                for i in samples(inside)
                if not isinstance(i, Torn) and i.metric == "collector_lost_ticks_total" and i.value
            ]
        )
        after = samples(inside)
        said = finish(process)
    assert process.returncode == 1, "readings were lost"
    assert lost[0] >= 3
    assert said.count("cannot write") == said.count("writing again") == 1
    assert sum(isinstance(item, Torn) for item in after) <= 1


ACKNOWLEDGING = """
    class Told(Journal):
        def append(self, ts, readings):
            count = super().append(ts, readings)
            os.write(1, b"%d %d\\n" % (ts, count))
            return count
    sys.exit(resident.main(journal=Told))
"""


@pytest.mark.slow
def test_kill_9_at_fifty_moments_loses_nothing_acknowledged_and_doubles_nothing(tmp_path):
    random.seed(9)
    told = {}
    for _ in range(50):
        with running(given(tmp_path, every=0.01), driver(ACKNOWLEDGING), stdout=subprocess.PIPE) as process:
            first = process.stdout.readline()
            time.sleep(random.uniform(0, 0.1))
            process.kill()
            for line in (first + process.stdout.read()).splitlines(keepends=True):
                if line.endswith(b"\n"):
                    ts, count = map(int, line.split())
                    told[ts] = told.get(ts, 0) + count
            process.communicate()
    found = [item for item in samples(tmp_path) if not isinstance(item, Torn)]
    kept = {}
    for item in found:
        kept[item.ts] = kept.get(item.ts, 0) + 1
    assert len(told) > 100
    assert {ts: count for ts, count in told.items() if kept.get(ts, 0) < count} == {}
    assert len({(item.ts, item.metric, item.device) for item in found}) == len(found)


def test_old_journals_are_compacted_once_at_the_start_beside_the_loop(tmp_path):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with Journal(tmp_path / "home", "h") as old:
        old.append(int(yesterday.timestamp() * 1000), [Reading("load1", 1.0)])
    command = [
        sys.executable,
        "-c",
        f"import os, pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).open('a').write(f'{{os.getpid()}} {{os.getsid(0)}}\\n')",
    ]
    with running(given(tmp_path / "home", compact=command)) as process:
        until(lambda: ticks(tmp_path / "home", "compaction_up"), 20)
        finish(process)
    (line,) = (tmp_path / "ran").read_text().splitlines()
    child, session = line.split()
    assert child == session != str(process.pid), "detached: a session of its own"
    assert {item.value for item in samples(tmp_path / "home") if item.metric == "compaction_up"} == {1.0}


class Ticking:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("command", [["false"], ["/no/such/command"]], ids=["fails", "is not there"])
def test_a_compaction_that_fails_is_told_and_tried_again_later(command):
    clock, said, started = Ticking(), [], []
    compaction = Compaction(command, lambda: started.append(1) or True, said.append, clock=clock)
    found = until(lambda: list(compaction()))
    assert found == [Reading("compaction_up", False)]
    assert "next try in 60 minutes" in said[0]
    clock.now += 3000
    list(compaction())
    assert len(started) == 1
    clock.now += 1000
    list(compaction())
    assert len(started) == 2
    until(lambda: len(said) == 2 or list(compaction()) == [])


def test_no_second_compaction_while_one_runs():
    clock = Ticking()
    looks = iter((True, False))
    compaction = Compaction(["sleep", "0.3"], lambda: next(looks), lambda _: None, clock=clock)
    started = time.monotonic()
    while not list(compaction()):
        clock.now += 7200
        time.sleep(0.01)
    assert time.monotonic() - started >= 0.3


def test_the_grid_is_aligned_to_the_wall_clock_from_one_second_up():
    mono, wall = Ticking(), Ticking()
    wall.now = 1_700_000_007.25
    schedule = Schedule(60, clock=mono, wall=wall)
    assert (wall.now + schedule.due - mono.now) % 60 == pytest.approx(0)
    assert Schedule(0.25, clock=mono, wall=wall).due == mono.now


def test_a_tick_that_cannot_be_kept_is_skipped_and_counted_never_bunched():
    mono, wall = Ticking(), Ticking()
    schedule = Schedule(10, clock=mono, wall=wall)
    dues = []
    for took in (1, 35, 1, 10, 0):
        mono.now = wall.now = max(schedule.due, mono.now)
        dues.append(schedule.due - schedule.first)
        mono.now += took
        wall.now += took
        schedule.advance()
    assert dues == [0, 10, 50, 60, 70]
    assert schedule.skipped == 3


def test_the_grid_is_laid_anew_when_the_clock_was_set_or_the_machine_slept():
    mono, wall = Ticking(), Ticking()
    schedule = Schedule(60, clock=mono, wall=wall)
    mono.now = wall.now = schedule.due
    wall.now += 12.5
    schedule.advance()
    assert (wall.now + schedule.due - mono.now) % 60 == pytest.approx(0)
    assert schedule.skipped == 0


def test_a_bell_rings_through_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with Bell() as bell:
        assert not bell.wait(0)
        for _ in range(100_000):
            bell.ring()
        assert bell.wait(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert bell.stopped
    assert signal.getsignal(signal.SIGTERM) is before


def test_settings_are_json_and_hold_what_the_configuration_says(tmp_path):
    config = parse_config(
        """
        host: web-1
        services:
          - {name: site, url: "https://example.org/", timeout: 2, expect: 204}
          - {name: daemon, process: appd, unit: appd}
        """
    )
    found = json.loads(json.dumps(resident.settings(config, tmp_path, only=["cpu"], every=config.collect.every)))
    assert found["host"] == "web-1"
    assert found["names"] == ["cpu"]
    assert found["every"] == 60
    assert found["services"] == [{"name": "site", "url": "https://example.org/", "timeout": 2, "expect": 204}]
    assert found["programs"] == [{"name": "daemon", "process": "appd"}]
    assert found["compact"][1:] == ["-P", "-m", "healthkit", "store", "compact", "--home", str(tmp_path)]


def test_becoming_the_process_hands_the_settings_over(tmp_path):
    command = driver("resident.become(json.loads({settings!r}))", settings=given(tmp_path, **{"for": 0.1}))
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ticks(tmp_path)


def test_a_sample_in_this_process_is_written_and_returned(tmp_path):
    ts, readings = resident.sample(json.loads(given(tmp_path, names=["cpu", "memory"])))
    assert [(item.ts, item.metric, item.value, item.device) for item in samples(tmp_path)] == [
        (ts, reading.metric, float(reading.value), reading.device) for reading in readings
    ]


def test_a_home_that_cannot_be_written_is_a_failure_with_a_reason(tmp_path):
    (tmp_path / "metrics").write_text("in the way")
    done = run(given(tmp_path, **{"for": 0.1}))
    assert done.returncode == 1
    assert "cannot write" in done.stderr


def test_a_tick_is_stamped_with_its_start_and_at_full_seconds(tmp_path):
    assert run(given(tmp_path, every=1, **{"for": 2})).returncode == 0
    assert all(ts % 1000 < 100 for ts in ticks(tmp_path))


@pytest.mark.parametrize("every", [0, -1, 100_000])
def test_an_interval_that_cannot_be_is_a_usage_error(tmp_path, every):
    assert run(given(tmp_path, every=every)).returncode == 64


def test_nothing_is_imported_from_the_folder_it_is_started_in(tmp_path):
    (tmp_path / "psutil.py").write_text("raise SystemExit('imported')")
    command = driver("resident.become(json.loads({settings!r}))", settings=given(tmp_path, **{"for": 0.1}))
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
