"""Notifications on their way: written down before the first try, kept until they arrived or were refused for good.

`HOME/notifications/<transport>/<time>-<id>.json` is one notification for one transport, so that one that is down holds up
no other. Of one transport they leave in order: an alert is not reported over before it was reported at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from healthkit.errors import StoreError
from healthkit.files import sync_folder, write_atomically

log = logging.getLogger(__name__)

GIVE_UP = timedelta(days=5)
"""How long a notification is retried."""
ESCALATED = "IncidentEscalated"
"""Name of a notification that goes to whoever is on call, too."""
PAUSES = (0.5, 2.0)
"""Seconds between the tries of one run; the next run tries again."""
_FORGOTTEN = 3600
"""Seconds after which a temporary file is nobody's any more."""


class NotDeliveredError(Exception):
    """A transport did not take a notification; *permanent* where another try is of no use."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(reason)


@dataclass(frozen=True)
class Notification:
    """What somebody is told."""

    name: str
    """Name of the rule, or of what sent it."""
    host: str
    status: Literal["firing", "resolved"]
    severity: str
    message: str
    """One line."""
    at: datetime
    """When it was made, UTC."""
    starts: datetime
    """When the alert began to fire."""
    ends: datetime
    """When it was over; while it fires, until when it holds unless it is told again."""
    labels: Mapping[str, str] = field(default_factory=dict)
    reminder: bool = False
    """Said before, for a receiver that forgets."""

    @property
    def key(self) -> str:
        """The same for the same event: what is handed in twice is sent once."""
        about = (self.name, self.host, self.status, self.starts.isoformat(), self.at.isoformat(), self.message)
        return hashlib.sha256("\0".join(about).encode("utf-8", "replace")).hexdigest()[:20]

    def as_dict(self) -> dict[str, Any]:
        """The JSON that a webhook gets: text, numbers and ISO times."""
        body = asdict(self) | {"labels": dict(self.labels), "key": self.key}
        return body | {name: body[name].isoformat() for name in ("at", "starts", "ends")}


Transport = Callable[[Notification], None]
"""Hands one over, or raises `NotDeliveredError`."""


@dataclass(frozen=True)
class Delivered:
    """What became of one notification at one transport."""

    transport: str
    notification: Notification
    status: Literal["delivered", "waiting", "refused"]
    reason: str = ""
    tries: int = 0


def queue(home: Path, notification: Notification, transports: Iterable[str]) -> None:
    """Write it down for every transport; when this returns it survives a crash.

    Raises:
        StoreError: It could not be written.
    """
    for transport in transports:
        folder = home / "notifications" / transport
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not any(folder.glob(f"*-{notification.key}.json")):
                path = folder / f"{time.time_ns():020d}-{notification.key}.json"
                _write(path, {"notification": notification.as_dict(), "tries": 0, "reason": ""})
        except OSError as error:
            raise StoreError(f"{folder}: the notification cannot be kept: {error}") from error


def waiting(home: Path) -> list[Delivered]:
    """What is still on its way, oldest first."""
    folders = sorted(p for p in (home / "notifications").glob("*") if p.is_dir())
    return [
        Delivered(folder.name, notification, "waiting", record["reason"], record["tries"])
        for folder in folders
        for _, record, notification in _queued(folder)
    ]


def deliver(
    home: Path, transports: Mapping[str, Transport], *, now: datetime, seconds: float = 60, tries: int = len(PAUSES) + 1
) -> list[Delivered]:
    """Try to hand over everything that waits, all transports at the same time.

    Args:
        home: Whose notifications.
        transports: By name.
        now: The time, UTC.
        seconds: After which we no longer wait for them; what has not arrived by then is tried on the next run.
        tries: How often each is tried now.
    """
    end = time.monotonic() + seconds
    couriers = [_Courier(home / "notifications" / name, transports[name], now, tries) for name in sorted(transports)]
    for courier in couriers:
        courier.start()
    found: list[Delivered] = []
    for courier in couriers:
        courier.join(max(end - time.monotonic(), 0))
        found += list(courier.outcomes)
    done = {(outcome.transport, outcome.notification.key) for outcome in found}
    return found + [w for w in waiting(home) if (w.transport, w.notification.key) not in done]


class _Courier(threading.Thread):
    """Empties one transport's folder. A daemon: a server that hangs must not hold up the program's exit."""

    def __init__(self, folder: Path, transport: Transport, now: datetime, tries: int) -> None:
        super().__init__(name=f"transport-{folder.name}", daemon=True)
        self.outcomes: list[Delivered] = []
        self._folder, self._transport, self._now, self._tries = folder, transport, now, tries

    def run(self) -> None:
        if not self._folder.is_dir():
            return
        try:
            with _locked(self._folder) as mine:
                if mine:
                    self._empty()
        except OSError as error:
            log.warning("%s: %s", self._folder, error)

    def _empty(self) -> None:
        for path in self._folder.glob(".*.tmp"):  # of a process that was killed while it wrote
            if time.time() - path.stat().st_mtime > _FORGOTTEN:
                path.unlink(missing_ok=True)
        for path, record, notification in list(_queued(self._folder)):
            outcome = self._try(path, record, notification)
            self.outcomes.append(outcome)
            if outcome.status == "waiting":
                return  # it is down; and what follows may be about the same alert
            path.unlink(missing_ok=True)
            sync_folder(self._folder)

    def _try(self, path: Path, record: dict[str, Any], notification: Notification) -> Delivered:
        reason, count = record["reason"], record["tries"]
        for again in range(self._tries):
            if again:
                time.sleep(PAUSES[min(again - 1, len(PAUSES) - 1)])
            count += 1
            try:
                self._transport(notification)
            except NotDeliveredError as error:
                reason = "".join(c if c.isprintable() else " " for c in str(error))[:300]
                if error.permanent:
                    return Delivered(self._folder.name, notification, "refused", reason, count)
                _write(path, record | {"tries": count, "reason": reason})
            else:
                return Delivered(self._folder.name, notification, "delivered", "", count)
        if self._now - notification.at > GIVE_UP:
            return Delivered(
                self._folder.name, notification, "refused", f"given up after {GIVE_UP.days} days: {reason}", count
            )
        return Delivered(self._folder.name, notification, "waiting", reason, count)


def _queued(folder: Path) -> Iterator[tuple[Path, dict[str, Any], Notification]]:
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            body = dict(record["notification"])
            body.pop("key", None)
            times = {name: datetime.fromisoformat(body[name]) for name in ("at", "starts", "ends")}
            yield path, record, Notification(**(body | times))
        except FileNotFoundError:
            continue  # another process delivered it just now
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: damaged, kept for a person to look at: %s", path, error)


def _write(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=True) + "\n"
    write_atomically(path, text, mode=0o600)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether this process alone delivers from the folder; another one that does will do it."""
    with (folder / ".lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
