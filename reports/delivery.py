"""Hand a message to the SMTP server: encrypted if so configured, and otherwise not at all."""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from healthkit.errors import ConfigError, ParameterError
from healthkit.reports.outputs import line

if TYPE_CHECKING:
    from healthkit.config import Config, Mail

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\Z")


class Unreachable(Exception):  # noqa: N818 - says what is the matter, for one try
    """No session with the server: refused connection, missing TLS, refused login. Says nothing about the message."""


class Refused(Exception):  # noqa: N818 - same
    """The server did not take the message for one recipient."""

    def __init__(self, code: int, answer: str) -> None:
        self.code = code
        self.permanent = 500 <= code < 600
        super().__init__(f"{code} {answer}")


def sender(config: Config) -> str:
    """The address that mail comes from: as configured, else one of this host."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", config.host).strip(".-")
    return config.mail.sender or f"healthkit@{host or 'localhost'}"


def check_mail(mail: Mail, recipients: Iterable[str] = ()) -> None:
    """Whether mail can be sent as configured, as far as that can be told without trying.

    Raises:
        ConfigError: The password would cross the network unencrypted, or cannot be read.
        ParameterError: A recipient is no address.
    """
    for recipient in recipients:
        if not _ADDRESS.match(recipient) or ".." in recipient:
            raise ParameterError(f"{recipient!r} is not a mail address")
    if mail.user and mail.security == "none" and not _is_loopback(mail.host):
        raise ConfigError(
            f"mail.security is none and mail.user is set: the password would go to {mail.host} unencrypted; "
            "use starttls or tls"
        )
    if mail.user and mail.password() is None:
        raise ConfigError("mail.user is set without a password: $HEALTHKIT_SMTP_PASSWORD or mail.password_file")


@contextmanager
def session(mail: Mail, *, host: str = "localhost") -> Iterator[smtplib.SMTP]:
    """A session with the configured server: encrypted and logged in as configured.

    Args:
        mail: Where and how.
        host: Name of this host, said in the greeting (looking it up in DNS may hang).

    Raises:
        Unreachable: There is no such session; `starttls` asked for and not offered is one reason.
        ConfigError: See `check_mail`.
    """
    check_mail(mail)
    try:
        client = _connect(mail, re.sub(r"[^A-Za-z0-9.-]", "-", host) or "localhost")
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"{mail.host}:{mail.port}: {_reason(error)}") from error
    try:
        yield client
    finally:
        _quit(client)


def hand_over(client: smtplib.SMTP, sender: str, recipient: str, message: bytes) -> None:
    """Give the message to the server, for one recipient.

    Raises:
        Refused: With the server's code; 5xx is its last word, 4xx is not.
        Unreachable: The connection broke; whether the server took it is not known, unless it comes before the data.
    """
    try:
        client.sendmail(sender, [recipient], message)
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = error.recipients[recipient]
        raise Refused(code, _text(answer)) from error
    except smtplib.SMTPResponseException as error:
        raise Refused(error.smtp_code, _text(error.smtp_error)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(_reason(error)) from error


def _connect(mail: Mail, greeting: str) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=mail.ca_file)
    client: smtplib.SMTP
    if mail.security == "tls":
        client = smtplib.SMTP_SSL(mail.host, mail.port, greeting, timeout=mail.timeout, context=context)
    else:
        client = smtplib.SMTP(mail.host, mail.port, greeting, timeout=mail.timeout)
    try:
        client.ehlo_or_helo_if_needed()
        if mail.security == "starttls":
            client.starttls(context=context)  # raises where it is not offered: never in the clear instead
            client.ehlo()
        if mail.user:
            client.login(mail.user, mail.password() or "")
    except BaseException:
        client.close()
        raise
    return client


def _quit(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"login refused: {error.smtp_code} {_text(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"{error} Nothing was sent."
    return line(f"{type(error).__name__}: {error}")


def _text(answer: bytes | str) -> str:
    return line(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer)
