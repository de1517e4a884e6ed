"""`healthkit schedule show|install|remove`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from healthkit.schedule.installing import Change, Kind
    from healthkit.schedule.tasks import Task


@click.group("schedule")
def command() -> None:
    """Start the maintenance tasks at their times, by cron or by systemd."""


def _kinds(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--cron` or `--systemd`, and `--root`."""
    function = click.option(
        "--root", type=click.Path(file_okay=False, path_type=Path), default="/", help="Another system's tree."
    )(function)
    function = click.option("--systemd", "kind", flag_value="systemd", help="systemd timers.")(function)
    return click.option("--cron", "kind", flag_value="cron", help="A file for cron [default: what runs here].")(
        function
    )


@command.command("show")
@options.home
@options.format_
@_kinds
def show(*, home: Path, format_: str, kind: Kind | None, root: Path) -> None:
    """The tasks, their times and last runs; with --cron or --systemd the files that install would write."""
    from healthkit.config import load_config
    from healthkit.schedule import installing
    from healthkit.schedule.places import Place

    config = load_config(home)
    if kind is None:
        _show_tasks(home, format_)
        return
    files = installing.plan(kind, Place(home), config, root=root)
    if format_ == "json":
        output.write_json({str(path): text for path, text in files.items()})
        return
    for path, text in files.items():
        click.echo(text if kind == "cron" else f"### {path}\n{text}")


@command.command("install")
@options.home
@_kinds
def install(*, home: Path, kind: Kind | None, root: Path) -> None:
    """Write and start the schedule, in place of an earlier one."""
    from healthkit.config import load_config
    from healthkit.schedule import installing, tasks
    from healthkit.schedule.places import Place

    config = load_config(home)
    _report(installing.install(kind or installing.choose(root), Place(home), config, root=root))
    for task in tasks.every(config.schedule.notebooks):
        if task.lacks:
            click.echo(f"not installed: {task.name}: this version has no `{task.lacks}`", err=True)


@command.command("remove")
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), default="/", help="Another system's tree.")
def remove(*, root: Path) -> None:
    """Delete what install wrote, and nothing else."""
    from healthkit.schedule import installing

    _report(installing.remove(root=root))


def _report(change: Change) -> None:
    for path in change.written:
        click.echo(path)
    for path in change.removed:
        click.echo(f"removed {path}", err=True)
    for note in change.notes:
        click.echo(note, err=True)


def _show_tasks(home: Path, format_: str) -> None:
    from datetime import UTC, datetime

    from healthkit.config import load_config
    from healthkit.schedule import tasks
    from healthkit.state import State

    now, known = datetime.now(UTC), tasks.every(load_config(home).schedule.notebooks)
    with State(home) as state:
        last = {} if state.problem else {task.name: state.last_task_run(task.name) for task in known}
    if format_ == "json":
        output.write_json([_row(task, last.get(task.name), now) for task in known])
        return
    table = []
    for task in known:
        run = last.get(task.name)
        following = f"not built: {task.lacks}" if task.lacks else f"{task.calendar.following(now):%Y-%m-%d %H:%M} UTC"
        ran = f"{run['status']} {run['started']:%Y-%m-%d %H:%M}" if run else "never"
        table.append((task.name, task.calendar.cron, following, ran))
    output.write_table(["Task", "Times", "Next, by systemd", "Last run"], table)


def _row(task: Task, run: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    return {
        "task": task.name,
        "what": task.what,
        "cron": task.calendar.cron,
        "systemd": task.calendar.systemd,
        "next": task.calendar.following(now),
        "command": f"healthkit {' '.join(task.command)}",
        "lacks": task.lacks,
        "last": run["started"] if run else None,
        "status": run["status"] if run else None,
    }
