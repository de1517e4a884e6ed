"""`healthkit task NAME`: what the schedule calls."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from healthkit.config import Config
    from healthkit.schedule.tasks import Task


@click.command("task")
@click.argument("name", required=False)
@options.home
@options.format_
@click.option("--due", is_flag=True, help="Run what was missed while the host was down, each once.")
@click.option("--zone", default="UTC", show_default=True, help="Of the due times: UTC, Europe/Berlin, or local.")
@click.option(
    "--random-delay",
    type=options.DurationType(),
    default="0s",
    help="Wait up to so long before, so that a fleet does not start at once.",
)
def command(*, name: str | None, home: Path, format_: str, due: bool, zone: str, random_delay: float) -> int:
    """Run a maintenance task: alone, with a time-out, recorded, and alerting where it fails. Without a name, list them.

    Exit code 0, 1 if it failed, 75 if it runs already. It prints only when it failed.
    """
    from healthkit.config import load_config
    from healthkit.schedule import runs, tasks

    if due:
        config = load_config(home)
        delay = float(config.schedule.random_delay)
        late = runs.missed(
            tasks.ready(config.schedule.notebooks), home, now=datetime.now(UTC), zone=_zone(zone), delay=delay
        )
        return max((_run(task, home, config, format_) for task in late), default=0)
    if name is None:
        for task in tasks.every(load_config(home).schedule.notebooks):
            click.echo(f"{task.name}: {task.what}" + (f" (not built: {task.lacks})" if task.lacks else ""))
        return 0
    task = tasks.task(name, load_config(home).schedule.notebooks)
    time.sleep(random.uniform(0, random_delay))  # noqa: S311 - nobody gains by guessing it
    return _run(task, home, load_config(home), format_)


def _run(task: Task, home: Path, config: Config, format_: str) -> int:
    from dataclasses import asdict

    from healthkit.errors import HealthkitError
    from healthkit.schedule import runs
    from healthkit.schedule.places import Place

    try:
        result = runs.run(task, Place(home), config)
    except runs.TaskBusy as error:
        click.echo(str(error), err=True)
        return error.exit_code
    if not task.often:
        try:
            _alert(home, config)
        except (HealthkitError, OSError) as error:  # the task did what it did, and its record says so
            click.echo(f"alerts: {error}", err=True)
    if format_ == "json":
        output.write_json(asdict(result))
    elif result.status == "failed":
        click.echo(f"{result}\n{result.output}", err=True)
    return 0 if result.status == "ok" else 1


def _alert(home: Path, config: Config) -> None:
    """Judge the rules now: a task that failed has just become one of their values."""
    from healthkit.cli import notifying

    notifying.look(home, config)


def _zone(name: str) -> tzinfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from healthkit.errors import ParameterError

    if name == "local":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ParameterError(f"unknown time zone {name!r}") from error
