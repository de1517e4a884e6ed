"""`healthkit collect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from healthkit.schema import Reading


@click.command("collect")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.home
@options.format_
@click.option("--every", type=options.DurationType(), help="Stay and measure at this interval: 60s, 0.5s, 5m.")
@click.option("--for", "duration", type=options.DurationType(), help="Stop after this time.")
@click.option("--list", "list_", is_flag=True, help="List the collectors and what they measure.")
def command(
    *, names: tuple[str, ...], home: Path, format_: str, every: float | None, duration: float | None, list_: bool
) -> None:
    """Measure this host: one sample of everything or of the collectors named, or stay resident with --every."""
    from healthkit import collectors
    from healthkit.cli import resident
    from healthkit.config import load_config
    from healthkit.errors import ParameterError

    if list_:
        rows = [(name, m.name, m.kind, m.help) for name in collectors.names() for m in collectors.load(name).METRICS]
        if format_ == "json":
            output.write_json([dict(zip(("collector", "metric", "kind", "help"), row, strict=True)) for row in rows])
        else:
            output.write_table(["Collector", "Metric", "Kind", "What it is"], rows)
        return
    if duration is not None and every is None:
        raise ParameterError("--for needs --every: for how long, and how often")
    for name in names:
        collectors.load(name)
    settings = resident.settings(load_config(home), home, only=names, every=every, duration=duration)
    if every is not None:
        resident.become(settings)
    _, readings = resident.sample(settings)
    _show(readings, format_)


def _show(readings: list[Reading], format_: str) -> None:
    from healthkit.quantities import quantity
    from healthkit.schema import unit

    if format_ == "json":
        output.write_json([reading._asdict() for reading in readings])
    else:
        rows = [(reading.metric, reading.device, quantity(reading.value, unit(reading.metric))) for reading in readings]
        output.write_table(["Metric", "Device", "Value"], rows)
