"""Is an incident open, and has somebody said why the last ones happened?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable
from healthkit.errors import StoreError
from healthkit.findings import Finding, Severity
from healthkit.incidents import folder, load
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from healthkit.checks import Context
    from healthkit.incidents import Incident

COMPONENT = "operations"

UNEXPLAINED = timedelta(days=3)
"""How long an incident may be over before it is pointed out that nobody closed it with its cause."""


def check(context: Context) -> Iterator[Finding]:
    """Incidents on record, from `HOME/logs/incidents`: the open ones, and those that are over and not closed."""
    known, damaged = [], []
    for path in sorted(folder(context.home).glob("INC-*.json"), reverse=True):
        try:
            known.append(load(context.home, path.stem))
        except StoreError as error:
            damaged.append((path, str(error)))
    for path, reason in damaged:
        hint = f"Its text is in {path.with_suffix('.log')}; move {path} away when you have read it."
        yield Finding("incidents", Severity.UNKNOWN, path.stem, f"could not tell: {reason}", hint=hint)
    left = [one for one in known if one.closed is None and one.host in ("", context.subject_host)]
    for incident in left:
        yield _judge(context, incident)
    if not left and not damaged:
        yield not_applicable("incidents", "incidents", "no incident is open")


def _judge(context: Context, incident: Incident) -> Finding:
    since = incident.resolved or incident.opened
    age = context.now - since
    words = quantity(max(age.total_seconds(), 0), "seconds")
    if incident.resolved is None:
        severity = Severity.CRITICAL if incident.severity == "critical" else Severity.WARNING
        message, hint = f"open for {words}: {incident.title}", "See its timeline: healthkit incident list."
    else:
        severity = Severity.WARNING if age > UNEXPLAINED else Severity.INFO
        message = f"over for {words}, and nobody has said why it happened: {incident.title}"
        hint = f"Say it while it is remembered: healthkit incident close {incident.name}."
    return Finding(
        "incidents", severity, incident.name, message, value=age / timedelta(days=1), unit="days",
        evidence={"source": "logs/incidents", "threshold": UNEXPLAINED / timedelta(days=1)}, hint=hint,
    )  # fmt: skip
