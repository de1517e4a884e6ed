"""Are the stored samples readable? What `healthkit store verify` says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from healthkit.checks._context import not_applicable

if TYPE_CHECKING:
    from healthkit.checks import Context
    from healthkit.findings import Finding

COMPONENT = "operations"


def check(context: Context) -> Iterator[Finding]:
    """Every finding of `store.verify`, under the name of this check."""
    if not (context.home / "metrics").exists():
        yield not_applicable("store", "store", "nothing has been stored yet")
        return
    from healthkit.store import verify

    for finding in verify(context.home):
        yield replace(finding, check="store")
