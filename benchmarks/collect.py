"""What collecting costs: healthkit beside node_exporter and sadc, at the same rate at the same time.

    python benchmarks/collect.py [--samples 61] [--every 1]

CPU is user and system time of the collecting process and its children (of the exporter: not of the client that scrapes
it), between the second sample and the last; memory is the resident set at the end. A peer that is not installed is
skipped, by name. Source of the peers: Debian's prometheus-node-exporter and sysstat.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from healthkit.store import journal

TICK = os.sysconf("SC_CLK_TCK")
SADC = "/usr/lib/sysstat/sadc"


@dataclass
class Peer:
    """One collector under measurement."""

    name: str
    process: subprocess.Popen[bytes]
    values: Callable[[], int]
    """How many values its last sample held."""
    cpu: float = 0.0
    rss: float = 0.0
    count: int = 0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=61)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between samples")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving() as address:
        peers = list(started(Path(folder), address, options.every, options.samples))
        time.sleep(2 * options.every + 1)
        before = [cpu_seconds(peer.process.pid) for peer in peers]
        time.sleep((options.samples - 1) * options.every)
        for peer, start in zip(peers, before, strict=True):
            peer.cpu = cpu_seconds(peer.process.pid) - start
            peer.rss = resident_megabytes(peer.process.pid)
            peer.count = peer.values()
        for peer in peers:
            peer.process.terminate()
            peer.process.wait()
    table(peers, options.samples - 1)


def table(peers: list[Peer], samples: int) -> None:
    """CPU, memory, values, and CPU as a ratio to the exporter's."""
    anchor = next((peer.cpu for peer in peers if peer.name == "node_exporter"), None)
    print(f"{samples} samples")
    print(f"{'':24}{'CPU ms/sample':>15}{'RSS MB':>9}{'values':>8}{'ratio':>8}")
    for peer in peers:
        ratio = f"{peer.cpu / anchor:.3f}" if anchor else "-"
        print(f"{peer.name:24}{peer.cpu / samples * 1000:15.2f}{peer.rss:9.1f}{peer.count:8}{ratio:>8}")


def started(folder: Path, address: str, every: float, samples: int) -> Iterator[Peer]:
    """Every peer that is installed, running."""
    if shutil.which("prometheus-node-exporter"):
        yield node_exporter(every)
    else:
        print("skipped: prometheus-node-exporter is not installed")
    if Path(SADC).exists() and every >= 1:
        yield sadc(folder, every, samples)
    else:
        print("skipped: sadc is not installed, or the interval is below a second")
    yield healthkit("healthkit", folder / "plain", every, [])
    services = [{"name": f"service-{n}", "url": f"{address}/{n}", "timeout": 5, "expect": None} for n in range(3)]
    yield healthkit("healthkit, 3 probes", folder / "probing", every, services)


def node_exporter(every: float) -> Peer:
    """Debian's exporter with its default collectors, scraped by a thread of ours."""
    port = free_port()
    command = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    last = {"values": 0}

    def scrape() -> None:
        due = time.monotonic() + 1
        while process.poll() is None:
            time.sleep(max(0.0, due - time.monotonic()))
            due += every
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/metrics")
                text = connection.getresponse().read()
                connection.close()
            except OSError:
                continue
            last["values"] = sum(1 for line in text.splitlines() if line and not line.startswith(b"#"))

    threading.Thread(target=scrape, daemon=True).start()
    return Peer("node_exporter", process, lambda: last["values"])


def sadc(folder: Path, every: float, samples: int) -> Peer:
    """What sar uses: everything it can collect."""
    file = folder / "sa"
    command = [SADC, "-S", "XALL", str(round(every)), str(samples + 60), str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def values() -> int:
        shown = subprocess.run(["sadf", "-p", str(file), "--", "-A"], capture_output=True, text=True, check=False)
        stamps = [line.split("\t")[2] for line in shown.stdout.splitlines()]
        return stamps.count(stamps[-1]) if stamps else 0

    return Peer("sadc", process, values)


def healthkit(name: str, home: Path, every: float, services: list[dict[str, object]]) -> Peer:
    """Our resident process, its journal on the disk of the temporary folder."""
    given = {"home": str(home), "host": "bench", "every": every, "for": None, "services": services, "programs": []}
    process = subprocess.Popen([sys.executable, "-P", "-m", "healthkit.cli.resident"], stdin=subprocess.PIPE)
    with process.stdin or io.BytesIO() as stdin:
        stdin.write(json.dumps(given).encode())

    def values() -> int:
        (path,) = (home / "metrics" / "journal").glob("*.csv")
        samples = [item for item in journal.read(path) if not isinstance(item, journal.Torn)]
        ticks = sorted({sample.ts for sample in samples if sample.metric == "load1"})
        return sum(ticks[-2] <= sample.ts < ticks[-1] for sample in samples)

    return Peer(name, process, values)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended. Source: proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / TICK


def resident_megabytes(pid: int) -> float:
    """Resident set size."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class serving:  # noqa: N801 - read as a verb, like open
    """A small HTTP server in this process, for the probes."""

    def __enter__(self) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


if __name__ == "__main__":
    main()
