"""What happened and nobody measured: a deployment, a change of hardware, an incident. Kept in `events` of health.db.

>>> import tempfile
>>> home, at = Path(tempfile.mkdtemp()), datetime(2026, 11, 23, 12, tzinfo=UTC)
>>> annotate(home, "deployed 2.4", at=at, host="web-1")
Event(at=datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.timezone.utc), text='deployed 2.4', host='web-1', kind='note')
>>> [event.text for event in events(home, start=at)]
['deployed 2.4']
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from healthkit.errors import ParameterError
from healthkit.state import State

LONGEST = 200
"""Characters of an event's text: it stands beside a line of a chart."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    at: datetime
    """UTC."""
    text: str
    """One line of printable characters."""
    host: str = ""
    """Where; empty: everywhere."""
    kind: str = "note"
    """`note` of a person or a deployment script, `incident` of ours."""

    @property
    def mark(self) -> tuple[float, str]:
        """As `Chart.marks` has it: seconds since 1970 UTC, and the text."""
        return self.at.timestamp(), self.text


def annotate(
    home: Path, text: str, *, at: datetime | None = None, host: str = "", kind: str = "note", who: str = ""
) -> Event:
    """Keep that something happened.

    Args:
        home: The home.
        text: What; made one line.
        at: When, aware; default: now.
        host: Where; empty: on every host.
        kind: See `Event.kind`.
        who: Who says so.

    Raises:
        ParameterError: There is no text, too much of it, or the time has no zone.
        StoreError: It could be kept neither in the database nor in the spool.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not line or len(line) > LONGEST:
        raise ParameterError(f"an event is a line of 1 to {LONGEST} characters, this one has {len(line)}")
    moment = at or datetime.now(UTC)
    if moment.tzinfo is None:
        raise ParameterError(f"{moment} has no time zone")
    event = Event(moment.astimezone(UTC), line.encode("utf-8", "replace").decode(), host, kind)
    with State(home) as state:
        row = {"ts": event.at, "host": event.host, "kind": event.kind, "text": event.text}
        state.record("events", {**row, "detail": {"who": who}})
    return event


def events(
    home: Path, *, start: datetime, end: datetime | None = None, hosts: Collection[str] | None = None
) -> tuple[Event, ...]:
    """What happened in a time, oldest first.

    Args:
        home: The home.
        start: From when on, aware.
        end: Before when; None: without end.
        hosts: Only there; what happened everywhere is always among it. None: all.

    Raises:
        StoreError: The database cannot be read.
    """
    if not (home / "health.db").exists():
        return ()
    with State(home) as state:
        rows = state.records("events", since=start, until=end)
    found = [Event(row["ts"], row["text"] or "", row["host"] or "", row["kind"] or "note") for row in rows]
    return tuple(e for e in reversed(found) if hosts is None or not e.host or e.host in hosts)
