"""A report to everybody on a list, each with the hosts and the severities that they asked for.

Who asked for some hosts gets the report of those: its own score, verdict and charts, not a part of the fleet's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit import fleets
from healthkit.config import Recipient, load_config
from healthkit.errors import ParameterError
from healthkit.findings import Severity
from healthkit.quantities import counted
from healthkit.reports import archive, delivery, editions, notebooks, outbox, outputs

if TYPE_CHECKING:
    from healthkit.reports.outputs import Shown

_RANKS = (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)


def circulate(
    home: Path,
    name: str,
    *,
    recipients: str,
    now: datetime | None = None,
    engine: str = "healthkit",
    timeout: float | None = 1800,
    **asked: Any,
) -> tuple[editions.Report, ...]:
    """Make a report and those of the selections, and mail them.

    Args:
        home: The home with metrics and configuration.
        name: The notebook.
        recipients: A list of `mail.recipients`: `weekly`, `monthly` or `quarterly`.
        now: The time of all of them, UTC.
        engine: As of `editions.make`.
        timeout: Seconds for each.
        asked: Whatever `editions.order` takes.

    Returns:
        The whole report first.

    Raises:
        ParameterError, ConfigError: Before any cell runs.
        ReportError: One of them failed; the operators were told, and nobody got it.
        NotDelivered: All were made, but mail is queued or was refused.
    """
    config = load_config(home)
    listed = config.mail.recipients.of(recipients)
    if not listed:
        raise ParameterError(f"mail.recipients.{recipients} names nobody")
    delivery.check_mail(config.mail, [one.address for one in listed])
    moment = now or datetime.now(UTC)
    made = []
    with fleets.kept():
        for hosts in ((), *dict.fromkeys(one.hosts for one in listed if one.hosts)):
            started = time.monotonic()
            placed = editions.order(home, name, now=moment, **asked | ({"hosts": hosts} if hosts else {}))
            notebook = editions.run(placed, engine=engine, timeout=timeout)
            made.append((editions.finish(placed, notebook, started=started), outputs.shown(notebook), hosts))
    reports, outcomes = [], []  # nobody gets anything before all are there
    for report, sections, hosts in made:
        letter = _Letter(home, moment, sections, report.html)
        outcomes.append(letter.send(one for one in listed if one.hosts == hosts))
        reports.append(replace(report, sent_to=outcomes[-1].sent))
    whole = outbox.joined(outcomes)
    if whole.queued or whole.refused:
        raise editions.NotDelivered(reports[0], whole)
    return tuple(reports)


def send_again(
    home: Path, file: Path, *, to: Sequence[str] = (), recipients: str | None = None, now: datetime | None = None
) -> outbox.Delivery:
    """Mail a report of the archive. Who has it already does not get it twice: it is the same message.

    Args:
        home: The home with the configuration.
        file: Its page, notebook or record.
        to: Addresses.
        recipients: Or a list of `mail.recipients`: those on it who asked for the hosts of this report.
        now: The time, UTC.

    Raises:
        ParameterError: There is no such report, or it failed, or nobody is to get it.
    """
    config = load_config(home)
    at = archive.Place(file.parent, file.name.removesuffix(file.suffix))
    if not (at.notebook.is_file() and at.html.is_file() and at.record.is_file()):
        raise ParameterError(f"{file}: not a report of the archive: page, notebook and record must be there")
    record = json.loads(at.record.read_text(encoding="utf-8"))
    if record.get("failed"):
        raise ParameterError(f"{file}: this report failed; it is mailed to nobody")
    people = [Recipient(address=address) for address in to]
    if recipients:
        people += [one for one in config.mail.recipients.of(recipients) if list(one.hosts) == record.get("asked", [])]
    if not people:
        raise ParameterError(f"mail.recipients.{recipients} names nobody who gets the report of these hosts")
    sections = outputs.shown(notebooks.read(at.notebook))
    return _Letter(home, now or datetime.now(UTC), sections, at.html).send(people)


@dataclass(frozen=True, slots=True)
class _Letter:
    """What a report says, on its way to people."""

    home: Path
    now: datetime
    sections: Sequence[Shown]
    page: Path

    def send(self, people: Iterable[Recipient]) -> outbox.Delivery:
        """One message for each severity that is asked for."""
        by_severity: dict[Severity, dict[str, None]] = {}
        for one in people:
            by_severity.setdefault(Severity(one.severity), {})[one.address] = None
        return outbox.joined(
            editions.mail(select(self.sections, least), self.page, tuple(addresses), home=self.home, now=self.now)
            for least, addresses in by_severity.items()
        )


def select(sections: Iterable[Shown], least: Severity) -> tuple[Shown, ...]:
    """The sections with nothing that needs a hand and is less severe than *least*; how much that is, is said."""
    if least is Severity.UNKNOWN:
        return tuple(sections)
    wanted = {severity.value for severity in _RANKS[: _RANKS.index(least) + 1]}
    return tuple(_part(section, wanted) if section.name == "attention" else section for section in sections)


def _part(attention: Shown, wanted: set[str]) -> Shown:
    rows = attention.data.get("rows", ())
    kept = [row for row in rows if row.get("severity") in wanted]
    left = len(rows) - len(kept)
    lines = [f"{row.get('host')}: {row.get('severity')}: {row.get('subject')}: {row.get('message')}" for row in kept]
    note = f"{counted(left, 'less severe finding is', 'less severe findings are')} in the full report." if left else ""
    text = "\n".join([*(lines or ["Nothing as severe as you asked for."]), *filter(None, [note])])
    return replace(attention, text=text, data={**attention.data, "rows": kept, "note": note})
