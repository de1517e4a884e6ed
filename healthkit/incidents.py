"""Incidents: what happened, when, and what was done about it; each a file of its own, outside any database.

`HOME/logs/incidents/INC-<time>.json`, beside it `.log` for people and a folder with the evidence. The table `incidents` of
health.db is a copy for reports: an incident may be that the database is broken.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from healthkit.errors import ParameterError, StoreError
from healthkit.files import write_atomically
from healthkit.state import State

log = logging.getLogger(__name__)

Level = Literal["warning", "critical"]
STAMP = "%Y%m%d-%H%M%S"
"""As the runbook names an incident, in UTC."""


class Entry(Struct, frozen=True):
    """One line of an incident's timeline."""

    at: datetime
    """UTC."""
    kind: str
    """`opened`, `evidence`, `restart`, `told`, `escalated`, `exhausted`, `acknowledged`, `resolved`, `reopened`, `closed`, `note`."""
    text: str
    service: str = ""


class Incident(Struct, frozen=True):
    """One incident, as it stands."""

    name: str
    """`INC-20261124-140000`"""
    host: str
    severity: Level
    title: str
    """What is wrong, in a sentence."""
    opened: datetime
    services: tuple[str, ...] = ()
    """Which are, or were, down."""
    acknowledged: datetime | None = None
    resolved: datetime | None = None
    """Since when everything answers again."""
    closed: datetime | None = None
    resolution: str = ""
    cause: str = ""
    timeline: tuple[Entry, ...] = ()

    @property
    def status(self) -> str:
        """`open`, `resolved` (everything answers again), or `closed` (somebody said why)."""
        return "closed" if self.closed else "resolved" if self.resolved else "open"

    def add(self, kind: str, text: str, *, at: datetime | None = None, service: str = "", **changes: Any) -> Incident:
        """With one more line, and what it changes."""
        flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:1000]
        line = Entry(at or datetime.now(UTC), kind, flat.encode("utf-8", "replace").decode(), service)
        return replace(self, timeline=(*self.timeline, line), **changes)

    def when(self, *kinds: str) -> datetime | None:
        """Time of the newest line of one of these kinds."""
        return max((line.at for line in self.timeline if line.kind in kinds), default=None)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**msgspec.to_builtins(self), "status": self.status}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        rows = [(f"{line.at:%Y-%m-%d %H:%M:%S}", line.kind, line.service, line.text) for line in self.timeline]
        return bundle("incident", str(self), self.as_dict(), columns=("UTC", "", "Service", "What"), rows=rows)

    def __str__(self) -> str:
        end = self.resolved or self.closed
        lasted = f", down for {_words(end - self.opened)}" if end else ""
        why = f" Cause: {self.cause}." if self.cause else ""
        done = f" Resolution: {self.resolution}." if self.resolution else ""
        return f"{self.name} on {self.host}, {self.status}, {self.severity}{lasted}: {self.title}.{why}{done}"


def folder(home: Path) -> Path:
    """Where they lie."""
    return home / "logs" / "incidents"


def load(home: Path | str, name: str) -> Incident:
    """One incident.

    Raises:
        ParameterError: There is none of this name.
        StoreError: Its file is damaged.
    """
    path = folder(Path(home)) / f"{name}.json"
    if Path(name).name != name or not path.is_file():
        raise ParameterError(f"there is no incident {name!r}; see them: healthkit incident list")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Incident)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def every(home: Path, *, since: datetime | None = None) -> list[Incident]:
    """All of them, newest first; those of a damaged file are left out, with a warning.

    Args:
        home: The home.
        since: Only those that were opened at this time or later.
    """
    found = []
    for path in sorted(folder(home).glob("INC-*.json"), reverse=True):
        try:
            incident = load(home, path.stem)
        except (StoreError, OSError) as error:
            log.warning("%s", error)
            continue
        if since is None or incident.opened >= since:
            found.append(incident)
    return found


def save(home: Path, incident: Incident) -> None:
    """Keep it, and copy it into health.db where that can be written.

    Raises:
        OSError: The file cannot be written.
    """
    place = folder(home)
    place.mkdir(mode=0o750, parents=True, exist_ok=True)
    lines = [f"{incident.name} on {incident.host}: {incident.title}"]
    lines += [
        f"{e.at:%Y-%m-%dT%H:%M:%S.%fZ} {e.kind}: {f'{e.service}: ' if e.service else ''}{e.text}"
        for e in incident.timeline
    ]
    write_atomically(place / f"{incident.name}.log", "\n".join(lines) + "\n", mode=0o640)
    write_atomically(
        place / f"{incident.name}.json", json.dumps(incident.as_dict() | {"status": None}, indent=1) + "\n", mode=0o640
    )
    values = {
        "closed": incident.closed,
        "severity": incident.severity,
        "title": incident.title,
        "detail": incident.as_dict(),
    }
    with State(home, timeout=1) as state:
        try:
            rows = [] if state.problem else state.records("incidents", incident=incident.name, limit=1)
            if rows:
                state.update("incidents", rows[0]["id"], **values)
            elif not state.problem:
                about = {"incident": incident.name, "host": incident.host, "opened": incident.opened}
                state.record("incidents", {**about, **values})
        except StoreError as error:
            log.warning("%s is not in health.db: %s", incident.name, error)


def restarts(home: Path, service: str, *, now: datetime) -> int:
    """How often a service was restarted in the last hour, by any incident; what lies in the future counts too.

    That is a clock which was set back, and no reason to begin anew.
    """
    since = now - timedelta(hours=1)
    return sum(
        line.kind == "restart" and line.service == service and line.at > since
        for incident in every(home)[:100]
        for line in incident.timeline
    )


def _words(span: timedelta) -> str:
    from healthkit.quantities import quantity

    return quantity(max(span.total_seconds(), 0), "seconds")
