"""Alerts and reports that the old scripts send: safe on disk first, then tried for a few seconds, the rest follows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.config import Config, load_config
from healthkit.errors import ConfigError, ParameterError

if TYPE_CHECKING:
    from argparse import Namespace


def send_alert(home: Path, asked: Namespace) -> int:
    """Exit code 0 once it is on disk for every transport, or in the log of alerts where none is configured.

    Where the configuration cannot be used nobody will be told: it is kept in the log, and the exit code is 78.
    """
    if not asked.message.strip():
        raise ParameterError("--message is needed: what to say")
    labels = {"incident": asked.incident_id} if asked.incident_id else {}
    name = "Incident" if asked.incident_id else "Runbook"
    tell(home, asked.message, severity=asked.severity, name=name, labels=labels)
    return 0


def tell(home: Path, message: str, *, severity: str, name: str, labels: dict[str, str] | None = None) -> None:
    """Say something through every transport that is configured.

    Raises:
        ConfigError: The configuration cannot be used; the message is in the log of alerts all the same.
        StoreError: It could be kept nowhere.
    """
    from healthkit.cli import notifying

    about: dict[str, Any] = {"severity": severity, "name": name, "labels": labels or {}}
    try:
        outcomes = notifying.say(home, load_config(home), message, **about)
    except ConfigError:
        notifying.say(home, Config(), message, **about)
        raise
    for outcome in outcomes:
        sys.stderr.write(f"{outcome.transport}: {outcome.status}{f': {outcome.reason}' if outcome.reason else ''}\n")
    if not outcomes:
        sys.stderr.write("no transport is configured: it is in the log of alerts, and nobody was told\n")


def send_report(home: Path, asked: Namespace) -> int:
    """Exit code 0 once it is in the outbox, whether the server can be reached or not; 64 for a wrong address."""
    recipients = tuple(dict.fromkeys(address.strip() for address in asked.recipients.split(",") if address.strip()))
    if not recipients:
        raise ParameterError("--recipients is needed: addresses, with commas between them")
    from healthkit import reports
    from healthkit.cli.notifying import BRIEF

    outcome = reports.send_file(home, load_config(home), asked.send_report, recipients, seconds=BRIEF.seconds)
    sys.stderr.write(f"{outcome}\n")
    if outcome.queued:
        sys.stderr.write("what is queued is sent by the schedule, or by: healthkit outbox\n")
    return 0
