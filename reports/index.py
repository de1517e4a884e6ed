"""The index of an archive: one page that lists every report and filters without a server and without a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from healthkit import display
from healthkit.charts import sparkline
from healthkit.quantities import digits
from healthkit.reports.outputs import line
from healthkit.reports.page import template
from healthkit.sections.verdict import STATES

MOST_CHOICES = 400
"""Hosts or periods to choose from: each is a rule of CSS."""
COURSE = 26
"""Scores in a sparkline."""

Series = tuple[str, str, str]


def by_series(records: Sequence[Mapping[str, Any]]) -> dict[Series, list[Mapping[str, Any]]]:
    """Records of the same folder, name and hosts, in their order."""
    found: dict[Series, list[Mapping[str, Any]]] = {}
    for record in records:
        key = (str(record["folder"]), str(record["name"]), "+".join(sorted(record.get("asked", ()))))
        found.setdefault(key, []).append(record)
    return found


def render(records: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        records: As `archive.read` gives them, oldest period first.
    """
    from markupsafe import Markup

    newest_first = list(reversed(records))
    hosts = list(dict.fromkeys(sorted(_hosts(record) for record in records)))[:MOST_CHOICES]
    periods = list(dict.fromkeys(str(record["period"]) for record in newest_first))[:MOST_CHOICES]
    series = [_series(entries) for _, entries in sorted(by_series(records).items(), key=lambda item: item[0])]
    return template("index.html").render(
        style=Markup(display.STYLE),  # noqa: S704 - our own
        hosts=hosts,
        periods=periods,
        series=series,
        rows=[_row(record, hosts, periods) for record in newest_first],
        simulated=any(record.get("simulated") for record in records),
    )


def _row(record: Mapping[str, Any], hosts: Sequence[str], periods: Sequence[str]) -> dict[str, Any]:
    from markupsafe import Markup

    where = _hosts(record)
    base = f"{quote(str(record['folder']))}/{quote(str(record['stem']))}"
    return {
        "period": line(str(record["period"])),
        "name": line(str(record["name"])),
        "hosts": line(where),
        "classes": " ".join(
            [*([f"h{hosts.index(where)}"] if where in hosts else []),
             *([f"p{periods.index(str(record['period']))}"] if str(record["period"]) in periods else [])]
        ),
        "score": "unknown" if record.get("score") is None else digits(record["score"]),
        "failed": bool(record.get("failed")),
        "state": Markup(_state(record)),  # noqa: S704 - our own
        "sentence": line(str(record.get("sentence") or "")),
        "files": [(ending, f"{base}.{ending}") for ending in ("html", "ipynb", "json", "txt", *(["pdf"] if record.get("pdf") else []))],
    }  # fmt: skip


def _series(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from markupsafe import Markup

    good = [record for record in entries if not record.get("failed")]
    newest = good[-1] if good else entries[-1]
    scores = [float(record["score"]) if record.get("score") is not None else float("nan") for record in good][-COURSE:]
    shown = "unknown" if newest.get("score") is None else digits(newest["score"])
    drawing = sparkline(scores, alt=f"Scores of the last {len(scores)} reports, now {shown}") if len(scores) > 1 else ""
    return {
        "name": line(str(newest["name"])),
        "hosts": line(_hosts(newest)),
        "period": line(str(newest["period"])),
        "score": shown,
        "sentence": line(str(newest.get("sentence") or "")),
        "state": Markup(_state(newest)),  # noqa: S704 - our own
        "spark": Markup(drawing),  # noqa: S704 - our own
        "href": f"{quote(str(newest['folder']))}/{quote(str(newest['stem']))}.html",
    }


def _hosts(record: Mapping[str, Any]) -> str:
    asked = record.get("asked", ())
    return ", ".join(sorted(asked)) if asked else str(record.get("host") or "all hosts")


def _state(record: Mapping[str, Any]) -> str:
    """As the report's own headline says it."""
    return display.badge(*STATES.get(str(record.get("state")), STATES["unknown"]))
