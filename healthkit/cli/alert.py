"""`healthkit alert list|check|send|silence|test`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from healthkit.alerts.notifications import Delivered
    from healthkit.alerts.states import Alert

_QUEUED = 75


@click.group("alert")
def command() -> None:
    """Watch rules, tell somebody, and keep quiet for a while."""


@command.command("list")
@options.home
@options.format_
def list_(*, home: Path, format_: str) -> None:
    """Every rule and its state, what could not be told, silences, and notifications on their way."""
    from healthkit.alerts import logs, notifications
    from healthkit.alerts.rules import load_rules
    from healthkit.alerts.states import Alert
    from healthkit.config import load_config
    from healthkit.state import State

    config, now = load_config(home), datetime.now(UTC)
    rules = load_rules(home)
    with State(home) as state:
        known = {name: alert for name, (_, alert) in logs.read_alerts(state, config.host, now=now).items()}
        silences = logs.read_silences(state, now=now)
    alerts = [
        known.get(r.name, Alert(r.name, config.host, severity=r.severity, unknown="not judged yet")) for r in rules
    ]
    queued = notifications.waiting(home)
    if format_ == "json":
        rows = [
            {**_plain(alert), "condition": rule.condition, "silenced": any(s.covers(alert.name, now) for s in silences)}
            for rule, alert in zip(rules, alerts, strict=True)
        ]
        output.write_json(
            {"alerts": rows, "silences": [_plain(s) for s in silences], "waiting": [_told(o) for o in queued]}
        )
        return
    _write(alerts)
    for silence in silences:
        click.echo(f"silenced: {silence}")
    for one in queued:
        click.echo(f"on its way: {one.notification.name} by {one.transport}: {one.reason or 'not tried yet'}")


@command.command("check")
@options.home
@options.format_
def check(*, home: Path, format_: str) -> int:
    """Judge every rule now, and tell whom it concerns; the schedule does so every five minutes.

    Exit code 0, or 75 if a notification is still on its way.
    """
    from healthkit.cli import notifying
    from healthkit.config import load_config

    config = load_config(home)
    found, outcomes = notifying.look(home, config)
    if format_ == "json":
        data = {"alerts": [_plain(a) for a in found.alerts], "notifications": [_told(o) for o in outcomes]}
        output.write_json(data)
    else:
        _write(found.alerts)
        _say(outcomes)
    if found.problem:
        click.echo(f"states are not kept: {found.problem}", err=True)
    return _QUEUED if any(o.status == "waiting" for o in outcomes) else 0


@command.command("send")
@options.home
@options.format_
@click.option("--message", required=True, help="What to say.")
@click.option(
    "--severity", type=click.Choice(["info", "warning", "high", "critical"]), default="warning", show_default=True
)
@click.option("--name", default="Message", show_default=True, help="What sends it.")
@click.option("--incident-id", default="", help="The incident it belongs to.")
def send(*, home: Path, format_: str, message: str, severity: str, name: str, incident_id: str) -> int:
    """Say something through every transport: written down first, then tried for a few seconds; the rest follows."""
    from healthkit.cli import notifying
    from healthkit.config import load_config

    labels = {"incident": incident_id} if incident_id else {}
    config = load_config(home)
    outcomes = notifying.say(home, config, message, severity=severity, name=name, labels=labels)
    if not notifying.transports(home, config):
        click.echo("no transport is configured: it is in the log of alerts, and nobody was told", err=True)
    if format_ == "json":
        output.write_json([_told(outcome) for outcome in outcomes])
    else:
        _say(outcomes)
    return 0


@command.command("silence")
@click.argument("name")
@options.home
@click.option("--for", "duration", type=options.DurationType(), help="How long: 2h.")
@click.option("--from", "start", help="When it begins, ISO 8601 [default: now].")
@click.option("--reason", default="", help="Why; shown wherever the silence is.")
@click.option("--lift", is_flag=True, help="End it now.")
def silence(*, name: str, home: Path, duration: float | None, start: str | None, reason: str, lift: bool) -> None:
    """Tell nobody of the alert NAME for a while; a pattern such as '*' is a maintenance window."""
    from healthkit.alerts import logs
    from healthkit.errors import ParameterError
    from healthkit.state import State

    now = datetime.now(UTC)
    if lift:
        with State(home) as state:
            click.echo(f"{logs.lift_silences(state, name, now=now)} silences of {name} ended", err=True)
        return
    if not duration:
        raise ParameterError("--for is needed: for how long, such as 2h")
    _check_rule(home, name)
    begins = options.moment(start) if start else now
    kept = logs.Silence(name, begins, begins + timedelta(seconds=duration), reason, options.user())
    with State(home) as state:
        logs.add_silence(state, kept)
    click.echo(f"silenced: {kept}", err=True)


@command.command("test")
@options.home
@options.format_
def test(*, home: Path, format_: str) -> int:
    """Send one through every transport and say which worked: exit code 1 if one did not."""
    from healthkit.alerts.notifications import NotDeliveredError, Notification
    from healthkit.cli import notifying
    from healthkit.config import load_config

    config, now = load_config(home), datetime.now(UTC)
    message = f"This is a test by healthkit on {config.host}: nothing is wrong."
    outcomes = []
    ends = now + timedelta(minutes=1)
    for name, transport in notifying.transports(home, config, at_once=True).items():
        try:
            transport(Notification("HealthkitTest", config.host, "firing", "info", message, now, now, ends))
            outcomes.append({"transport": name, "ok": True, "reason": ""})
        except NotDeliveredError as error:
            outcomes.append({"transport": name, "ok": False, "reason": str(error)})
    if format_ == "json":
        output.write_json(outcomes)
    elif outcomes:
        rows = [(o["transport"], "worked" if o["ok"] else "failed", o["reason"]) for o in outcomes]
        output.write_table(["Transport", "Result", "Reason"], [tuple(map(str, row)) for row in rows])
    else:
        click.echo("no transport is configured: see mail.recipients.operators and alerting in healthkit.yaml", err=True)
    return 0 if outcomes and all(o["ok"] for o in outcomes) else 1


def _check_rule(home: Path, name: str) -> None:
    """A silence that fits no rule is most likely a mistyped one."""
    from fnmatch import fnmatchcase

    from healthkit.alerts.rules import load_rules
    from healthkit.errors import ParameterError

    known = [rule.name for rule in load_rules(home)]
    if not any(fnmatchcase(rule, name) for rule in known):
        raise ParameterError(f"no rule is named {name!r}: there are {', '.join(known)}, or '*' for all")


def _say(outcomes: Sequence[Delivered]) -> None:
    for outcome in outcomes:
        reason = f": {outcome.reason}" if outcome.reason else ""
        click.echo(f"{outcome.notification.name} by {outcome.transport}: {outcome.status}{reason}", err=True)


def _write(alerts: Iterable[Alert]) -> None:
    """A row each; what does not fire and could not be judged is unknown, not inactive."""
    rows = [
        ("unknown" if a.unknown and not a.active else a.status, a.severity, a.name, a.message, a.unknown)
        for a in alerts
    ]
    output.write_table(["Status", "Severity", "Name", "Message", "Cannot tell because"], rows)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


def _told(outcome: Delivered) -> dict[str, Any]:
    return {
        "transport": outcome.transport,
        "status": outcome.status,
        "reason": outcome.reason,
        "tries": outcome.tries,
        **{k: v for k, v in outcome.notification.as_dict().items() if k != "status"},
    }
