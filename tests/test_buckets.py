"""The store in a bucket, against a real S3 server on loopback (moto's); skipped where moto is not installed."""

import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.fs as pafs
import pytest

from healthkit import store
from healthkit.errors import StoreError
from healthkit.findings import Severity

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("moto") is None,
        reason="does not apply: no S3 server here, moto[server] is not installed",
    ),
]


@pytest.fixture(scope="module")
def server():
    """Host and port of an S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
            break
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                pytest.fail("the S3 server did not start")
            time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def bucket(server, monkeypatch, request):
    """A home in a new bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = f"bucket-{abs(hash(request.node.name)) % 10**8}"
    urllib.request.urlopen(urllib.request.Request(f"http://{server}/{name}", method="PUT"), timeout=10).close()
    return f"s3://{name}/fleet?endpoint_override={server}&scheme=http&region=us-east-1"


def fleet(days=3):
    rng = np.random.default_rng(4)
    ts = pd.date_range("2026-03-30", periods=days * 48, freq="30min", tz="UTC", unit="ms")
    parts = [
        pd.DataFrame(
            {"ts": ts, "host": host, "metric": metric, "device": "/", "value": rng.integers(0, 9, len(ts)).cumsum()}
        )
        for host in ("a", "b c/%2F")
        for metric in ("load1", "oom_kills_total")
    ]
    return pd.concat(parts, ignore_index=True)


def test_a_bucket_reads_as_a_disk(bucket, tmp_path):
    assert store.load(bucket).empty
    assert store.load_rollup(bucket).empty
    for home in (bucket, tmp_path):
        store.write_samples(home, fleet())
        store.write_samples(home, fleet(days=1).assign(value=1.0))  # merges with what is there
    for rates in (True, False):
        pd.testing.assert_frame_equal(store.load(bucket, rates=rates), store.load(tmp_path, rates=rates))
    pd.testing.assert_frame_equal(store.load_rollup(bucket), store.load_rollup(tmp_path))
    one = {"hosts": "b c/%2F", "metrics": "load1", "period": "2026-03-31"}
    pd.testing.assert_frame_equal(store.load(bucket, **one), store.load(tmp_path, **one))
    assert store.info(bucket) == store.info(tmp_path)
    assert [finding.severity for finding in store.verify(bucket)] == [Severity.OK]


def test_parts_and_expiry_in_a_bucket(bucket):
    store.write_samples(bucket, fleet())
    samples, rollup = store.load(bucket), store.load_rollup(bucket)
    done = store.compact_parts(bucket, before=date(2026, 5, 1))
    assert (done.before, done.after) == (10, 5)
    pd.testing.assert_frame_equal(store.load(bucket), samples)
    pd.testing.assert_frame_equal(store.load_rollup(bucket), rollup)
    assert store.expire(bucket, keep_raw=0).files == 3
    assert store.load(bucket).empty
    pd.testing.assert_frame_equal(store.load_rollup(bucket), rollup)
    assert store.verify(bucket).worst is Severity.OK


def test_a_damaged_object_is_named(bucket):
    store.write_samples(bucket, fleet(days=1))
    filesystem, root = pafs.FileSystem.from_uri(bucket)
    path = f"{root}/metrics/raw/date=2026-03-30/a.parquet"
    with filesystem.open_input_file(path) as file:
        data = bytearray(file.read())
    data[len(data) // 3] ^= 1
    with filesystem.open_output_stream(path) as stream:
        stream.write(bytes(data))
    with pytest.raises(StoreError, match=r"date=2026-03-30/a\.parquet"):
        store.load(bucket)
    assert len(store.load(bucket, hosts="b c/%2F")) == 96
    assert store.verify(bucket).worst is Severity.CRITICAL
    with pytest.raises(StoreError, match="bucket"):
        store.repair(bucket)


def test_a_bucket_that_is_not_there_is_an_error(bucket):
    away = bucket.replace("bucket-", "nowhere-")
    with pytest.raises(StoreError, match="nowhere-"):
        store.write_samples(away, fleet(days=1))
    with pytest.raises(StoreError, match="nowhere-"):
        store.load(away)


def test_a_server_that_is_not_there_is_an_error(bucket, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = bucket.replace(server, f"127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(StoreError, match="fleet/metrics"):
            store.load(away)


def test_commands_that_need_samples_only_take_the_url(bucket):
    store.write_samples(bucket, fleet(days=1))
    command = [sys.executable, "-m", "healthkit", "store"]
    done = subprocess.run([*command, "info", "--home", bucket, "-f", "json"], capture_output=True, check=True)
    assert json.loads(done.stdout) == store.info(bucket).as_dict() | {
        "hosts": ["a", "b c/%2F"],
        "metrics": ["load1", "oom_kills_total"],
    }
    assert subprocess.run([*command, "verify", "--home", bucket], capture_output=True, check=False).returncode == 0
    refused = subprocess.run([*command, "compact", "--home", bucket], capture_output=True, text=True, check=False)
    assert refused.returncode == 64
    assert "a bucket holds samples only" in refused.stderr
