"""The check of the store, on real files of samples."""

from __future__ import annotations

from datetime import timedelta

import pytest

from healthkit.checks import check
from healthkit.config import Config
from healthkit.findings import Severity
from healthkit.store import write_samples


@pytest.fixture
def home(tmp_path, worlds):
    for days in (1, 2, 3):
        end = worlds.NOW - timedelta(days=days)
        write_samples(tmp_path, worlds.sampled("load1", [1.0] * 60, end=end))
    return tmp_path


def judge(home):
    return check(home, config=Config(host="web-1"), names=["store"])


def test_nothing_stored_is_not_applicable(tmp_path):
    (finding,) = judge(tmp_path)
    assert finding.evidence["applicable"] is False


def test_whole_files(home):
    (finding,) = judge(home)
    assert finding.severity is Severity.OK
    assert finding.evidence["read"] == finding.evidence["files"] >= 4


def test_a_damaged_file_is_named(home):
    path = min(home.glob("metrics/raw/date=*/*.parquet"))
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)  # the first pages; a byte that no sample depends on may change unseen
    path.write_bytes(content)
    (finding,) = judge(home)
    assert finding.severity is Severity.CRITICAL
    assert path.name in finding.subject
