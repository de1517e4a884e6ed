"""One section of a report: what a notebook cell shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from healthkit.bundles import MEDIA_TYPE, wrap

if TYPE_CHECKING:
    from healthkit.charts import Chart

__all__ = ["MEDIA_TYPE", "Section"]


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
        return wrap(self.name, self.html, self.text, self.data, self.charts)

    def __str__(self) -> str:
        return self.text
