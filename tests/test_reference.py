"""The reference pages say what the code says, and no key of the configuration is without a meaning."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_the_pages_are_made_from_the_code_as_it_is(pages):
    for name, text in pages.items():
        assert (DOCS / name).read_text(encoding="utf-8") == text.rstrip() + "\n", "run `make reference`"


def test_every_key_has_a_meaning(pages):
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]* \|([^|]*)\|$", pages["configuration.md"], re.MULTILINE)
    assert len(rows) > 70
    assert [key for key, kind, meaning in rows if not meaning.strip() and not kind.startswith("see ")] == []
