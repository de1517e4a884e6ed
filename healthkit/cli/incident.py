"""`healthkit incident open|ack|close|list`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path


@click.group("incident")
def command() -> None:
    """What is done when a service is down, and what is remembered of it."""


@command.command("open")
@options.home
@options.format_
@click.option("--apply", is_flag=True, help="Restart what is down, within the budget. Without it nothing is restarted.")
@click.option("--service", help="Only this one.")
@click.option("--title", help="What is wrong, where every service answers.")
@click.option("--severity", type=click.Choice(["warning", "critical"]), help="Of an incident with a title.")
def open_(
    *, home: Path, format_: str, apply: bool, service: str | None, title: str | None, severity: str | None
) -> int:
    """See whether a service is down; if so keep the evidence, tell somebody, and with --apply restart it.

    Exit code 0 if nothing is wrong, 1 warning, 2 critical: it was down, also where it is up again; 3 could not tell.
    """
    from healthkit import procedures
    from healthkit.cli import notifying
    from healthkit.cli.run import show

    given = {"service": service, "title": title, "severity": severity, "restart": None if apply else "no"}
    chosen = {name: value for name, value in given.items() if value}
    done = procedures.run("incident", home, dry_run=False, options=chosen)
    notifying.hand_over_soon(home)
    if format_ == "json":
        output.write_json(done.as_dict())
    else:
        show(done)
    return done.exit_code


@command.command("ack")
@click.argument("name")
@options.home
def ack(*, name: str, home: Path) -> None:
    """Say that you are at it: the clock that calls whoever is on call begins anew."""
    from healthkit.alerts import escalations
    from healthkit.procedures import alone

    with alone(home, "incident"):
        incident = escalations.acknowledge(home, name, options.user(), now=datetime.now(UTC))
    click.echo(str(incident), err=True)


@command.command("close")
@click.argument("name")
@options.home
@click.option("--resolution", required=True, help="What ended it.")
@click.option("--cause", default="", help="Why it happened, if that is known already.")
def close(*, name: str, home: Path, resolution: str, cause: str) -> None:
    """Close an incident, and write the notebook of its post-mortem; prints the notebook's path."""
    from healthkit import postmortems
    from healthkit.alerts import escalations
    from healthkit.alerts.transports import names
    from healthkit.cli import notifying
    from healthkit.config import load_config
    from healthkit.procedures import alone

    config = load_config(home)
    with alone(home, "incident"):
        incident = escalations.close(
            home, name, resolution=resolution, cause=cause, who=options.user(), transports=names(config),
            now=datetime.now(UTC),
        )  # fmt: skip
    notifying.hand_over_soon(home)
    click.echo(str(incident), err=True)
    click.echo(postmortems.write(home, incident))


@command.command("list")
@options.home
@options.format_
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
def list_(*, home: Path, format_: str, everything: bool) -> None:
    """Incidents that are not closed, newest first."""
    from healthkit import incidents

    found = [incident for incident in incidents.every(home) if everything or not incident.closed]
    if format_ == "json":
        output.write_json([incident.as_dict() for incident in found])
        return
    rows = [(i.name, i.status, i.severity, f"{i.opened:%Y-%m-%d %H:%M} UTC", i.title) for i in found]
    output.write_table(["Incident", "Status", "Severity", "Opened", "What"], rows)
