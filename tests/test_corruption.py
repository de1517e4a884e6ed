"""One flipped byte anywhere in a file of the store: the right data, or an error that names the file; at once."""

import random
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from damaged_reads import outcomes
from faults import preloaded

from healthkit import store
from healthkit.errors import StoreError

PATIENCE = 20
"""Seconds without an answer that count as a hang: the child starts, or reads one damaged file; milliseconds on a quiet machine."""


def fleet():
    """Two hosts with noise, constants, counters and a gap, for two days."""
    random_ = np.random.default_rng(5)
    ts = pd.date_range("2026-03-04", periods=96, freq="30min", tz="UTC", unit="ms")
    values = {
        "load1": random_.random(96).round(2),
        "disk_used_bytes": np.full(96, 1e11 + 1),
        "oom_kills_total": random_.integers(0, 9, 96).cumsum().astype(float),
    }
    parts = [
        pd.DataFrame({"ts": ts, "host": host, "metric": metric, "device": "", "value": column + at})
        for at, host in enumerate(("a", "b"))
        for metric, column in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


def flip_all(home, path, flips):
    """What went wrong; a read that does not come back within the time counts as that."""
    processes = preloaded()
    receiver, sender = processes.Pipe(duplex=False)
    child = processes.Process(target=outcomes, args=(home, path, flips, sender))
    child.start()
    sender.close()
    wrong, at = [], None
    try:
        while True:
            if not receiver.poll(PATIENCE):
                wrong.append(f"{path.name}: byte {at}: no answer for {PATIENCE} s")
                break
            kind, at, found = receiver.recv()
            if kind == "done":
                break
            if kind == "read":
                wrong.extend(f"{path.name}: byte {at}: {what}" for what in found)
    except EOFError:
        wrong.append(f"{path.name}: byte {at}: the reader died")
    finally:
        child.kill()
        child.join()
        receiver.close()
    return wrong


def flips_of(path, count, seed):
    """Positions all over the file, half of them in the footer, where most of the structure is; single bits and whole bytes."""
    random_ = random.Random(seed)
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    ends = [0, 3, 4, footer - 1, footer, len(data) - 9, len(data) - 8, len(data) - 5, len(data) - 1]
    positions = ends + [random_.randrange(*((footer, len(data)) if at % 2 else (4, footer))) for at in range(count)]
    return [(position, random_.choice([1 << random_.randrange(8), 0xFF])) for position in positions]


@pytest.fixture(params=["hosts", "parts"])
def home(request, tmp_path):
    store.write_samples(tmp_path, fleet())
    if request.param == "parts":
        store.compact_parts(tmp_path, before=date(2026, 4, 1))
    return tmp_path


def files(home):
    """A file of samples and a file of rollups."""
    return [min(Path(home).glob(f"metrics/{table}/*/*.parquet")) for table in ("raw", "daily")]


def test_a_flipped_byte_is_found_or_harmless(home):
    for seed, path in enumerate(files(home)):
        assert flip_all(home, path, flips_of(path, 6, seed)) == []


@pytest.mark.slow
def test_a_flipped_byte_is_found_wherever_it_is(home):
    for seed, path in enumerate(files(home)):
        assert flip_all(home, path, flips_of(path, 50, 100 + seed)) == []


def test_a_file_that_is_cut_off_or_longer_is_an_error(home):
    for path in files(home):
        whole = path.read_bytes()
        for damaged in (*(whole[:size] for size in (0, 1, 7, 8, 11, len(whole) // 2, len(whole) - 1)), whole + b"\0"):
            path.write_bytes(damaged)
            with pytest.raises(StoreError, match=path.name.replace("+", r"\+")):
                store.info(home)
        path.write_bytes(whole)
