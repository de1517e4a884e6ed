"""The store in a bucket, against a real S3 server on loopback (SeaweedFS), which checks every signature."""

import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.fs as pafs
import pytest

from healthkit import store
from healthkit.cli.main import main
from healthkit.errors import StoreError
from healthkit.findings import Severity

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bucket")]
PORTS = [f"{part}.{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("port", "port.grpc")]


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Host and port of an S3 server that knows one key."""
    folder = tmp_path_factory.mktemp("s3")
    key = {"accessKey": "test", "secretKey": "secret"}
    identity = {"name": "test", "credentials": [key], "actions": ["Admin", "Read", "List", "Write"]}
    (folder / "keys.json").write_text(json.dumps({"identities": [identity]}))
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    options = {"dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "s3.config": folder / "keys.json"}
    options |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "master.volumeSizeLimitMB": 64, "volume.max": 200}
    command = [Path(sys.executable).with_name("weed"), "server", "-s3"]
    command += [f"-{name}={value}" for name, value in (options | ports).items()]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            while not answers(ports["s3.port"]):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "the S3 server does not answer"
                time.sleep(0.05)
            yield f"127.0.0.1:{ports['s3.port']}"
        finally:
            process.kill()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def bucket(server, monkeypatch, request):
    """A home in a new bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = f"bucket-{abs(hash(request.node.name)) % 10**8}"
    where = f"endpoint_override={server}&scheme=http&region=us-east-1"
    filesystem, _ = pafs.FileSystem.from_uri(f"s3://{name}?{where}&allow_bucket_creation=true")
    filesystem.create_dir(name)
    return f"s3://{name}/fleet?{where}"


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


def test_a_key_that_the_server_does_not_know_is_an_error(bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="fleet/metrics"):
        store.load(bucket)


def test_a_server_that_is_not_there_is_an_error(bucket, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = bucket.replace(server, f"127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(StoreError, match="fleet/metrics"):
            store.load(away)


def test_commands_that_need_samples_only_take_the_url(bucket, capsys):
    store.write_samples(bucket, fleet(days=1))
    command = [sys.executable, "-m", "healthkit", "store"]
    done = subprocess.run([*command, "info", "--home", bucket, "-f", "json"], capture_output=True, check=True)
    assert json.loads(done.stdout) == store.info(bucket).as_dict() | {
        "hosts": ["a", "b c/%2F"],
        "metrics": ["load1", "oom_kills_total"],
    }
    assert main(["store", "verify", "--home", bucket]) == 0
    assert main(["store", "compact", "--home", bucket]) == 64
    assert "a bucket holds samples only" in capsys.readouterr().err
