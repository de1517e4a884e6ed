"""Reads of a store with one file damaged, for a child process of `test_corruption`: a hang must not be the test's own."""

import pandas as pd

from healthkit import store
from healthkit.errors import StoreError
from healthkit.findings import Severity


def all_samples(home):
    return store.load(home, rates=False)


def some_samples(home):
    return store.load(home, hosts="a", metrics="load1", start="2026-03-04", end="2026-03-05")


def all_days(home):
    return store.load_rollup(home)


def one_day(home):
    return store.load_rollup(home, hosts="a", metrics="load1", period="2026-03-05")


def inventory(home):
    return store.info(home).as_dict()


READS = {"raw": (all_samples, some_samples), "daily": (all_days, one_day, inventory)}


def equal(one, other):
    if isinstance(one, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(one, other)
        except AssertionError:
            return False
        return True
    return one == other


def outcomes(home, path, flips, results):
    """Flip one byte after the other, read in every way, and say what came of it; runs in a child."""
    reads = READS[path.parent.parent.name]
    right = {read: read(home) for read in reads}
    whole = path.read_bytes()
    for position, mask in flips:
        results.send(("reading", position, mask))
        data = bytearray(whole)
        data[position] ^= mask
        path.write_bytes(data)
        wrong = []
        for read in reads:
            try:
                if not equal(read(home), right[read]):
                    wrong.append(f"{read.__name__}: other data")
            except StoreError as error:
                if str(path) not in str(error):
                    wrong.append(f"{read.__name__}: {error} does not name the file")
            except Exception as error:  # noqa: BLE001 - whatever else comes out is what this test looks for
                wrong.append(f"{read.__name__}: {error!r}")
        if store.verify(home).worst is not Severity.CRITICAL:
            wrong.append("verify: not found")
        results.send(("read", position, wrong))
    path.write_bytes(whole)
    results.send(("done", 0, []))
