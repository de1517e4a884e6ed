"""Can anyone read the secrets: the application's, the host's keys, and those that healthkit itself was given?"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.audits import _trees
from healthkit.audits.writable import LISTED, blind
from healthkit.checks._context import printable
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, listed

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "application"

_HINT = "chmod 0600 them, and replace the secrets: whoever wanted to has read them."


def check(context: Context) -> Iterator[Finding]:
    """Files named like secrets in the application's folders, and those that are secrets by their place."""
    for folder, seen in _trees.application(context).items():
        if seen is not None:  # that there is no such folder, `writable` tells
            yield _judge(str(folder), seen.secret, seen.total)
            yield from blind("secrets", str(folder), seen.closed)
    known = [path for path in _known(context) if path.exists()]
    if known:
        yield _judge("keys of the host", [printable(p) for p in known if _open(p)], len(known))
    else:
        message = "no /etc/shadow and no key of the host was found to look at"
        yield Finding(
            "secrets", Severity.UNKNOWN, "keys of the host", message, hint="See whether this is the host's root."
        )


def _judge(where: str, open_: list[str], total: int) -> Finding:
    first = f": {listed(open_, 1)}" if open_ else ""
    return Finding(
        "secrets",
        Severity.CRITICAL if open_ else Severity.OK,
        where,
        f"{counted(len(open_), 'secret')} among {counted(total, 'file')} may be read by anyone{first}",
        value=float(len(open_)),
        evidence={"threshold": 0, "paths": open_[:LISTED], "source": where},
        hint=_HINT if open_ else "",
    )


def _known(context: Context) -> Iterator[Path]:
    """Secrets by their place: passwords, keys of sshd, and the files that the configuration names."""
    yield context.path("/etc/shadow")
    yield context.path("/etc/gshadow")
    yield from sorted(context.path("/etc/ssh").glob("ssh_host_*_key"))
    config = context.config
    restic = config.backups.restic if config.backups else None
    named = (config.mail.password_file, config.alerting.webhook_token_file, restic.password_file if restic else None)
    yield from (Path(name) for name in named if name)


def _open(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)
