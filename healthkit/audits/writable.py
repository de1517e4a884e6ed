"""May anyone on this host change what it or its application runs? Files, and folders without the sticky bit.

Who may write a folder may replace every file in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.audits import _trees
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, listed

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "permissions"

LISTED = 50
"""Paths that evidence names."""


def check(context: Context) -> Iterator[Finding]:
    """The application's folders one by one, the system's together."""
    for folder, seen in _trees.application(context).items():
        if seen is None:
            message = f"there is no folder {folder}: nothing was looked at"
            yield Finding("writable", Severity.UNKNOWN, str(folder), message, hint="Correct `application:`.")
        else:
            yield from judge("writable", str(folder), seen.writable, seen.closed, seen.total)
    seen = _trees.system(context)
    yield from judge("writable", "system folders", seen.writable, seen.closed, seen.total)


def judge(name: str, where: str, writable: list[str], closed: list[str], total: int) -> Iterator[Finding]:
    """What anyone may write below a folder, and what could not be looked at."""
    first = f": {listed(writable, 1)}" if writable else ""
    yield Finding(
        name,
        Severity.CRITICAL if writable else Severity.OK if total else Severity.UNKNOWN,
        where,
        f"{len(writable)} of {counted(total, 'file or folder', 'files and folders')} may be written by anyone{first}",
        value=float(len(writable)),
        evidence={"threshold": 0, "paths": writable[:LISTED], "looked_at": total, "source": where},
        hint="chmod o-w them; find what made them so." if writable else "" if total else "See why nothing is there.",
    )
    yield from blind(name, where, closed)


def blind(name: str, where: str, closed: list[str]) -> Iterator[Finding]:
    """The UNKNOWN of what could not be looked at."""
    if closed:
        message = f"{len(closed)} folders or files may not be looked at, {closed[0]} among them"
        evidence = {"threshold": 0, "paths": closed[:LISTED], "source": where}
        hint = "Run the audit as root."
        yield Finding(
            name, Severity.UNKNOWN, f"{where}: closed", message, value=float(len(closed)), evidence=evidence, hint=hint
        )
