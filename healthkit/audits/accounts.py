"""Who can log in here, who is root by another name, and who may become root without a password?"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from healthkit.checks._context import printable
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, listed

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "permissions"

_NO_SHELL = ("/nologin", "/false", "/sync", "/shutdown", "/halt")
_POWERFUL = ("root", "sudo", "wheel", "admin", "docker", "lxd", "disk", "shadow")
"""Groups whose members are root, or nearly."""


class _Account(NamedTuple):
    name: str
    uid: int
    shell: str

    @property
    def enters(self) -> bool:
        """Whether it has a shell to log in to; an empty one is /bin/sh."""
        return not self.shell.endswith(_NO_SHELL)


def check(context: Context) -> Iterator[Finding]:
    """passwd, shadow, group and sudoers. Source: passwd(5), shadow(5), sudoers(5)."""
    accounts = [_account(line) for line in _lines(context.path("/etc/passwd"))]
    yield _roots(accounts)
    yield from _passwords(context, accounts)
    yield from _sudoers(context)


def _account(line: str) -> _Account:
    fields = [*line.split(":"), *[""] * 7]
    return _Account(fields[0], int(fields[2]) if fields[2].isdigit() else -1, fields[6].strip())


def _roots(accounts: list[_Account]) -> Finding:
    """Accounts with the number of root, and those that can log in."""
    roots = [a.name for a in accounts if a.uid == 0]
    enter = sorted(a.name for a in accounts if a.enters)
    more = [name for name in roots if name != "root"]
    return Finding(
        "accounts",
        Severity.CRITICAL if more else Severity.OK,
        "users",
        f"{counted(len(more), 'user is', 'users are')} root by another name{': ' if more else ''}{', '.join(more)}; "
        f"{len(enter)} of {counted(len(accounts), 'user')} {'has' if len(enter) == 1 else 'have'} a shell: {listed(enter, 8)}",
        value=float(len(more)),
        evidence={"threshold": 0, "with_shell": enter, "inventory": enter, "source": "/etc/passwd"},
        hint="Remove the number 0 from every user but root." if more else "",
    )


def _passwords(context: Context, accounts: list[_Account]) -> Iterator[Finding]:
    """Users that may log in without any password."""
    enter = {a.name for a in accounts if a.enters}
    try:
        fields = [line.split(":") for line in _lines(context.path("/etc/shadow"))]
    except OSError as error:
        message = f"/etc/shadow cannot be read: {error.strerror}"
        yield Finding("accounts", Severity.UNKNOWN, "passwords", message, hint="Run the audit as root.")
        return
    empty = [f[0] for f in fields if len(f) > 1 and not f[1] and f[0] in enter]
    able = [f[0] for f in fields if len(f) > 1 and f[1].startswith("$")]
    yield Finding(
        "accounts",
        Severity.CRITICAL if empty else Severity.OK,
        "passwords",
        f"{counted(len(empty), 'user has', 'users have')} an empty password{': ' if empty else ''}{', '.join(empty)}; {counted(len(able), 'has', 'have')} one",
        value=float(len(empty)),
        evidence={"threshold": 0, "with_password": able, "source": "/etc/shadow"},
        hint="Lock them: passwd -l NAME." if empty else "",
    )


def _sudoers(context: Context) -> Iterator[Finding]:
    """Rules without a password, rules that others may write, and members of the groups that are nearly root."""
    top = context.path("/etc/sudoers")
    files = [top, *sorted(context.path("/etc/sudoers.d").glob("*"))] if top.exists() else []
    rules, loose = [], []
    for path in files:
        if path != top and ("." in path.name or path.name.endswith("~")):  # sudo itself skips these
            continue
        if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            loose.append(printable(path))
        rules += [line for line in _lines(path) if not line.startswith(("#", "Defaults"))]
    free = [" ".join(rule.split()) for rule in rules if re.search(r"\bNOPASSWD:", rule)]
    members = _members(context)
    severity = Severity.CRITICAL if loose else Severity.WARNING if free else Severity.OK
    told = f"{len(free)} rules give root without a password" if files else "sudo is not installed"
    yield Finding(
        "accounts",
        severity,
        "sudo",
        f"{told}; {counted(len(loose), 'file')} of rules may be written by others; "
        f"{counted(len(members), 'user is', 'users are')} in groups that are nearly root{': ' if members else ''}{', '.join(members)}",
        value=float(len(free) + len(loose)),
        evidence={"threshold": 0, "rules": free, "writable": loose, "members": members,
                  "inventory": [*free, *(f"{name} in a powerful group" for name in members)], "source": str(top)},
        hint="chmod 0440 them." if loose else "Ask for the password, or name the one command that is needed." if free else "",
    )  # fmt: skip


def _members(context: Context) -> list[str]:
    """Users, other than root, in a powerful group."""
    fields = [line.split(":") for line in _lines(context.path("/etc/group"))]
    named = [f[3].split(",") for f in fields if len(f) > 3 and f[0] in _POWERFUL]
    return sorted({name for names in named for name in names if name and name != "root"})


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]
