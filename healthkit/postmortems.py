"""What is learnt from an incident: a notebook, filled in as far as the records reach; people write the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.files import write_atomically
from healthkit.incidents import Incident, load
from healthkit.schema import title

if TYPE_CHECKING:
    import pandas as pd

    from healthkit.charts import Chart

BEFORE, AFTER = timedelta(hours=2), timedelta(hours=1)
"""How much of the host's course is shown around an incident."""
SHOWN = ("http_up", "http_response_seconds", "cpu_busy_ratio", "memory_used_ratio", "disk_used_ratio")
_MARKED = {"opened", "restart", "exhausted", "escalated", "resolved", "reopened"}
_LINES = 6
"""Devices in one chart, the busiest."""


@dataclass(frozen=True)
class Course:
    """What was measured around an incident."""

    sentence: str
    charts: tuple[Chart, ...]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from healthkit.bundles import bundle

        return bundle("course", self.sentence, {"charts": [c.name for c in self.charts]}, charts=self.charts)

    def __str__(self) -> str:
        return self.sentence


def course(home: Path | str, name: str) -> Course:
    """The samples from two hours before an incident to an hour after it, its timeline marked.

    Raises:
        ParameterError: There is no such incident.
        StoreError: The samples cannot be read.
    """
    from healthkit import store

    incident = load(home, name)
    start, end = incident.opened - BEFORE, (incident.closed or incident.resolved or incident.opened) + AFTER
    samples = store.load(Path(home), hosts=[incident.host], metrics=SHOWN, start=start, end=end)
    charts = tuple(
        _chart(metric, part, incident)
        for metric in SHOWN
        if len(part := samples[samples["metric"] == metric].dropna(subset=["value"]))
    )
    span = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    if not charts:
        return Course(f"There is no sample of {incident.host} from {span}: nothing is known of its course.", ())
    return Course(f"{incident.host} from {span}: {len(samples)} samples of {len(charts)} metrics.", charts)


def write(home: Path, incident: Incident) -> Path:
    """Write the notebook to `HOME/notebooks/postmortem-<name>.ipynb`; one that is there is left as it is.

    Returns:
        Its path.

    Raises:
        OSError: It cannot be written.
    """
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    path = home / "notebooks" / f"postmortem-{incident.name}.ipynb"
    if path.exists():
        return path  # somebody may have written into it
    cells: list[Any] = []
    for kind, source in _cells(home, incident.name):
        cell = new_markdown_cell(source) if kind == "markdown" else new_code_cell(source)
        cell.id = f"cell-{len(cells)}"
        cell.metadata = {"tags": ["parameters"]} if kind == "parameters" else {}
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(notebook)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    write_atomically(path, nbformat.writes(notebook) + "\n", mode=0o640)
    return path


def _cells(home: Path, name: str) -> list[tuple[str, str]]:
    """Kind and source. What people or programs said comes through the code: it is escaped there."""
    return [
        ("markdown", f"# Post-mortem of {name}\nWritten to learn from it, not to find who is to blame."),
        ("parameters", f"home = {str(home)!r}  # directory with metrics and configuration\nincident = {name!r}"),
        ("markdown", "## What happened\nAs the incident's own record has it; times are UTC."),
        ("code", "from healthkit import incidents, postmortems\n\nincidents.load(home, incident)"),
        ("markdown", "## The host at that time\nFrom its samples, with the timeline marked."),
        ("code", "postmortems.course(home, incident)"),
        ("markdown", "## Whom it touched\n*To be written: who could not do what, and for how long.*"),
        ("markdown", "## Why it happened\n*To be written: the cause behind the cause. What did the evidence show before the restart?*"),
        ("markdown", "## What went well, and what did not\n*To be written: how it was noticed, how long that took, what was missing.*"),
        ("markdown", "## What will be done\n\n| Action | Owner | Due |\n|---|---|---|\n| *to be written* | | |"),
    ]  # fmt: skip


def _chart(metric: str, samples: pd.DataFrame, incident: Incident) -> Chart:
    from healthkit.charts import Chart, Line

    lines = []
    busiest = samples.groupby("device", observed=True)["value"].mean().sort_values(ascending=False).index[:_LINES]
    for device in busiest:
        part = samples[samples["device"] == device].sort_values("ts")
        lines.append(
            Line(str(device) or incident.host, tuple(map(_seconds, part["ts"])), tuple(map(float, part["value"])))
        )
    marks = tuple((_seconds(e.at), e.kind) for e in incident.timeline if e.kind in _MARKED)
    low, high = float(samples["value"].min()), float(samples["value"].max())
    unit = metric.rpartition("_")[2] if metric.endswith(("_ratio", "_seconds", "_bytes")) else ""
    alt = f"{title(metric)} of {', '.join(line.label for line in lines)}: between {low:.3g} and {high:.3g}"
    return Chart(f"course-{metric}", title(metric), unit, tuple(lines), alt, marks=marks)


def _seconds(moment: datetime) -> float:
    return float(moment.timestamp())
