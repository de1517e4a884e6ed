"""Mail on its way: written down before the first try, kept until every recipient has it or was refused for good.

`HOME/outbox/<id>.eml` is the message, `<id>.json` what became of it for each recipient. The name is made from the
Message-ID, so a message that was sent is never sent to the same recipient again, however often it is handed in. What is
settled loses its `.eml` at once and its record after `REMEMBERED`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from healthkit.config import Config, load_config
from healthkit.quantities import counted
from healthkit.reports import delivery, files

log = logging.getLogger(__name__)

GIVE_UP = timedelta(days=5)
"""How long a message is retried (RFC 5321, 4.5.4.1: at least four to five days)."""
REMEMBERED = timedelta(days=90)
"""How long it is remembered what was sent."""
_FORGOTTEN = 600
"""Seconds after which a message without a record is nobody's any more: `keep` writes without holding the lock."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of messages."""

    sent: tuple[str, ...] = ()
    """Recipients whose server took it, now or earlier."""
    queued: Mapping[str, str] = field(default_factory=dict)
    """Recipients it is kept for, with the reason."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Recipients it will never reach, with the reason."""

    def __str__(self) -> str:
        parts = [f"sent to {counted(len(self.sent), 'recipient')}"] if self.sent else []
        for word, some in (("queued", self.queued), ("refused", self.refused)):
            parts += [f"{word} for {name}: {why}" for name, why in some.items()]
        return "; ".join(parts) or "nothing to send"


def joined(outcomes: Iterable[Delivery]) -> Delivery:
    """What became of several messages together."""
    sent: dict[str, None] = {}
    queued: dict[str, str] = {}
    refused: dict[str, str] = {}
    for outcome in outcomes:
        sent |= dict.fromkeys(outcome.sent)
        queued |= outcome.queued
        refused |= outcome.refused
    return Delivery(tuple(sent), queued, refused)


def send(
    home: Path, config: Config, message: EmailMessage, recipients: Sequence[str], *, now: datetime | None = None
) -> Delivery:
    """Spool a message and try to deliver it at once.

    Args:
        home: Home whose outbox keeps it.
        config: The server, and the name of this host.
        message: With Message-ID. What was sent under this id before is not sent again.
        recipients: Addresses; each gets it in a transaction of its own.
        now: The time, UTC.

    Raises:
        ConfigError, ParameterError: Before anything is written: see `delivery.check_mail`.
    """
    now = now or datetime.now(UTC)
    delivery.check_mail(config.mail, recipients)
    with files.locked(_folder(home)):
        files.sweep(_folder(home))
        path = _spool(home, message, recipients, now)
        _try(home, config, [path], now)
        return _outcome([path], set(recipients))


def keep(home: Path, message: EmailMessage, recipients: Sequence[str], *, now: datetime) -> Path:
    """Spool a message and wait for nobody, not even for a process that is delivering: its record.

    A message that is there already, settled or not, is left as it is.

    Raises:
        OSError: The outbox cannot be written.
    """
    path = _path(home, message)
    while not path.exists():
        with suppress(FileNotFoundError):  # whoever holds the lock takes an unfinished file for a killed run's
            return _spool(home, message, recipients, now)
    return path


def deliver(home: Path, config: Config, path: Path, *, now: datetime) -> None:
    """Try to deliver one message that was kept."""
    with files.locked(_folder(home)):
        _try(home, config, [path], now)


def outcome(path: Path) -> Delivery:
    """What became of one message so far."""
    return _outcome([path])


def flush_outbox(
    home: Path, *, config: Config | None = None, now: datetime | None = None, force: bool = False
) -> Delivery:
    """Try again what is due.

    Args:
        home: Whose outbox.
        config: The server, and the name of this host; default: the home's own.
        now: The time, UTC.
        force: Also what is not due yet.
    """
    now = now or datetime.now(UTC)
    if not _folder(home).is_dir():
        return Delivery()
    with files.locked(_folder(home)):
        files.sweep(_folder(home))
        _forget(home, now)
        waiting = [path for path in _readable(home) if path.with_suffix(".eml").exists()]
        due = [path for path in waiting if force or _is_due(path, now)]
        _try(home, config or load_config(home), due, now)
        return _outcome(waiting)


def _folder(home: Path) -> Path:
    return home / "outbox"


def _path(home: Path, message: EmailMessage) -> Path:
    name = hashlib.sha256(str(message["Message-ID"]).encode()).hexdigest()[:24]
    return _folder(home) / f"{name}.json"


def _spool(home: Path, message: EmailMessage, recipients: Sequence[str], now: datetime) -> Path:
    """The record of the message; new recipients are added to one that exists."""
    path = _path(home, message)
    known = _read(path) if path in _readable(home) else {}
    people = {recipient: {"state": "queued"} for recipient in dict.fromkeys(recipients)} | known.get("recipients", {})
    record = {
        "message_id": str(message["Message-ID"]),
        "subject": str(message["Subject"]),
        "sender": message["From"].addresses[0].addr_spec,
        "spooled": known.get("spooled", now.isoformat()),
        "tries": known.get("tries", 0),
        "next": now.isoformat(),
        "recipients": people,
    }
    if any(person["state"] == "queued" for person in people.values()):
        from email.policy import SMTP

        files.write(path.with_suffix(".eml"), message.as_bytes(policy=SMTP.clone(cte_type="7bit")), mode=0o600)
    _write(path, record)
    return path


def _try(home: Path, config: Config, paths: Sequence[Path], now: datetime) -> None:
    """One session for all of them."""
    waiting = [path for path in paths if path.with_suffix(".eml").exists()]
    if not waiting:
        return
    left = list(waiting)
    try:
        with delivery.session(config.mail, host=config.host) as client:
            while left:
                _hand_over(client, left[0], now)
                left.pop(0)
    except delivery.Unreachable as error:
        log.warning("mail is kept in %s: %s", _folder(home), error)
        for path in left:
            _postpone(path, str(error), now)
    for path in waiting:
        _settle(path, now)


def _hand_over(client: Any, path: Path, now: datetime) -> None:
    record, message = _read(path), path.with_suffix(".eml").read_bytes()
    for recipient, person in record["recipients"].items():
        if person["state"] != "queued":
            continue
        try:
            delivery.hand_over(client, record["sender"], recipient, message)
            person.update(state="sent", at=now.isoformat(), reason="")
        except delivery.Refused as refused:
            person.update(state="refused" if refused.permanent else "queued", reason=str(refused))
        _write(path, record)  # after each, so that a crash costs at most one copy
    if any(person["state"] == "queued" for person in record["recipients"].values()):
        _postpone(path, "", now)


def _postpone(path: Path, reason: str, now: datetime) -> None:
    """The next try: after 1, 2, 4, … minutes, at most four hours."""
    record = _read(path)
    record["tries"] += 1
    record["next"] = (now + min(timedelta(minutes=2 ** min(record["tries"] - 1, 10)), timedelta(hours=4))).isoformat()
    for person in record["recipients"].values():
        if person["state"] == "queued" and reason:
            person["reason"] = reason
    _write(path, record)


def _settle(path: Path, now: datetime) -> None:
    """Give up what is too old, and drop a message that nobody waits for."""
    record = _read(path)
    waiting = [person for person in record["recipients"].values() if person["state"] == "queued"]
    if waiting and now - datetime.fromisoformat(record["spooled"]) > GIVE_UP:
        for person in waiting:
            person.update(state="refused", reason=f"given up after {GIVE_UP.days} days: {person.get('reason', '')}")
        _write(path, record)
        waiting = []
    if not waiting:
        path.with_suffix(".eml").unlink(missing_ok=True)


def _forget(home: Path, now: datetime) -> None:
    """Remove old records, and a message whose record a crash kept from being written."""
    for path in _readable(home):
        settled = not path.with_suffix(".eml").exists()
        if settled and now - datetime.fromisoformat(_read(path)["spooled"]) > REMEMBERED:
            path.unlink()
    for path in _folder(home).glob("*.eml"):
        if not path.with_suffix(".json").exists() and now.timestamp() - path.stat().st_mtime > _FORGOTTEN:
            path.unlink()


def _readable(home: Path) -> list[Path]:
    """Records that can be read; of a damaged one the message is kept, for a person to look at."""
    found = []
    for path in sorted(_folder(home).glob("*.json")):
        try:
            _read(path)
            found.append(path)
        except (OSError, ValueError) as error:
            log.warning("%s: damaged, its message is kept beside: %s", path, error)
    return found


def _is_due(path: Path, now: datetime) -> bool:
    return datetime.fromisoformat(_read(path)["next"]) <= now


def _outcome(paths: Sequence[Path], wanted: set[str] | None = None) -> Delivery:
    people = [
        (recipient, person)
        for path in paths
        for recipient, person in _people(path)
        if wanted is None or recipient in wanted
    ]
    by_state = {
        state: {name: person.get("reason", "") for name, person in people if person["state"] == state}
        for state in ("sent", "queued", "refused")
    }
    return Delivery(tuple(by_state["sent"]), by_state["queued"], by_state["refused"])


def _people(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _read(path)["recipients"].items()


def _read(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def _write(path: Path, record: Mapping[str, Any]) -> None:
    files.write(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n", mode=0o600)
