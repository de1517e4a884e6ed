"""`healthkit demo`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from healthkit.config import load_config
from healthkit.periods import Period

LIVE = 3.0
"""Seconds that this host is measured."""


@click.command("demo")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default="healthkit-demo", show_default=True)
@click.option(
    "--hosts", type=click.IntRange(1, 10_000), default=5, show_default=True, help="Size of the simulated fleet."
)
@click.option("--days", type=click.IntRange(1, 1000), default=21, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def command(*, output: Path, hosts: int, days: int, seed: int) -> None:
    """A simulated fleet, marked as simulated, plus this host live: a home to look around in, with its report."""
    from healthkit import demo, reports

    started = datetime.now(UTC)
    click.echo(f"simulating {hosts} hosts over {days} days in {output}", err=True)
    truth = demo.write_demo(output, hosts=hosts, days=days, seed=seed)
    for period in _periods(truth.start, started):
        made = reports.make(output, "weekly", period=period.label, hosts=truth.hosts, now=_monday(period, started))
        click.echo(made, err=True)
    click.echo(f"measuring this host for {LIVE:g} seconds", err=True)
    _measure(output)
    here = load_config(output).host
    click.echo(reports.make(output, "weekly", period=Period.of("weekly", started).label, hosts=[here]), err=True)
    click.echo((output / "reports" / "index.html").absolute())


def _periods(start: datetime, now: datetime) -> list[Period]:
    """The ended weeks of which at least half was simulated, oldest first, at most three; the running one if there are none."""
    period = Period.of("weekly", now)
    ended: list[Period] = []
    while (period := period.previous()).start + timedelta(days=3.5) >= start and len(ended) < 3:
        ended.insert(0, period)
    return ended or [Period.of("weekly", now)]


def _monday(period: Period, now: datetime) -> datetime:
    """When the schedule would have made its report."""
    return min(period.end + timedelta(hours=2), now)


def _measure(home: Path) -> None:
    """Some samples of this machine, by the resident collector."""
    from healthkit.cli import resident

    settings = resident.settings(load_config(home), home, every=0.5, duration=LIVE)
    command = [sys.executable, "-P", "-m", "healthkit.cli.resident"]
    subprocess.run(command, input=json.dumps(settings | {"compact": None}), text=True, check=True)
