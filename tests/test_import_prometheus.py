"""Debian's Prometheus, which scrapes Debian's node_exporter, into the store: what it kept is what is read back."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from healthkit import store
from healthkit.cli.main import main
from healthkit.imports.prometheus import _pages, read
from healthkit.imports.series import Hosts
from healthkit.imports.servers import Server

TOOLS = ("prometheus", "prometheus-node-exporter")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("prometheus"),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs Debian's prometheus and prometheus-node-exporter"),
]  # fmt: skip
SECONDS = 6


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(url, seconds=30):
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """URL, and the first and last moment, of a Prometheus that has watched this host for some seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    node, port = free_port(), free_port()
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n"
        f"scrape_configs: [{{job_name: node, static_configs: [{{targets: ['127.0.0.1:{node}']}}]}}]\n"
    )
    commands = [
        ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{node}"],
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
    ]  # fmt: skip
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        for command in commands
    ]
    try:
        url = f"http://127.0.0.1:{port}"
        answers(f"{url}/-/ready")
        while not json.loads(answers(f"{url}/api/v1/query?query=up"))["data"]["result"]:
            time.sleep(0.1)
        first = int(time.time()) + 1
        time.sleep(first + SECONDS - time.time())
        yield url, datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(first + SECONDS, UTC)
    finally:
        for process in running:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def imported(prometheus, tmp_path_factory):
    url, start, end = prometheus
    home = tmp_path_factory.mktemp("home")
    arguments = ["import", "prometheus", url, "--home", str(home), "--step", "1s", "--from", start.isoformat()]
    assert main([*arguments, "--to", end.isoformat()]) == 0
    return home


def test_what_prometheus_kept_is_what_is_read_back(prometheus, imported):
    url, start, _ = prometheus
    data = store.load(imported, rates=False)
    at = int(start.timestamp()) + SECONDS // 2
    answer = json.loads(answers(f"{url}/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D&time={at}"))
    then = data[data["ts"] == pd.Timestamp(at, unit="s", tz="UTC")]
    told = [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]
    ours = [row for row in then.itertuples() if row.metric in MADE]
    assert len(told) > 500
    assert len(then) - len(ours) == len(told)  # nothing was lost, nothing came twice
    assert set(then["host"]) == {"127.0.0.1"}
    for name in ("node_load1", "node_memory_MemTotal_bytes"):
        (value,) = (float(one["value"][1]) for one in told if one["metric"]["__name__"] == name)
        (same,) = then.loc[then["metric"] == {"node_load1": "load1"}.get(name, "memory_total_bytes"), "value"]
        assert same == value


MADE = frozenset(
    [
        "cpu_busy_ratio",
        "cpu_user_ratio",
        "cpu_system_ratio",
        "cpu_iowait_ratio",
        "cpu_steal_ratio",
        "cpu_saturated_cores_ratio",
        "cpu_count",
        "disk_up",
        "disk_used_bytes",
        "disk_used_ratio",
        "disk_inodes_used",
        "inodes_used_ratio",
        "memory_used_ratio",
        "swap_used_bytes",
        "swap_used_ratio",
        "host_uptime_seconds",
        "clock_offset_seconds",
        "cpu_pressure_some_ratio",
        "memory_pressure_some_ratio",
        "memory_pressure_full_ratio",
        "io_pressure_some_ratio",
        "io_pressure_full_ratio",
    ]
)
"""What is made of several of node_exporter's, and stands beside them."""


def test_our_names_in_our_units(imported):
    data = store.load(imported, rates=False)
    here = {part.mountpoint for part in __import__("psutil").disk_partitions()}
    used = data[data["metric"] == "disk_used_ratio"]
    assert len(used)
    assert set(used["device"]) <= here
    total = shutil.disk_usage("/")
    mine = used.loc[used["device"] == "/", "value"].iloc[-1]
    assert mine == pytest.approx(total.used / (total.used + total.free), abs=0.02)
    for metric in ("cpu_busy_ratio", "memory_used_ratio"):
        values = data.loc[data["metric"] == metric, "value"]
        assert 2 <= len(values) <= SECONDS, metric  # on a busy machine a scrape may be late
        assert values.between(0, 1).all()
    shares = data.pivot_table(index="ts", columns="metric", values="value", observed=True)
    idle = 1 - shares["cpu_busy_ratio"] - shares["cpu_iowait_ratio"]
    assert (idle.dropna() > -1e-9).all()


def test_counters_stay_counters(imported):
    raw = store.load(imported, metrics=["cpu_context_switches_total"], rates=False)["value"].to_numpy()
    rates = store.load(imported, metrics=["cpu_context_switches_total"])["value"].to_numpy()
    assert (np.diff(raw) >= 0).all()
    assert np.isnan(rates[0])  # of the first sample nobody knows the one before
    np.testing.assert_allclose(rates[1:], np.diff(raw))  # a second apart
    names = store.metrics(imported)
    assert "node_scrape_collector_duration_seconds" in names
    assert "go_gc_duration_seconds_count_total" in names  # a summary's count: a counter, whatever its name


def test_any_pages_and_a_second_import_give_the_same(prometheus, imported, tmp_path):
    url, start, end = prometheus
    server, hosts = Server(url), Hosts("here")
    for frame in read(server, start=start, end=end, step=1, hosts=hosts, steps=2):
        store.write_samples(tmp_path, frame.dropna())
    whole = store.load(imported, rates=False)
    pd.testing.assert_frame_equal(whole, store.load(tmp_path, rates=False))
    again = ["import", "prometheus", url, "--home", str(imported), "--step", "1s", "--match", '{job="node"}']
    assert main([*again, "--from", start.isoformat(), "--to", end.isoformat()]) == 0
    pd.testing.assert_frame_equal(whole, store.load(imported, rates=False))


def test_selectors_and_a_dry_run(prometheus, tmp_path, capsys):
    url, start, end = prometheus
    arguments = ["import", "prometheus", url, "--home", str(tmp_path / "home"), "--step", "1s", "--format", "json"]
    arguments += ["--from", start.isoformat(), "--to", end.isoformat(), "--dry-run"]
    assert main([*arguments, "--match", "node_load1", "--match", "up", "--keep-port"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["metrics"], told["samples"]) == (["load1", "up"], 2 * SECONDS)
    assert told["hosts"][0].startswith("127.0.0.1:")
    assert not (tmp_path / "home").exists()
    for wrong, said in (
        ("rate(node_load1[5s])", "selects no series but computes values"),
        ("node_load1{", "parse error"),
    ):
        assert main([*arguments, "--match", wrong]) == 1
        assert said in capsys.readouterr().err


@contextlib.contextmanager
def answering(refuse):
    """A server with the series `x`, whose value is its time modulo 7; *refuse* says by (first, last) with which code it refuses."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(200, {"status": "success", "data": {}})

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            query = dict(pair.split("=") for pair in body.split("&"))
            start, end = int(query["start"]), int(query["end"])
            asked.append(self.headers["Authorization"])
            if code := refuse(start, end):
                self.answer(code, {"status": "error", "error": "query processing would load too many samples"})
                return
            points = [[at, str(at % 7)] for at in range(start, end + 1)]
            self.answer(200, {"data": {"result": [{"metric": {"__name__": "x"}, "values": points}]}})

        def answer(self, code, data):
            body = json.dumps(data).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_page_that_is_too_much_is_asked_for_in_parts(tmp_path):
    """Of a server that answers for at most three steps at once, as Prometheus does with --query.max-samples."""
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    times = [datetime.fromtimestamp(at, UTC) for at in (1_790_000_000, 1_790_000_010)]
    with answering(lambda first, last: 422 if last - first >= 3 else 0) as (url, asked):
        frames = list(read(Server(url, str(token)), start=times[0], end=times[1], step=1, hosts=Hosts("here")))
    found = pd.concat(frames)
    assert [ts.timestamp() for ts in found["ts"]] == [*range(1_790_000_000, 1_790_000_010)]
    assert set(asked) == {"Bearer secret"}


def test_after_a_failure_half_way_a_second_import_completes_the_first(tmp_path, capsys):
    """Pages end with the UTC day; what came before the failure is in the store and is told."""
    midnight = 1_790_035_200
    span = [datetime.fromtimestamp(at, UTC).isoformat() for at in (midnight - 5, midnight + 5)]
    down = [500]
    with answering(lambda _, last: down[0] if last >= midnight else 0) as (url, _):
        arguments = [
            "import",
            "prometheus",
            url,
            "--home",
            str(tmp_path),
            "--step",
            "1s",
            "--from",
            span[0],
            "--to",
            span[1],
        ]
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert "before the error: imported 5 samples" in said
        assert "answered 500" in said
        assert len(store.load(tmp_path)) == 5
        down[0] = 0
        assert main(arguments) == 0
    assert store.load(tmp_path)["value"].tolist() == [at % 7 for at in range(midnight - 5, midnight + 5)]


@pytest.mark.parametrize("width", [1, 60, 7, 100_000])
def test_pages_meet_and_end_with_the_day(width):
    first, last = 1_790_000_000 // width * width, (1_790_000_000 + 3 * 86_400) // width * width
    pages = list(_pages(first, last, width, 10_000))
    assert [page[0] for page in pages] == [first, *(page[1] for page in pages[:-1])]
    assert pages[-1][1] == last
    for begin, until in pages:
        assert begin < until
        assert (until - begin) % width == 0
        assert (until - begin) // width <= 10_000
        assert begin // 86_400 == (until - width) // 86_400


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["http://127.0.0.1:1"], 1, "cannot be reached"),
        (["prometheus:9090"], 64, "write http://prometheus:9090"),
        (["http://me:secret@127.0.0.1:1"], 64, "use --token-file"),
        (
            ["http://127.0.0.1:1", "--from", "2026-11-24T00:00Z", "--to", "2026-11-23T00:00Z"],
            64,
            "nothing lies between",
        ),
        (["http://127.0.0.1:1", "--step", "0.5s"], 64, "whole seconds"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments, code, said, tmp_path, capsys):
    assert main(["import", "prometheus", *arguments, "--home", str(tmp_path)]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "secret" not in err


def test_a_token_that_others_can_read_is_refused(tmp_path, capsys):
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o644)
    assert (
        main(["import", "prometheus", "http://127.0.0.1:1", "--token-file", str(token), "--home", str(tmp_path)]) == 78
    )
    assert "a secret must be 0600" in capsys.readouterr().err
