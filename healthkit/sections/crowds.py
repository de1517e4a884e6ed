"""A row for each host, of many hosts: those that need a hand first, the others folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted

if TYPE_CHECKING:
    from healthkit.reviews import Review

FEW = 12
"""So many hosts are all shown."""


def busy(review: Review) -> set[str]:
    """The hosts of which a finding asks for something, or something could not be told."""
    return {f.host for f in review.findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)}


def crowd(review: Review, *, most: int) -> list[str]:
    """At most *most* hosts under review; of more than `FEW` those that need a hand come first."""
    first = busy(review) if len(review.hosts) > FEW else set()
    return sorted(review.hosts, key=lambda host: host not in first)[:most]


def table(
    review: Review, columns: Sequence[str | tuple[str, str]], rows: Mapping[str, Sequence[str]], *, caption: str
) -> str:
    """A table of one row a host, as `display.table`; of more than `FEW` hosts those without a finding are in a second one.

    Args:
        review: Which hosts, and what is said of them.
        columns: Headings.
        rows: Cells by host, in order.
        caption: What it shows.
    """
    shown = busy(review) if len(review.hosts) > FEW else set(rows)
    calm = [cells for host, cells in rows.items() if host not in shown]
    loud = [cells for host, cells in rows.items() if host in shown]
    html = display.table(columns, loud, caption=caption) if loud else ""
    if calm:
        what = counted(len(calm), "host without a finding", "hosts without a finding")
        folded = display.table(columns, calm, caption=f"{caption}: {what}")
        html += f"<details><summary>{what}</summary>{folded}</details>"
    return html
