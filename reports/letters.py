"""The mail of a text that somebody else wrote: a report of an old script, say."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.errors import ParameterError
from healthkit.reports import delivery, outbox
from healthkit.reports.markup import markdown
from healthkit.reports.outputs import line

if TYPE_CHECKING:
    from healthkit.config import Config

LARGEST = 5 * 2**20
"""Bytes; what is larger is no report."""


def send_file(
    home: Path,
    config: Config,
    path: Path,
    recipients: Sequence[str],
    *,
    seconds: float = 60,
    now: datetime | None = None,
) -> outbox.Delivery:
    """Mail a Markdown file: safe in the outbox before the first try.

    Args:
        home: Whose outbox.
        config: The server, and the name of this host.
        path: The file; its first heading is the subject.
        recipients: Addresses.
        seconds: How long to wait for the server; the outbox goes on trying.
        now: The time, UTC.

    Raises:
        ParameterError: A recipient is no address, or the file cannot be read or is larger than `LARGEST`.
        ConfigError: Mail cannot be sent as configured.
        OSError: The outbox cannot be written.
    """
    now = now or datetime.now(UTC)
    sender = delivery.sender(config)
    delivery.check_mail(config.mail, [*recipients, sender])
    message = compose(_read(path), path.name, sender, recipients, now=now)
    kept = outbox.keep(home, message, recipients, now=now)
    # A daemon: a server that hangs must not hold up the exit of the program, and the outbox survives it.
    trying = threading.Thread(target=outbox.deliver, args=(home, config, kept), kwargs={"now": now}, daemon=True)
    trying.start()
    trying.join(seconds)
    return outbox.outcome(kept)


def compose(text: str, name: str, sender: str, recipients: Sequence[str], *, now: datetime) -> EmailMessage:
    """Text, HTML and the file itself; what is sent twice in a day has the same Message-ID, and arrives once."""
    title = next((words.lstrip("#") for words in text.splitlines() if words.startswith("#")), "") or name
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = line(title).strip()[:150]
    message["Date"] = format_datetime(now)
    message["Auto-Submitted"] = "auto-generated"
    same = "\n".join([f"{now:%Y-%m-%d}", name, ",".join(sorted(recipients)), text])
    digest = hashlib.sha256(same.encode("utf-8", "replace")).hexdigest()[:24]
    message["Message-ID"] = f"<file.{digest}@{sender.rpartition('@')[2]}>"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(f"<html><body>{markdown(text)}</body></html>", subtype="html", cte="quoted-printable")
    message.add_attachment(text.encode(), "text", "markdown", filename=line(name), params={"charset": "utf-8"})
    return message


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file() or size > LARGEST:
            raise ParameterError(f"{path}: no file, or larger than {LARGEST} bytes")
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror}") from error
