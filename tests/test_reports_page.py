"""The page: lean, safe, the same for the same inputs, readable by everybody."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from sample_notebook import notebook, weekly, write

from healthkit import display
from healthkit.errors import ReportError
from healthkit.reports import execute, render
from healthkit.reports.markup import clean, markdown, slug

pytestmark = pytest.mark.notebook


class Elements(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *tags):
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def executed(folder):
    return execute(write(weekly(), folder / "in.ipynb"), folder / "out.ipynb", {"simulated": True})


@pytest.fixture(scope="module")
def page(executed):
    return render(executed)


def test_nothing_acts_and_nothing_is_fetched(page):
    elements = Elements(page)
    assert not elements.all("script", "iframe", "object", "embed", "form", "base", "audio", "video")
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "srcset", "data", "poster", "background", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert [a["href"] for a in elements.all("link")] == ["data:,"]
    assert all(a["href"].startswith("#") for a in elements.all("a"))
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in elements.all("meta")[2]["content"]


def test_hostile_text_is_shown_and_not_obeyed(page):
    assert "\x1b" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 3  # attention, data frame, printed
    assert "alert(1)&lt;/script&gt;" in page  # Markdown with raw HTML
    assert "<script" not in page


def test_it_is_a_document(page):
    elements = Elements(page)
    assert elements.all("html") == [{"lang": "en"}]
    assert re.search(r"<title>Weekly report · 2026-W47 · 2 hosts \(simulated\)</title>", page)
    assert len(elements.all("h1")) == len(elements.all("main")) == 1
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in elements.all("a")} <= set(ids)
    assert {"what-needs-a-hand", "days-until-full", "report"} <= set(ids)
    assert all(a.get("alt") for a in elements.all("img"))
    assert all(a.get("aria-label") or a.get("aria-hidden") == "true" for a in elements.all("svg"))
    assert all(a.get("tabindex") == "0" for a in elements.all("div") if a.get("class") == "scroll")


def test_code_is_left_to_the_notebook_and_the_style_is_there_once(page):
    assert "def verdict" not in page
    assert page.count(display.STYLE) == 1
    assert len(page) < 30_000


def test_simulated_data_is_marked(executed, folder):
    assert "<strong>Simulated data.</strong>" in render(executed)
    real = execute(folder / "in.ipynb", folder / "real.ipynb", {})
    assert "Simulated" not in render(real)
    assert "simulated" not in re.search("<title>.*</title>", render(real))[0]


def test_the_same_inputs_give_the_same_bytes(folder, page):
    again = execute(folder / "in.ipynb", folder / "again.ipynb", {"simulated": True})
    assert render(again) == page


def test_up_to_the_failing_cell(folder):
    path = write(
        notebook("# Report", "'made'", "raise RuntimeError('disk <gone>')", "'never'"), folder / "failing.ipynb"
    )
    with pytest.raises(ReportError):
        execute(path, folder / "failed.ipynb", {})
    page = render(nbformat.read(folder / "failed.ipynb", 4))
    assert "This report is incomplete.</strong> Cell 3 failed: RuntimeError: disk &lt;gone&gt;." in page
    assert "&#39;made&#39;" in page or "'made'" in page
    assert "never" not in page
    assert "<summary>Traceback</summary>" in page
    assert "An Exception was encountered" not in page  # papermill's own marks, in red and in English of its own


def test_what_users_cells_show(folder):
    outputs = {
        "image/png": "iVBORw0KGgo=\n",
        "text/markdown": "*so*",
        "text/latex": "$x$",
        "text/plain": "plain <text>",
        "application/json": {"a": 1},
    }
    cells = [new_markdown_cell("# One\n## Two\n## Two\n### Café & <b>bar</b>")]
    for kind, value in outputs.items():
        data = {"text/plain": f"twin of {kind}", kind: value}
        cells.append(new_code_cell("x", outputs=[new_output("display_data", data=data)]))
    made = nbformat.v4.new_notebook(cells=cells)
    page = render(made)
    assert 'id="two"' in page
    assert 'id="two-2"' in page
    assert 'id="cafe-bar"' in page or 'id="cafe-b-bar-b"' in page
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="twin of image/png">' in page
    assert "<em>so</em>" in page
    assert "twin of text/latex" in page
    assert "plain &lt;text&gt;" in page


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2.2, relative luminance and contrast ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_enough_in_light_dark_and_print(page):
    schemes = [
        dict(re.findall(r"--(\w+): ?(#[0-9a-f]{3,6})", block)) for block in re.findall(r":root ?{([^}]*)}", page)
    ]
    schemes = [scheme for scheme in schemes if "ink" in scheme]
    assert len(schemes) == 3
    for scheme in schemes:
        full = {name: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:]) for name, c in scheme.items()}
        for name in ("ink", "muted", "accent", "critical", "warning", "unknown", "info", "ok"):
            for ground in {"paper", "soft", "raised"} & full.keys():
                assert contrast(full[name], full[ground]) >= 4.5, (name, ground, full)


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_any_text_becomes_harmless(text):
    for made in (clean(text), markdown(text)):
        elements = Elements(made)
        assert not elements.all("script", "style", "iframe", "svg", "object")
        assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<b onclick="x()">bold</b>', "<b>bold</b>"),
        ("a<script>alert(1)</script>b", "ab"),
        (
            "<style>x</style><table border=1><tr><td colspan=2>1</td></tr></table>",
            '<table><tr><td colspan="2">1</td></tr></table>',
        ),
        ('<a href="javascript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="https://example.org/">x</a>', '<a href="https://example.org/">x</a>'),
        ('<img src="https://example.org/x.png" alt="a &lt;picture>">', "a &lt;picture&gt;"),
        ('<img src="data:image/png;base64,AA==">', '<img src="data:image/png;base64,AA==">'),
        ("<svg><script>x</script></svg>y", "y"),
        ("<p><b>unclosed", "<p><b>unclosed</b></p>"),
        ("<p>&lt;script&gt;</p></div>", "<p>&lt;script&gt;</p>"),
    ],
)
def test_clean(html, expected):
    assert clean(html) == expected


def test_markdown():
    assert markdown("[x](javascript:alert(1)) ![pic](http://example.org/x.png)").startswith("<p><a>x</a> pic")
    assert "<table>" in markdown("| a | b |\n|---|---|\n| 1 | 2 |")
    assert "&lt;b&gt;" in markdown("<b>x</b>")
