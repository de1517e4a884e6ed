"""Matplotlib: `.plot()` for analysts, and PNG for mails, which show no SVG.

The only module that imports matplotlib, inside the functions: it costs half a second.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any

from healthkit.charts import Chart
from healthkit.quantities import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

INK, MUTED, ACCENT, CRITICAL = "#1b2733", "#5b6875", "#1f6feb", "#c5221f"
_INKS = (INK, ACCENT, MUTED, CRITICAL)
_STYLES: dict[str, dict[str, Any]] = {
    "line": {"color": INK, "linewidth": 1.4},
    "forecast": {"color": ACCENT, "linewidth": 1.6},
    "faint": {"color": MUTED, "linewidth": 0.8},
}


def plot(chart: Chart, ax: Axes | None = None) -> Axes:
    """Draw a chart on *ax*, or on a new figure that pyplot knows, so that a notebook shows it below the cell."""
    import matplotlib.dates as mdates

    ax = _axes(ax)
    for band in chart.bands:
        times = _days(band.x)
        ax.fill_between(times, band.lower, band.upper, color=ACCENT, alpha=0.13, linewidth=0, label=band.label)
    for line in chart.lines:
        ax.plot(_days(line.x), line.y, label=line.label, **_STYLES[line.style])
    if chart.limit is not None:
        ax.axhline(chart.limit, color=CRITICAL, linewidth=1, linestyle=(0, (5, 3)))
    for x, _ in chart.marks:
        ax.axvline(x / 86400, color=MUTED, linewidth=0.8, linestyle=":")
    ax.set_ylim(*chart.y_range())
    ax.xaxis_date(UTC)
    locator = mdates.AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return _dressed(ax, chart.title, chart.unit)


def dots(
    groups: Sequence[str],
    points: Mapping[str, Sequence[tuple[float, float, float]]],
    *,
    title: str,
    unit: str,
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw values with their intervals, side by side in groups, on *ax* or on a new figure that pyplot knows.

    Args:
        groups: What stands along the axis: hours, weekdays, components.
        points: By the name of what is drawn, for each group value, lower and upper end; NaN = unknown, not drawn.
        title: Above it.
        unit: Of the values.
        limit: Where a line is drawn.
        ax: Axes of the caller.
    """
    ax = _axes(ax)
    for place, (label, row) in enumerate(points.items()):
        x = [at + 0.5 * ((place + 0.5) / len(points) - 0.5) for at in range(len(groups))]
        ends = [[end if math.isfinite(end) else value for end in (lower, upper)] for value, lower, upper in row]
        ax.vlines(x, [low for low, _ in ends], [high for _, high in ends], color=MUTED, linewidth=1)
        ax.plot(x, [value for value, _, _ in row], "o", markersize=4, label=label, color=_INKS[place % len(_INKS)])
    if limit is not None:
        ax.axhline(limit, color=CRITICAL, linewidth=1, linestyle=(0, (5, 3)))
    if len(points) > 1:
        ax.legend(fontsize=8, frameon=False, ncols=len(points), labelcolor=MUTED)
    ax.set_xticks(range(len(groups)), groups, rotation=45 if len(groups) > 8 else 0)
    ax.set_xlim(-0.6, max(len(groups), 1) - 0.4)
    return _dressed(ax, title, unit)


def png(chart: dict[str, Any], *, scale: float = 2) -> bytes:
    """A chart as PNG.

    Args:
        chart: As `Chart.as_dict` wrote it.
        scale: Pixels per CSS pixel of a 520 px wide picture; 2 is sharp on today's screens.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 2.1), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    plot(Chart.from_dict(chart), figure.add_subplot())
    buffer = io.BytesIO()
    # Without the metadata that holds the library's version the same data gives the same bytes.
    figure.savefig(buffer, format="png", dpi=100 * scale, metadata={"Software": None})
    return buffer.getvalue()


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(7.2, 2.7), layout="constrained")[1]


def _dressed(ax: Axes, title: str, unit: str) -> Axes:
    """What all pictures share: title to the left, values with their unit, no frame."""
    from matplotlib.ticker import FuncFormatter

    ax.set_title(title, loc="left", fontsize=10, color=INK)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value, unit)))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(colors=MUTED, labelsize=8)
    ax.grid(axis="y", color="#e3e7eb", linewidth=0.6)
    return ax


@contextmanager
def set_aside() -> Iterator[None]:
    """Begin without a figure, and have the open ones back afterwards.

    A notebook that runs in this process would else draw on one of them, and never show it.
    """
    from matplotlib._pylab_helpers import Gcf  # pyplot's list of figures has no public door

    aside = dict(Gcf.figs)
    Gcf.figs.clear()
    try:
        yield
    finally:
        Gcf.figs.clear()
        Gcf.figs.update(aside)


def _days(seconds: tuple[float, ...]) -> list[float]:
    """Matplotlib's dates: days since 1970 UTC."""
    return [x / 86400 for x in seconds]
