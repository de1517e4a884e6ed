"""The page as a reader sees it: a real Chromium, wide, narrow, dark and on paper."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest
from browser import Browser

from healthkit import reports

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
END = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def browser():
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def pages(fleet, tmp_path_factory):
    home = tmp_path_factory.mktemp("read") / "fleet"
    shutil.copytree(fleet, home)
    report = reports.make(home, "weekly", now=END)
    return report.html, home / "reports" / "index.html"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_complains_or_calls_out(browser, pages, width, dark):
    for page in pages:
        browser.open(page.as_uri(), width=width, dark=dark)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.seen.requests == [page.as_uri()]
        assert browser.seen.complaints == []


def test_every_picture_has_words(browser, pages):
    browser.open(pages[0].as_uri(), width=1280)
    silent = "[...document.querySelectorAll('img,svg')].filter(e => !e.alt && !e.ariaLabel && !e.closest('[aria-hidden=true],[aria-label]')).length"
    assert browser.evaluate(silent) == 0
    assert browser.evaluate("document.querySelectorAll('svg').length") > 10


def test_it_prints(browser, pages):
    browser.open(pages[0].as_uri(), width=1280)
    assert browser.pdf()[:5] == b"%PDF-"
