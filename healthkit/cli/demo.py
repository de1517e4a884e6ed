"""`healthkit demo`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from healthkit.config import load_config
from healthkit.periods import Cadence, Period

LIVE = 3.0
"""Seconds that this host is measured."""


REPORTS: dict[Cadence, int] = {"weekly": 3, "monthly": 1, "quarterly": 1}
"""How many of each the simulated fleet gets."""
FINE = 45
"""Days up to which a sample is made every five minutes; every hour for a longer history."""
LOOKS = ("security_review", "configuration_review", "optimization_review")
"""Procedures that only read, are quick, and say of which host they speak: others would put the simulated fleet into the
reports of this one."""


@click.command("demo")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default="healthkit-demo", show_default=True)
@click.option(
    "--hosts", type=click.IntRange(1, 10_000), default=5, show_default=True, help="Size of the simulated fleet."
)
@click.option("--days", type=click.IntRange(1, 1000), default=182, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def command(*, output: Path, hosts: int, days: int, seed: int) -> None:
    """A simulated fleet, marked as simulated, plus this host live: a home to look around in, with all three reports."""
    from healthkit import demo, procedures, reports

    started = datetime.now(UTC)
    click.echo(f"simulating {hosts} hosts over {days} days in {output}", err=True)
    truth = demo.write_demo(output, hosts=hosts, days=days, seed=seed, every="5min" if days <= FINE else "1h")
    for period in _periods(truth.start, truth.end):
        now = min(period.end + timedelta(hours=2), truth.end)  # when the schedule would have made it
        click.echo(reports.make(output, period.cadence, period=period.label, hosts=[demo.GROUP], now=now), err=True)
    click.echo(f"measuring this host for {LIVE:g} seconds, and looking at it: {', '.join(LOOKS)}", err=True)
    _measure(output)
    for look in LOOKS:
        procedures.run(look, output)
    here = load_config(output).host
    for cadence in REPORTS:
        period = Period.of(cadence, started)
        click.echo(reports.make(output, cadence, period=period.label, hosts=[here]), err=True)
    click.echo((output / "reports" / "index.html").absolute())


def _periods(start: datetime, end: datetime) -> list[Period]:
    """The last three weeks, the last month and the last quarter, oldest first, of which at least half was simulated.

    Ended ones; where there is none, the running one, and the running quarter always: that is where things happen.
    """
    found = [Period.of("quarterly", end - timedelta(seconds=1))]
    for cadence, most in REPORTS.items():
        period = Period.of(cadence, end)
        ended: list[Period] = []
        while len(ended) < most and (period := period.previous()).start + (period.end - period.start) / 2 >= start:
            ended.insert(0, period)
        found += ended or [Period.of(cadence, end - timedelta(seconds=1))]
    return sorted(dict.fromkeys(found), key=lambda period: period.end)


def _measure(home: Path) -> None:
    """Some samples of this machine, by the resident collector."""
    from healthkit.cli import resident

    settings = resident.settings(load_config(home), home, every=0.5, duration=LIVE)
    command = [sys.executable, "-P", "-m", "healthkit.cli.resident"]
    subprocess.run(command, input=json.dumps(settings | {"compact": None}), text=True, check=True)
