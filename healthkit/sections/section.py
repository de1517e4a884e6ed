"""One section of a report: what a notebook cell shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.jsons import plain

if TYPE_CHECKING:
    from healthkit.charts import Chart

MEDIA_TYPE = "application/vnd.healthkit+json"


@dataclass(frozen=True, slots=True)
class Section:
    """Shows itself as HTML, as text, and as the numbers behind both.

    The page takes the HTML, the plain-text mail the text, and subject, digest and charts of the mail come from the
    numbers: all from what the notebook *showed*.
    """

    name: str
    """`verdict`, `attention`, ...: the function's name."""
    html: str
    """Fragment, styled by `display.STYLE`."""
    text: str
    """The same in plain text."""
    data: dict[str, Any] = field(default_factory=dict)
    """JSON-able numbers."""
    charts: tuple[Chart, ...] = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        payload = {
            "section": self.name,
            "text": self.text,
            "data": plain(self.data),
            "charts": [chart.as_dict() for chart in self.charts],
        }
        html = f'<style>{display.STYLE}</style><div class="hk">{self.html}</div>'
        return {"text/html": html, "text/plain": self.text, MEDIA_TYPE: payload}

    def __str__(self) -> str:
        return self.text
