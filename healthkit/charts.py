"""Charts as data, and as SVG that scales.

A `Chart` holds numbers only: the page draws it as a small SVG (here), a mail as PNG (`plots.png`), JSON carries it
along. Lines are stretched to the width of the reader's screen while the labels are HTML and keep their size: readable
at 390 px and on paper, a few hundred bytes each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from healthkit.display import text
from healthkit.quantities import quantity, when

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

WIDTH, HEIGHT = 1000, 300


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    label: str
    x: tuple[float, ...]
    """Seconds since 1970 UTC, ascending."""
    y: tuple[float, ...]
    """NaN = not measured: the line breaks."""
    style: str = "line"
    """`line`, `forecast` or `faint`: the class that CSS colours."""


@dataclass(frozen=True, slots=True)
class Band:
    """An interval over time."""

    label: str
    x: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    level: int
    """Per cent that it is meant to hold."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows."""

    name: str
    """Unique in its report; becomes the anchor and the file name in a mail."""
    title: str
    unit: str
    lines: tuple[Line, ...]
    alt: str
    """The text alternative: what the chart says, in numbers."""
    bands: tuple[Band, ...] = ()
    limit: float | None = None
    marks: tuple[tuple[float, str], ...] = ()
    """Events: seconds since 1970 UTC, and what happened."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; NaN becomes null."""
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "alt": self.alt,
            "limit": self.limit,
            "marks": [list(mark) for mark in self.marks],
            "lines": [{"label": i.label, "style": i.style, "x": list(i.x), "y": _plain(i.y)} for i in self.lines],
            "bands": [
                {"label": b.label, "level": b.level, "x": list(b.x), "lower": _plain(b.lower), "upper": _plain(b.upper)}
                for b in self.bands
            ],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Chart:
        """The chart that `as_dict` wrote."""
        return cls(
            name=data["name"],
            title=data["title"],
            unit=data["unit"],
            alt=data["alt"],
            limit=data["limit"],
            marks=tuple((x, label) for x, label in data["marks"]),
            lines=tuple(Line(i["label"], tuple(i["x"]), _nan(i["y"]), i["style"]) for i in data["lines"]),
            bands=tuple(
                Band(b["label"], tuple(b["x"]), _nan(b["lower"]), _nan(b["upper"]), b["level"]) for b in data["bands"]
            ),
        )

    def x_range(self) -> tuple[float, float]:
        """First and last moment shown."""
        spans = [line.x for line in self.lines] + [band.x for band in self.bands]
        xs = [x for span in spans for x in span[:1] + span[-1:]]
        low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
        return low, high if high > low else low + 1

    def y_range(self) -> tuple[float, float]:
        """Lowest and highest value shown; ratios keep to 0 and 1, and the limit is in sight."""
        ys = [y for line in self.lines for y in line.y] + [y for band in self.bands for y in (*band.lower, *band.upper)]
        ys = [y for y in ys if math.isfinite(y)]
        if self.limit is not None:
            ys.append(self.limit)
        low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
        pad = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        bottom = max(low - pad, 0.0) if low >= 0 else low - pad
        top = min(high + pad, 1.0) if self.unit == "ratio" and high <= 1 else high + pad
        return (bottom, top) if top > bottom else (bottom, bottom + 1)

    def html(self) -> str:
        """A `<figure>` with SVG lines and HTML labels."""
        (x0, x1), (y0, y1) = self.x_range(), self.y_range()

        def points(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[int, int] | None]:
            return [
                (round((x - x0) / (x1 - x0) * WIDTH), round((y1 - y) / (y1 - y0) * HEIGHT))
                if math.isfinite(y)
                else None
                for x, y in zip(xs, ys, strict=True)
            ]

        grid = "".join(f"M0 {round((y1 - y) / (y1 - y0) * HEIGHT)}H{WIDTH}" for y in ticks(y0, y1))
        shapes = [f'<path class="grid" d="{grid}"/>']
        shapes += [
            f'<path class="band b{b.level}" d="{_area(points(b.x, b.lower), points(b.x, b.upper))}"/>'
            for b in self.bands
        ]
        shapes += [f'<path class="{line.style}" d="{_path(points(line.x, line.y))}"/>' for line in self.lines]
        labels = []
        if ahead := next((line.x[0] for line in self.lines if line.style == "forecast" and line.x), None):
            shapes.append(f'<path class="now" d="M{round((ahead - x0) / (x1 - x0) * WIDTH)} 0V{HEIGHT}"/>')
        if self.limit is not None:
            y = round((y1 - self.limit) / (y1 - y0) * HEIGHT)
            shapes.append(f'<path class="limit" d="M0 {y}H{WIDTH}"/>')
            labels.append(
                f'<span class="at" style="top:{y / HEIGHT:.0%}">limit {text(quantity(self.limit, self.unit))}</span>'
            )
        for x, label in self.marks:
            place = round((x - x0) / (x1 - x0) * WIDTH)
            shapes.append(f'<path class="mark" d="M{place} 0V{HEIGHT}"/>')
            side = " end" if place > WIDTH * 0.6 else ""
            labels.append(f'<span class="mark{side}" style="left:{place / WIDTH:.0%}">{text(label)}</span>')
        labels += [
            f'<span class="y" style="top:{(y1 - y) / (y1 - y0):.1%}">{quantity(y, self.unit)}</span>'
            for y in ticks(y0, y1)
        ]
        labels += [
            f'<span class="x" style="left:{(x - x0) / (x1 - x0):.1%}">{label}</span>' for x, label in _dates(x0, x1)
        ]
        return (
            f'<figure class="chart" id="{text(self.name)}"><figcaption>{text(self.title)}</figcaption>'
            f'<div class="plot" role="img" aria-label="{text(self.alt)}">'
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{"".join(shapes)}</svg>'
            f'<div class="labels" aria-hidden="true">{"".join(labels)}</div></div></figure>'
        )


def fan(
    name: str,
    title: str,
    *,
    unit: str,
    past: pd.Series[float],
    mean: pd.Series[float],
    bands: Mapping[int, tuple[pd.Series[float], pd.Series[float]]],
    alt: str,
    limit: float | None = None,
    marks: tuple[tuple[float, str], ...] = (),
) -> Chart:
    """What was measured, where it goes, and how sure that is.

    Args:
        name: See `Chart`.
        title: Heading.
        unit: Of all values.
        past: Measured, by UTC time; NaN = not measured.
        mean: Expected, by UTC time.
        bands: {level in %: lower and upper end}, by the times of *mean*.
        alt: What it says, in words.
        limit: Drawn as a line.
        marks: Events, as in `Chart`.
    """
    x, ahead = _seconds(past), _seconds(mean)
    lines = (Line("measured", x, tuple(map(float, past))), Line("forecast", ahead, tuple(map(float, mean)), "forecast"))
    wide_first = sorted(bands.items(), reverse=True)
    drawn = tuple(Band(f"{level} %", ahead, tuple(low), tuple(high), level) for level, (low, high) in wide_first)
    return Chart(name, title, unit, lines, alt, drawn, limit, marks)


def _seconds(series: pd.Series[float]) -> tuple[float, ...]:
    return tuple(moment.timestamp() for moment in series.index)


def sparkline(values: Sequence[float], *, alt: str, bounds: tuple[float, float] | None = None) -> str:
    """A line the height of a word.

    Args:
        values: In order; NaN = not measured: the line breaks, and a lone value between gaps is a dot.
        alt: The text alternative.
        bounds: Lowest and highest value of the scale; default: of the values.
    """
    finite = [v for v in values if math.isfinite(v)]
    low, high = bounds or ((min(finite), max(finite)) if finite else (0.0, 1.0))
    scale = (high - low) or 1.0
    points = [
        (i, round(15 - (min(max(v, low), high) - low) / scale * 14)) if math.isfinite(v) else None
        for i, v in enumerate(values)
    ]
    width = max(len(values) - 1, 1)
    return (
        f'<svg class="spark" viewBox="0 0 {width} 16" preserveAspectRatio="none" role="img" aria-label="{text(alt)}">'
        f'<path d="{_path(points)}"/></svg>'
    )


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About *count* round values inside [low, high]: multiples of 1, 2, 2.5 or 5 times a power of ten.

    >>> ticks(0.0, 1.0)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _days(x0: float, x1: float) -> list[float]:
    """Midnights UTC: four to seven of them over the range."""
    span = max((x1 - x0) / 86400, 1e-9)
    step = next((s for s in (1, 2, 7, 14, 30, 60, 91, 182, 365) if span / s <= 6.5), math.ceil(span / 6))
    first = _utc(x0).replace(hour=0, minute=0, second=0, microsecond=0)
    moments = (first + timedelta(days=k) for k in range(0, math.ceil(span) + 2, step))
    return [m.timestamp() for m in moments if x0 <= m.timestamp() <= x1]


def _dates(x0: float, x1: float) -> list[tuple[float, str]]:
    """Days to name on an axis, with the year where a new one has begun; of less than two days the times."""
    if x1 - x0 < 2 * 86400:
        return _times(x0, x1)
    days = _days(x0, x1)
    former = [x0, *days[:-1]]
    return [(x, when(_utc(x), now=_utc(before))) for x, before in zip(days, former, strict=True)]


def _times(x0: float, x1: float) -> list[tuple[float, str]]:
    """Round times UTC, at most seven of them over less than two days; of midnight the day."""
    steps = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200)
    step = next(s for s in steps if (x1 - x0) / s <= 6.5)
    moments = [k * step for k in range(math.ceil(x0 / step), math.floor(x1 / step) + 1)]
    form = "%H:%M" if step >= 60 else "%H:%M:%S"
    return [(x, _utc(x).strftime(form) if x % 86400 else when(_utc(x), now=_utc(x))) for x in moments]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _path(points: Sequence[tuple[int, int] | None]) -> str:
    """SVG path: a new stretch after each gap; a lone point becomes a dot (a line of no length, drawn round).

    In relative coordinates, half the bytes: a fleet's page has hundreds of them.
    """
    stretches: list[str] = []
    last: tuple[int, int] | None = None
    for point in points:
        if point and last:
            stretches[-1] += f"{' ' if 'l' in stretches[-1] else 'l'}{point[0] - last[0]} {point[1] - last[1]}"
        elif point:
            stretches.append(f"M{point[0]} {point[1]}")
        last = point
    return "".join(stretch if "l" in stretch else f"{stretch}h0" for stretch in stretches).replace(" -", "-")


def _area(lower: Sequence[tuple[int, int] | None], upper: Sequence[tuple[int, int] | None]) -> str:
    there = [(a, b) for a, b in zip(lower, upper, strict=True) if a is not None and b is not None]
    if not there:
        return ""
    return _path([b for _, b in there] + [a for a, _ in reversed(there)]) + "Z"


def _plain(values: Sequence[float]) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values]


def _nan(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if v is None else v for v in values)
