"""`healthkit demo`."""

from __future__ import annotations

from pathlib import Path

import click


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

    click.echo(f"simulating {hosts} hosts over {days} days in {output}", err=True)
    demo.write_demo(output, hosts=hosts, days=days, seed=seed)
    live = output / "this-host"
    click.echo("measuring this host for 3 seconds", err=True)
    _measure(live)
    for home in (output, live):
        reports.make(home, "weekly")
    click.echo((output / "reports" / "index.html").absolute())


def _measure(home: Path) -> None:
    """A few samples of this machine, by the collector that resident collection uses."""
    raise NotImplementedError
