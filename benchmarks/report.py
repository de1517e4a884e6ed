"""What a report costs, side by side with papermill's and nbconvert's command lines on the same data, figures and tables.

    python benchmarks/report.py [--hosts 20] [--days 90] [--every 1h] [--pages 100]

The peers' notebook asks healthkit for the same review, shows the same tables as DataFrames and draws the same courses and
forecasts with matplotlib: what differs is how it is run, drawn and rendered. Both fleets' reports start from a new
process. A host's page costs, for the peers, another run of both commands; for us, another page of `--per-host`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from healthkit.demo import write_demo

END = datetime(2026, 11, 23, tzinfo=UTC)
WEEK, NOW = "2026-W47", "2026-11-23T02:00+00:00"
SETUP = """
import matplotlib.pyplot as plt
import pandas as pd
import healthkit as hk
from healthkit import plots
from healthkit.sections import courses

def course(metric, first=28):
    fig, axes = plt.subplots(max(len(week.hosts) // 4, 1), min(len(week.hosts), 4), figsize=(10, 6), squeeze=False)
    start = (week.until - pd.Timedelta(days=first)).replace(hour=0, minute=0, second=0, microsecond=0)
    values = courses.daily(week.history, metric, "p95", start, first)
    for ax, (key, line) in zip(axes.flat, values.items()):
        ax.plot(line)
        ax.set_title(" ".join(key), fontsize=7)

def p95(metric):
    values = courses.period_percentile(week.rollup, metric, 95)
    return pd.Series(values, name=metric).to_frame()
"""
CELLS = (
    "# Weekly report",
    'week = hk.review(home, "weekly", period=period, hosts=hosts, now=now)\nweek.period, week.coverage',
    "pd.Series({host: score.value for host, score in week.scores.items()}).to_frame('score')",
    "## What needs a hand",
    "week.findings.to_frame().query('severity != \"ok\"').drop(columns='evidence')",
    "## Days until full",
    "week.capacity.to_frame()[['host', 'metric', 'device', 'state', 'value', 'limit', 'days', 'days_lower', 'days_upper']]",
    "for row in range(min(4, len(week.capacity))):\n    plots.plot(week.capacity.chart(row))",
    "## Resources",
    *(f"p95('{metric}')" for metric in ("cpu_busy_ratio", "memory_used_ratio", "disk_used_ratio", "http_response_seconds")),
    *(f"course('{metric}')" for metric in ("cpu_busy_ratio", "memory_used_ratio", "disk_used_ratio", "http_response_seconds")),
    "## What was measured",
    "pd.Series(week.host_coverage).to_frame('coverage')",
)  # fmt: skip


class Cost(NamedTuple):
    """What a step took."""

    wall: float
    cpu: float
    """Of it and its children, seconds."""

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s  {self.cpu:7.2f} s"


def measured(step: Callable[[], Any], repeat: int = 1) -> Cost:
    """The fastest of several runs."""
    best = Cost(float("inf"), float("inf"))
    for _ in range(repeat):
        wall, before = time.perf_counter(), _cpu()
        step()
        best = min(best, Cost(time.perf_counter() - wall, _cpu() - before))
    return best


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peer(folder: Path, home: Path, hosts: str, name: str) -> Path:
    """papermill, then nbconvert, as on the command line."""
    source, executed = folder / "peer.ipynb", folder / f"{name}.ipynb"
    parameters = ("-p", "home", str(home), "-p", "period", WEEK, "-p", "hosts", hosts, "-p", "now", NOW)
    call("papermill", str(source), str(executed), *parameters)
    call("nbconvert", "--to", "html", "--no-input", str(executed))
    return executed.with_suffix(".html")


def call(module: str, *arguments: str) -> None:
    """A command line of this interpreter."""
    done = subprocess.run([sys.executable, "-P", "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module}: {done.stderr[-2000:]}")


def ours(home: Path, *more: str) -> None:
    """`healthkit report weekly`."""
    call("healthkit", "report", "weekly", "--home", str(home), "--period", WEEK, "-p", "now", NOW, *more)


def peer_notebook(path: Path) -> None:
    """The same as a notebook of pandas and matplotlib."""
    parameters = new_code_cell('home = ""\nperiod = ""\nhosts = ""\nnow = ""')
    parameters.metadata["tags"] = ["parameters"]
    cells = [new_markdown_cell(c) if c.startswith("#") else new_code_cell(c) for c in (*CELLS,)]
    made = new_notebook(cells=[parameters, new_code_cell(SETUP), *cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, path)


def size(path: Path) -> str:
    """Of a file, in KB."""
    return f"{path.stat().st_size / 1000:.0f} KB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--every", default="1h")
    parser.add_argument("--pages", type=int, default=100, help="hosts of the second fleet; 0: none")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path(name) / "home"
        truth = write_demo(home, hosts=options.hosts, days=options.days, end=END, every=options.every)
        peer_notebook(folder / "peer.ipynb")
        compare(folder, home, list(truth.hosts), options.repeat)
        if options.pages:
            big = folder / "big"
            write_demo(big, hosts=options.pages, days=options.days, end=END, every=options.every)
            cost = measured(lambda: ours(big, "--per-host", "--jobs", "2"))
            print(f"{options.pages} pages, the fleet's and the index, --jobs 2    {cost}")
            pages = sorted((big / "reports" / "weekly").glob("weekly-*.html"), key=lambda path: path.stat().st_size)
            print(f"HTML of {options.pages} hosts {size(pages[-1])}, of one at most {size(pages[-2])}")


def compare(folder: Path, home: Path, hosts: list[str], repeat: int) -> None:
    """Cold report of the fleet, and what another host costs."""
    print(f"{len(hosts)} hosts, {'seconds of wall clock, of CPU':>38}")
    theirs = measured(lambda: peer(folder, home, "", "fleet"), repeat)
    mine = measured(lambda: ours(home), repeat)
    report("cold report of the fleet", theirs, mine)
    one = measured(lambda: peer(folder, home, hosts[0], "host"), repeat)
    each = measured(lambda: ours(home, "--per-host"), repeat)
    another = Cost((each.wall - mine.wall) / len(hosts), (each.cpu - mine.cpu) / len(hosts))
    report("another host", one, another)
    page = home / "reports" / "weekly" / f"weekly-{WEEK}.html"
    print(f"HTML: peers {size(folder / 'fleet.html')}, healthkit {size(page)}")


def report(what: str, theirs: Cost, mine: Cost) -> None:
    """One line: both costs and their ratios."""
    ratios = f"{theirs.wall / mine.wall:6.1f} x wall {theirs.cpu / mine.cpu:6.1f} x CPU"
    print(f"{what:28} peers {theirs}   healthkit {mine}   {ratios}")


if __name__ == "__main__":
    main()
