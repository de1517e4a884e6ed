"""The archive: every report with its notebook, numbers and text, and an index to all of them.

`HOME/reports/<cadence>/<name>-<period>[-<host>].{html,ipynb,txt,json}`. The JSON is written last: a report without it is
not there yet. One that failed is kept beside as `….failed.*` and goes when the same report succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from healthkit.errors import ParameterError
from healthkit.periods import Period
from healthkit.reports import files, index

if TYPE_CHECKING:
    from healthkit.reports.outputs import Verdict

OTHER = "other"
"""Folder of reports that have no cadence: of notebooks of one's own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report lies."""

    folder: Path
    stem: str

    @property
    def html(self) -> Path:
        """The page."""
        return self._file("html")

    @property
    def notebook(self) -> Path:
        """The notebook as executed."""
        return self._file("ipynb")

    @property
    def text(self) -> Path:
        """The plain text."""
        return self._file("txt")

    @property
    def record(self) -> Path:
        """The numbers."""
        return self._file("json")

    @property
    def pdf(self) -> Path:
        """The page on paper; there only if it was asked for."""
        return self._file("pdf")

    @property
    def failed(self) -> Place:
        """Where it lies if it failed."""
        return Place(self.folder, f"{self.stem}.failed")

    def remove(self) -> None:
        """Forget it; the record first, so that the index never points at nothing."""
        for path in (self.record, self.html, self.notebook, self.text, self.pdf):
            path.unlink(missing_ok=True)

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.stem}.{ending}"  # `with_suffix` would cut a host name at its last dot


def place(root: Path, name: str, period: str, verdict: Verdict, hosts: Iterable[str] = ()) -> Place:
    """Where a report belongs.

    Args:
        root: `HOME/reports`, or another folder.
        name: Name of the notebook.
        period: Label.
        verdict: Its cadence is the folder.
        hosts: Hosts that were asked for; none for all, the fleet's report has no host in its name.
    """
    cadence = verdict.cadence if verdict.cadence.isalpha() else OTHER
    parts = [name, period, "+".join(sorted(hosts))]
    stem = "-".join(quote(part, safe="+") for part in parts if part)
    return Place(root / cadence, stem if len(stem.encode()) < 200 else f"{stem[:180]}-{len(set(hosts))}-hosts")


def store(
    at: Place, *, html: str, notebook: str, text: str, record: Mapping[str, Any], pdf: bytes | None = None
) -> None:
    """Write a report. The index and the `latest` page of its series follow with `refresh`."""
    files.write(at.html, html)
    files.write(at.notebook, notebook)
    files.write(at.text, text)
    if pdf is None:
        at.pdf.unlink(missing_ok=True)  # of an earlier edition
    else:
        files.write(at.pdf, pdf)
    write_record(at, record)
    if not record.get("failed"):
        at.failed.remove()


def write_record(at: Place, record: Mapping[str, Any]) -> None:
    """Write the numbers of a report."""
    files.write(at.record, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def refresh(root: Path) -> None:
    """Make the index and every series' latest page anew, from the records that are there."""
    with files.locked(root):
        for folder in (root, *(path for path in root.iterdir() if path.is_dir())):
            files.sweep(folder, older=86400)
        records = list(read(root))
        for series in index.by_series(records).values():
            newest = next((record for record in reversed(series) if not record.get("failed")), None)
            if newest:
                _point(root, newest)
        files.write(root / "index.html", index.render(records))


def expire(root: Path, *, older: timedelta, now: datetime) -> int:
    """Remove reports whose period ended longer ago than *older*, but never the newest of a series.

    Returns:
        How many were removed.
    """
    removed = 0
    with files.locked(root):
        for series in index.by_series(list(read(root))).values():
            good = [record for record in series if not record.get("failed")]
            for record in series:
                if record is not (good or series)[-1] and _end(record) < now - older:
                    Place(root / record["folder"], record["stem"]).remove()
                    removed += 1
    return removed


def read(root: Path) -> Iterator[dict[str, Any]]:
    """The records of all reports, oldest period first; each with its `folder` and `stem`.

    A record that is damaged is left out: its report is made again by making it again.
    """
    found = []
    for path in root.glob("*/*.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(record, dict) and {"name", "period"} <= record.keys():
            found.append(record | {"folder": path.parent.name, "stem": path.name.removesuffix(".json")})
    yield from sorted(found, key=lambda record: (_start(record), record["folder"], record["stem"]))


def _point(root: Path, record: Mapping[str, Any]) -> None:
    """Copy a report to `latest[-<host>].html`; a copy, because links survive neither object stores nor mail."""
    name = "" if record["name"] == record["folder"] else f"-{record['name']}"
    hosts = f"-{'+'.join(sorted(record.get('asked', ())))}" if record.get("asked") else ""
    source = root / record["folder"] / f"{record['stem']}.html"
    target = root / record["folder"] / f"latest{quote(name, safe='-')}{quote(hosts, safe='-+')[:150]}.html"
    if source.exists() and not (target.exists() and target.read_bytes() == source.read_bytes()):
        files.write(target, source.read_bytes())


def _end(record: Mapping[str, Any]) -> datetime:
    """When its period ended; of one without a period, when it was made; unknown is now, and is kept."""
    try:
        return Period.parse(str(record["period"])).end
    except ParameterError:
        pass
    try:
        return datetime.fromisoformat(str(record.get("made")))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _start(record: Mapping[str, Any]) -> str:
    """Something to sort periods of all kinds by."""
    try:
        return Period.parse(str(record["period"])).start.isoformat()
    except ParameterError:
        return str(record["period"])
