"""`healthkit lab`: a real JupyterLab, and a kernel of it that works on the home."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow]


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Home and runtime folder of a running server, and what it says of itself."""
    home, runtime = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("runtime")
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(runtime), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-P", "-m", "healthkit", "lab", "--no-browser", "--port", "0", "--home", str(home)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        until = time.monotonic() + 60
        while not (found := list(runtime.glob("jpserver-*.json"))):
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < until, (home / "log").read_text()
            time.sleep(0.1)
        server = json.loads(found[0].read_text())
        while not listening(server["port"]):  # the file is written before the socket is open
            assert time.monotonic() < until, (home / "log").read_text()
            time.sleep(0.1)
        yield home, runtime, server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _api(server, path, method="GET", body=None):
    request = urllib.request.Request(
        server["url"] + "api/" + path,
        method=method,
        headers={"Authorization": f"token {server['token']}"},
        data=json.dumps(body).encode() if body is not None else None,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")


def test_the_tutorial_lies_in_the_home_and_the_server_listens_here_alone(lab):
    home, _, server = lab
    assert Path(server["root_dir"]) == home
    assert server["hostname"] == "127.0.0.1"
    assert [one["name"] for one in _api(server, "contents/notebooks")["content"]] == ["explore.ipynb"]


def test_a_kernel_has_healthkit_and_knows_the_home(lab):
    home, runtime, server = lab
    from jupyter_client import BlockingKernelClient

    kernel = _api(server, "kernels", "POST", {"name": "python3"})
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel['id']}.json"))
    client.load_connection_file()
    client.start_channels(hb=False)  # a kernel that starts slowly misses a heartbeat, and would be called dead
    said = []
    try:
        client.wait_for_ready(timeout=60)
        code = "import healthkit.config, sys; print(healthkit.config.home(), sys.executable)"
        client.execute_interactive(code, timeout=30, output_hook=lambda m: said.append(m["content"].get("text", "")))
    finally:
        client.stop_channels()
        _api(server, f"kernels/{kernel['id']}", "DELETE")
    assert "".join(said).split() == [str(home), sys.executable]


def test_a_tutorial_that_somebody_wrote_in_is_kept(tmp_path):
    from healthkit.cli.lab import _tutorial

    _tutorial(tmp_path)
    path = tmp_path / "notebooks" / "explore.ipynb"
    path.write_text("mine")
    _tutorial(tmp_path)
    assert path.read_text() == "mine"
