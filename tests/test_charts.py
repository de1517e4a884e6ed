from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from healthkit.charts import Band, Chart, Line, sparkline, ticks
from healthkit.display import table, text
from healthkit.plots import png
from healthkit.quantities import difference, digits, quantity

DAY = 86400.0
values = st.lists(st.one_of(st.just(math.nan), st.floats(-1e12, 1e12)), min_size=1, max_size=30)


def chart(ys, **more):
    return Chart(
        "c", "Disk <used>", "bytes", (Line("a", tuple(i * DAY for i in range(len(ys))), tuple(ys)),), "alt", **more
    )


@given(values)
def test_every_chart_is_well_formed_and_inside_its_box(ys):
    root = ET.fromstring(chart(ys, limit=1.0, marks=((0.0, "<deploy>"),)).html())
    for path in root.iter("path"):
        for y in re.findall(r"[ML]-?\d+ (-?\d+)", path.get("d", "")):
            assert -1 <= int(y) <= 301


@given(values)
def test_a_chart_survives_json(ys):
    before = chart(ys, bands=(Band("80 %", (0.0, DAY), (1.0, math.nan), (2.0, 3.0), 80),))
    after = Chart.from_dict(json.loads(json.dumps(before.as_dict(), allow_nan=False)))
    assert after.html() == before.html()


def test_a_gap_breaks_the_line_and_is_not_drawn_through():
    html = chart([1, 2, math.nan, 3, math.nan, 1]).html()
    path = re.search(r'class="line" d="([^"]+)"', html)[1]
    assert path.count("M") == 3
    assert path.count("h0") == 2


def test_a_sparkline_has_words():
    assert 'aria-label="no &lt;data&gt;"' in sparkline([math.nan], alt="no <data>")


def test_png_is_reproducible_and_twice_as_sharp():
    data = chart(
        [1, 2, math.nan, 4], limit=3.0, bands=(Band("80 %", (0.0, DAY), (1.0, 1.0), (2.0, 3.0), 80),)
    ).as_dict()
    picture = png(data)
    assert picture == png(data)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") == 1040


@given(st.floats(-1e15, 1e15), st.floats(1e-9, 1e15))
def test_ticks_are_few_and_inside(low, span):
    high = low + span
    if high - low < abs(low) * 1e-9:
        return
    found = ticks(low, high)
    assert 1 <= len(found) <= 11
    assert all(low - span * 1e-6 <= t <= high + span * 1e-6 for t in found)


def test_one_rounding_rule():
    assert quantity(0.0, "ratio") == "0\u00a0%"
    assert quantity(1023.9, "bytes") == "1\u00a0KiB"
    assert quantity(1.5 * 2**40, "bytes") == "1.5\u00a0TiB"
    assert quantity(2048, "bytes/s") == "2\u00a0KiB/s"
    assert quantity(0.00005, "seconds") == "50\u00a0µs"
    assert quantity(3 * 86400, "seconds") == "3\u00a0days"
    assert quantity(math.nan, "ratio") == quantity(None) == "unknown"
    assert difference(-0.021, "ratio") == "-2.1\u00a0points"


@given(st.floats(1e-3, 1e6))
def test_digits_keep_three_figures(value):
    assert abs(float(digits(value)) - value) <= abs(value) * 0.0051


def test_machine_text_is_shown_and_not_obeyed():
    assert (
        text("<img src=x onerror=alert(1)>\x1b[31m\n\u202e") == "&lt;img src=x onerror=alert(1)&gt;\\x1b[31m\\n\\u202e"
    )
    assert "<td>" in table(["a"], [[text("b")]], caption="what")


@given(st.integers(0, 10**10), st.floats(0, 3 * DAY))
def test_an_axis_of_any_span_has_names(start, span):
    html = Chart("c", "c", "", (Line("a", (start, start + span), (1.0, 2.0)),), "alt").html()
    assert len(re.findall('class="x"', html)) <= 8
    assert span < 10 or 'class="x"' in html


def test_hours_within_a_day_have_times():
    x = tuple(15 * 3600 + 300.0 * k for k in range(61))
    html = Chart("c", "c", "", (Line("a", x, (1.0,) * 61),), "alt").html()
    assert re.findall(r'class="x"[^>]*>([^<]+)', html) == ["15:00", "16:00", "17:00", "18:00", "19:00", "20:00"]
    assert ticks(0, 3e-13) == [0.0, 1e-13, 2e-13, 3e-13]
