"""How a result shows itself in a notebook: HTML, text, and the numbers behind both, in one bundle of media types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit import display
from healthkit.jsons import plain

if TYPE_CHECKING:
    from healthkit.charts import Chart

MEDIA_TYPE = "application/vnd.healthkit+json"


class Table(NamedTuple):
    """What is told below a sentence."""

    columns: Sequence[str]
    """Headings."""
    rows: Sequence[Sequence[object]]
    """Cells, plain text or numbers."""


def bundle(
    name: str,
    sentence: str,
    data: Mapping[str, Any],
    *,
    columns: Sequence[str] = (),
    rows: Iterable[Sequence[object]] = (),
    charts: Sequence[Chart] = (),
) -> dict[str, Any]:
    """What `_repr_mimebundle_` returns.

    Args:
        name: What it is: `percentiles`, `anomalies`, ...
        sentence: The result in one sentence.
        data: The result as JSON.
        columns: Headings of a table.
        rows: Its cells, plain text: escaped here.
        charts: Drawn below.
    """
    cells = [[display.text(cell) for cell in row] for row in rows]
    html = f"<p>{display.text(sentence)}</p>"
    if cells:
        html += display.table(columns, cells, caption=sentence)
    html += "".join(chart.html() for chart in charts)
    return wrap(name, html, sentence, data, charts)


def wrap(name: str, html: str, text: str, data: Mapping[str, Any], charts: Sequence[Chart] = ()) -> dict[str, Any]:
    """The bundle of a fragment that is HTML already: styled, and with its numbers beside it."""
    payload = {"section": name, "text": text, "data": plain(data), "charts": [chart.as_dict() for chart in charts]}
    return {
        "text/html": f'<style>{display.STYLE}</style><div class="hk">{html}</div>',
        "text/plain": text,
        MEDIA_TYPE: payload,
    }
