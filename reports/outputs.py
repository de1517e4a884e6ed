"""What a notebook showed: the sections that mail, archive and page are made of.

A section of ours emits `text/html`, `text/plain` and this JSON beside them, so that subject and numbers of a mail come
from what the notebook displayed and are never computed a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MIME = "application/vnd.healthkit+json"
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Shown:
    """A section as it was displayed."""

    name: str
    """`verdict`, `attention`, `capacity`, ..."""
    title: str
    text: str
    """The whole section in plain text."""
    data: Mapping[str, Any]
    """Its numbers."""
    charts: Sequence[Mapping[str, Any]]
    """What `healthkit.plots.png` can draw."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict section's data; what a notebook without one leaves open is empty or unknown."""

    name: str = ""
    cadence: str = ""
    period: str = ""
    so_far: bool = False
    """Whether the period is still running."""
    host: str = ""
    """Empty for several."""
    hosts: tuple[str, ...] = ()
    group: str = ""
    """What the hosts are called together, if they are a group."""
    score: float | None = None
    """0-100; None if it could not be told."""
    state: str = "unknown"
    """healthy, attention, critical or unknown"""
    coverage: float = 0.0
    """Share of what was asked that could be told, 0-1."""
    worst: str = "unknown"
    """The worst severity."""
    sentence: str = ""
    change: float | None = None
    """Points since the last period; None where there is none to compare."""
    simulated: bool = False
    findings: tuple[Mapping[str, Any], ...] = ()
    """Worst first, as `Finding.as_dict()`."""


def shown(notebook: Any) -> tuple[Shown, ...]:
    """The sections of an executed notebook, in order."""
    return tuple(
        Shown(
            str(data.get("section", "")),
            str(data.get("title") or heading),
            plain(str(data.get("text", ""))),
            data.get("data") or {},
            data.get("charts") or (),
        )
        for heading, data in _bundles(notebook)
    )


def verdict(sections: Sequence[Shown]) -> Verdict:
    """The data of the first section named `verdict`."""
    data = next((section.data for section in sections if section.name == "verdict"), {})
    known = {name: data[name] for name in Verdict.__dataclass_fields__ if data.get(name) is not None}
    for name in ("hosts", "findings"):
        known[name] = tuple(known.get(name, ()))
    known["simulated"] = any(section.data.get("simulated") is True for section in sections)
    return Verdict(**known)


def rows(sections: Sequence[Shown], name: str) -> list[Mapping[str, Any]]:
    """The rows of a section such as `attention` or `capacity`; none if it was not shown."""
    return [row for section in sections if section.name == name for row in section.data.get("rows", ())]


def plain(text: str) -> str:
    r"""Text without escape sequences and control characters, except for line feed and tab.

    >>> plain("disk \x1b[31mfull\x1b[0m\x07")
    'disk full'
    """
    return _CONTROLS.sub("", _ANSI.sub("", text.replace("\r\n", "\n")))


def line(text: str) -> str:
    r"""Text on one line, as a header or a file name needs it; a space that must not be broken stays one.

    >>> line("db-3\r\nBcc: x@example.org")
    'db-3 Bcc: x@example.org'
    """
    return re.sub(r"[^\S\u00a0]+", " ", plain(re.sub(r"[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", text))).strip()


def _bundles(notebook: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each bundle of ours with the heading above it; a second one below the same heading has none."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
        for output in cell.get("outputs", ()):
            data = output.get("data", {}).get(MIME)
            if isinstance(data, Mapping):
                yield heading, data
                heading = ""
