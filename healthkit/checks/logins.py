"""Does someone try passwords, and did one of them work?"""

from __future__ import annotations

import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"

GUESSED = 10
"""Failures of one address before its success that make the success suspicious."""
_TAIL = 64 * 2**20
"""Bytes that are read of a log, from its end."""
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S+ sshd(?:-session)?\[(\d+)\]: (.*)"
)
_REPEATED = re.compile(r"message repeated (\d+) times: \[ ?(.*)\]\Z")
# Greedy up to the last ` from`: a name is what a stranger typed, and may contain ` from 10.0.0.1 port 22`.
_FAILED = re.compile(r"Failed (?!none)\S+ for (?:invalid user )?(.*) from (\S+) port \d+(?: ssh2)?.{0,200}\Z")
_INVALID = re.compile(r"Invalid user (.*) from (\S+)(?: port \d+)?\Z")
_ACCEPTED = re.compile(r"Accepted (\S+) for (.*) from (\S+) port \d+(?: ssh2)?.{0,200}\Z")


class _Login(NamedTuple):
    when: datetime
    pid: str
    kind: str
    """failed, invalid or accepted."""
    user: str
    address: str
    times: int


def check(context: Context) -> Iterator[Finding]:
    """Failed logins of the last 24 hours in auth.log, else in the journal; sshd's own lines.

    Source: OpenSSH, auth.c (auth_log) and its messages.
    """
    lines, source = _lines(context)
    if lines is None:
        hint = "Run the check as root or as a member of group adm; or install rsyslog."
        yield Finding("logins", Severity.UNKNOWN, "logins", f"no log of logins can be read: {source}", hint=hint)
        return
    recent = [login for login in _logins(lines, context.now) if login.when > context.now - timedelta(hours=24)]
    tried = {login.pid for login in recent if login.kind == "failed"}
    failed = [x for x in recent if x.kind == "failed" or (x.kind == "invalid" and x.pid not in tried)]
    count = sum(login.times for login in failed)
    limit = context.config.security.failed_logins
    addresses: Counter[str] = Counter()
    users: Counter[str] = Counter()
    for login in failed:
        addresses[login.address] += login.times
        users[login.user] += login.times
    yield Finding(
        "logins",
        Severity.WARNING if count > limit else Severity.OK,
        "failed logins",
        f"{count} in the last 24 hours from {len(addresses)} addresses; the limit is {limit:g}",
        value=float(count),
        evidence={
            "threshold": limit,
            "addresses": dict(addresses.most_common(10)),
            "users": dict(users.most_common(10)),
            "source": source,
        },
        hint="Keys instead of passwords (PasswordAuthentication no), fail2ban, or a firewall." if count > limit else "",
    )
    yield from _guessed(recent, source)


def _guessed(recent: list[_Login], source: str) -> Iterator[Finding]:
    """Addresses that got in by a password after many failures."""
    failures: dict[str, int] = defaultdict(int)
    for login in sorted(recent, key=lambda login: login.when):
        if login.kind == "failed":
            failures[login.address] += login.times
        elif login.kind == "accepted" and failures[login.address] >= GUESSED:
            yield Finding(
                "logins",
                Severity.CRITICAL,
                login.address,
                f"logged in as {login.user!r} after {failures[login.address]} failures",
                value=float(failures[login.address]),
                evidence={"threshold": GUESSED, "when": login.when.isoformat(), "source": source},
                hint="Ask the user. If it was not them: cut the host off, and treat it as broken into.",
                ts=login.when,
            )


def _lines(context: Context) -> tuple[list[str] | None, str]:
    """Lines that may hold logins, oldest first, and where they come from; None and the reason without any."""
    log = context.path("/var/log/auth.log")
    try:
        lines = _tail(log)
    except FileNotFoundError:
        return _journal(context) if context.root == "/" else (None, f"there is no {log}")
    except PermissionError:
        return None, f"{log} may not be read"
    rotated = log.with_name("auth.log.1")
    if rotated.is_file() and rotated.stat().st_mtime > context.now.timestamp() - 86400:
        lines = [*_tail(rotated), *lines]
    return lines, str(log)


def _tail(path: Path) -> list[str]:
    """The last lines of a regular file; a FIFO of that name would hang whoever opens it."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise PermissionError(1, "not a regular file", str(path))
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read(_TAIL).decode("utf-8", "backslashreplace").split("\n")


def _journal(context: Context) -> tuple[list[str] | None, str]:
    command = (
        "journalctl",
        "--no-pager",
        "--output=short-iso",
        "--since=-24h",
        "_COMM=sshd",
        "+",
        "_COMM=sshd-session",
    )
    try:
        result = context.tool(*command)
    except FileNotFoundError:
        return None, "there is neither /var/log/auth.log nor a journal"
    blind = "not seeing messages" in result.stderr or "No journal files" in result.stderr
    if blind or result.returncode not in (0, 1):
        return None, (result.stderr.strip().splitlines() or ["journalctl failed"])[0]
    return result.stdout.split("\n"), "journalctl _COMM=sshd"


def _logins(lines: list[str], now: datetime) -> Iterator[_Login]:
    for line in lines:
        if not (match := _STAMP.match(line)) or not (when := _when(match[1], now)):
            continue
        text, times = match[3], 1
        if repeated := _REPEATED.match(text):
            times, text = int(repeated[1]), repeated[2]
        if found := _FAILED.match(text):
            yield _Login(when, match[2], "failed", found[1], found[2], times)
        elif found := _INVALID.match(text):
            yield _Login(when, match[2], "invalid", found[1], found[2], times)
        elif found := _ACCEPTED.match(text):
            yield _Login(when, match[2], "accepted", found[2], found[3], times)


def _when(text: str, now: datetime) -> datetime | None:
    """UTC. The classic stamp has neither year nor zone: the newest such time that is not ahead, on the host's clock."""
    try:
        if text[0].isdigit():
            return datetime.fromisoformat(text).astimezone(UTC)
        local = datetime.strptime(f"{now.year} {text}", "%Y %b %d %H:%M:%S").astimezone()
        if local > now + timedelta(days=1):
            local = datetime.strptime(f"{now.year - 1} {text}", "%Y %b %d %H:%M:%S").astimezone()
    except ValueError:
        return None
    return local.astimezone(UTC)
