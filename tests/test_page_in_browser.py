"""The page as a reader sees it: a real Chromium, wide, narrow, dark and on paper."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from browser import Browser

from healthkit import demo, display, reports
from healthkit.store import write_samples

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
END = datetime(2026, 11, 23, 6, tzinfo=UTC)
LONG = "web-frontend-production-eu-central-1-availability-zone-a-0001.internal.example.org"

WIDER = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.ariaLabel)"
"""Tables that have to be pushed sideways."""


@pytest.fixture(scope="module")
def browser():
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def pages(fleet, tmp_path_factory):
    """A week of a fleet, with a host of a long name, a page of one of its hosts, a quarter, and the index."""
    home = tmp_path_factory.mktemp("read") / "fleet"
    shutil.copytree(fleet, home)
    samples = demo.demo_data(hosts=1, days=9, end=END, every="1h").astype({"host": str, "device": str})
    long = samples.assign(host=LONG, device=samples["device"].replace("/var", f"/{'mount-of-the-' * 9}"))
    write_samples(home, long[long["metric"].str.contains("disk|cpu|http|simulated")], simulated=True)
    week = reports.make_each(home, "weekly", now=END)
    quarter = reports.make(home, "quarterly", period="2026-Q4", now=END)
    return week.report.html, week.pages[0].html, quarter.html, home / "reports" / "index.html"


def test_no_table_is_wider_than_a_phone_and_every_cell_stands_below_its_heading(browser, pages):
    """A row is a block there; its labels are the table's own headings, also of the widest table that has them."""
    bare = """[...document.querySelectorAll('.stack')].flatMap(t => [...t.tBodies[0].rows].flatMap(r => [...r.cells].slice(1)
        .filter(c => c.innerHTML && !r.cells[0].querySelector(':scope > .sev') && getComputedStyle(c, '::before').content
            !== JSON.stringify(t.tHead.rows[0].cells[c.cellIndex].textContent)).map(c => c.textContent)))"""
    for page in pages:
        browser.open(page.as_uri(), width=390)
        browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert browser.evaluate("document.querySelectorAll('.stack').length") > 0, page.name
        assert browser.evaluate(WIDER) == [], page.name
        assert browser.evaluate(bare) == [], page.name
    heads = [f"Column {number}: 'n' \\ <b>" for number in range(display.WIDEST)]
    widest = display.table(heads, [[str(number) for number in range(display.WIDEST)]])
    browser.evaluate(f"document.querySelector('.s-verdict, .cards').innerHTML = {json.dumps(widest)};0")
    assert browser.evaluate(bare) == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_complains_or_calls_out_and_everybody_can_read_it(browser, pages, width, dark):
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    found = "axe.run({resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map(v => [v.id, v.nodes[0].html])))"
    for page in pages:
        browser.open(page.as_uri(), width=width, dark=dark)
        assert browser.evaluate(WIDER) == [], page.name
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.seen.requests == [page.as_uri()]
        assert browser.seen.complaints == []
        browser.evaluate(f"{axe};0")
        assert json.loads(browser.evaluate(found)) == [], page.name


def test_no_row_is_split_on_paper(browser, pages):
    browser.open(pages[0].as_uri(), width=1280)
    browser.call("Emulation.setEmulatedMedia", media="print")
    inside = "[...document.querySelectorAll('tr, figure')].every(e => getComputedStyle(e).breakInside === 'avoid')"
    assert browser.evaluate(inside)
    assert browser.pdf()[:5] == b"%PDF-"
    browser.call("Emulation.setEmulatedMedia", media="")


def test_every_picture_has_words(browser, pages):
    browser.open(pages[0].as_uri(), width=1280)
    silent = "[...document.querySelectorAll('img,svg')].filter(e => !e.alt && !e.ariaLabel && !e.closest('[aria-hidden=true],[aria-label]')).length"
    assert browser.evaluate(silent) == 0
    assert browser.evaluate("document.querySelectorAll('svg').length") > 10
