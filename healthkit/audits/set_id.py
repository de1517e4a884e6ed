"""Which programs run with the rights of their owner or group, whoever starts them, and who put them there?

In the application's folders there is no reason for one. In the system's, those that come with a package are expected;
what no package knows was put there by hand, which is how a way in is kept open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.audits import _trees
from healthkit.audits.writable import LISTED, blind
from healthkit.findings import Finding, Severity
from healthkit.quantities import listed

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "permissions"


def check(context: Context) -> Iterator[Finding]:
    """The application's folders one by one, the system's together and against what its packages brought."""
    for folder, seen in _trees.application(context).items():
        if seen is not None:  # that there is no such folder, `writable` tells
            yield _judge(str(folder), seen.special, seen.special, f"of {seen.total} files run as their owner or group")
            yield from blind("set_id", str(folder), seen.closed)
    seen = _trees.system(context)
    packaged = _packaged(context)
    if packaged is None:
        message = f"{len(seen.special)} set-uid and set-gid files, and no list of packages to compare them with"
        evidence = {"paths": seen.special[:LISTED], "inventory": seen.special, "source": "/var/lib/dpkg/info"}
        hint = "Compare them with last month's by hand."
        yield Finding("set_id", Severity.UNKNOWN, "system folders", message, evidence=evidence, hint=hint)
    else:
        strange = [path for path in seen.special if _inside(context, path) not in packaged]
        what = f"of {len(seen.special)} set-uid and set-gid files came with no package"
        yield _judge("system folders", strange, seen.special, what)
    yield from blind("set_id", "system folders", seen.closed)


def _judge(where: str, strange: list[str], special: list[str], what: str) -> Finding:
    first = f": {listed(strange, 1)}" if strange else ""
    return Finding(
        "set_id",
        Severity.WARNING if strange else Severity.OK,
        where,
        f"{len(strange)} {what}{first}",
        value=float(len(strange)),
        evidence={"threshold": 0, "paths": strange[:LISTED], "inventory": special, "source": where},
        hint="chmod ug-s what does not need it; ask who put it there." if strange else "",
    )


def _inside(context: Context, path: str) -> str:
    """The path as the system under audit itself would name it."""
    return path if context.root == "/" else f"/{os.path.relpath(path, context.root)}"


def _packaged(context: Context) -> frozenset[str] | None:
    """Every path that a Debian package brought; None where there is no such list.

    Packages still name /bin and /sbin where these are links into /usr today, so both names count.
    """
    lists = list(context.path("/var/lib/dpkg/info").glob("*.list"))
    if not lists:
        return None
    paths = {line for path in lists for line in path.read_text(encoding="utf-8", errors="replace").splitlines()}
    merged = {f"/usr{line}" for line in paths if line.startswith(("/bin/", "/sbin/", "/lib"))}
    return frozenset(paths | merged)
