"""The journal: hostile names, torn tails, flipped bytes, a full disk."""

from __future__ import annotations

import errno
import os
import resource
import signal
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthkit.errors import StoreError
from healthkit.schema import Reading, Sample
from healthkit.store import journal
from healthkit.store.journal import Journal, Torn, decode, encode, journal_path, parse_path

NOON = int(datetime(2026, 11, 16, 12, tzinfo=UTC).timestamp() * 1000)
DAY = date(2026, 11, 16)
names = st.binary(max_size=60).map(os.fsdecode) | st.text(st.characters(codec="utf-8"), max_size=40)
"""Every name that a file system can hold, invalid UTF-8 included, and every text."""
floats = st.floats(allow_nan=False)


def survives(name):
    """Whether the name comes from bytes: a text with surrogates that together spell a valid letter does not."""
    return os.fsdecode(os.fsencode(name)) == name


@given(device=names.filter(survives), value=floats, ts=st.integers(0, 10**14))
def test_any_name_and_number_comes_back_exactly(device, value, ts):
    line = encode(ts, Reading("disk_used_bytes", value, device))
    assert line.count(b"\n") == 1
    assert all(byte >= 0x20 or byte == 0x0A for byte in line), "nothing that a terminal would obey"
    assert decode(line.rstrip(b"\n"), "h") == Sample(ts, "h", "disk_used_bytes", device, value)


@pytest.mark.parametrize(
    "device", ["a\nb", "a,b", "100%", "%2C", "\x1b[31m", "caf\udce9", "é", '"', "\0", "/mnt/with blank", "<img src=x>"]
)
def test_hostile_devices_by_name(device):
    assert decode(encode(1, Reading("load1", 1.0, device)).rstrip(b"\n"), "h").device == device


@given(value=floats, position=st.integers(0, 200), bit=st.integers(0, 7))
def test_one_flipped_bit_is_never_believed(value, position, bit):
    line = bytearray(encode(NOON, Reading("disk_used_ratio", value, "/var/lib, 100%")).rstrip(b"\n"))
    line[position % len(line)] ^= 1 << bit
    assert decode(bytes(line), "h") is None


@given(line=st.binary(max_size=80))
def test_noise_is_no_sample(line):
    assert decode(line, "h") is None


@given(cut=st.integers(0, 400))
def test_a_cut_file_loses_its_tail_and_nothing_else(tmp_path_factory, cut):
    home = tmp_path_factory.mktemp("home")
    readings = [Reading("disk_used_bytes", float(n), f"/mnt/{n}") for n in range(5)]
    with Journal(home, "h") as target:
        target.append(NOON, readings)
    path = journal_path(home, "h", DAY)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    found = list(journal.read(path))
    good = [item for item in found if isinstance(item, Sample)]
    assert [item.value for item in good] == [float(n) for n in range(len(good))]
    assert len(found) - len(good) <= 1
    with Journal(home, "h") as target:
        target.append(NOON + 1000, readings)
    after = [item for item in journal.read(path) if isinstance(item, Sample)]
    assert after[: len(good)] == good
    assert [item.value for item in after[-5:]] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(after) in {len(good) + 5, len(good) + 6}, "a last line that lacked only its line feed is whole"


def test_readings_go_to_the_file_of_their_own_day(tmp_path):
    midnight = int(datetime(2026, 11, 17, tzinfo=UTC).timestamp() * 1000)
    with Journal(tmp_path, "web/1 ä") as target:
        assert target.append(midnight - 1, [Reading("load1", 1.0)]) == 1
        assert target.append(midnight, [Reading("load1", 2.0)]) == 1
        assert target.append(midnight, []) == 0
    paths = sorted((tmp_path / "metrics" / "journal").glob("*.csv"))
    assert [parse_path(path) for path in paths] == [("web/1 ä", date(2026, 11, 16)), ("web/1 ä", date(2026, 11, 17))]
    assert [[item.value for item in journal.read(path)] for path in paths] == [[1.0], [2.0]]


def test_two_writers_share_a_file(tmp_path):
    with Journal(tmp_path, "h") as one, Journal(tmp_path, "h") as two:
        for tick in range(50):
            one.append(NOON + tick, [Reading("load1", 1.0), Reading("load5", 1.0)])
            two.append(NOON + tick, [Reading("load1", 2.0), Reading("load5", 2.0)])
    found = list(journal.read(journal_path(tmp_path, "h", DAY)))
    assert len(found) == 200
    assert not any(isinstance(item, Torn) for item in found)


def test_a_file_that_is_no_journal_is_named(tmp_path):
    with pytest.raises(StoreError, match="not a journal"):
        parse_path(tmp_path / "notes.csv")


def test_a_write_cut_by_a_full_disk_tears_one_line_and_not_the_next_tick(tmp_path):
    """RLIMIT_FSIZE cuts a write exactly as a full disk does: a part is written, then the call fails."""
    readings = [Reading("disk_used_bytes", float(n), f"/mnt/{n}") for n in range(20)]
    path = journal_path(tmp_path, "h", DAY)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Journal(tmp_path, "h") as target:
        target.append(NOON, readings)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 110, limits[1]))
        try:
            for tick in (1, 2):
                with pytest.raises(OSError, match="File too large") as caught:
                    target.append(NOON + tick, readings)
                assert caught.value.errno == errno.EFBIG
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        target.append(NOON + 3, readings)
    found = list(journal.read(path))
    assert sum(isinstance(item, Torn) for item in found) == 1
    good = [item for item in found if isinstance(item, Sample)]
    assert [item.value for item in good if item.ts == NOON] == [float(n) for n in range(20)]
    assert [item.value for item in good if item.ts == NOON + 3] == [float(n) for n in range(20)]
