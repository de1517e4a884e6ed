"""What the documentation says is run: doctests of every module."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import healthkit
from healthkit.cli.main import main

MODULES = sorted(m.name for m in pkgutil.walk_packages(healthkit.__path__, "healthkit."))


@pytest.mark.parametrize(
    "name", [n for n in MODULES if not n.startswith(("healthkit.notebooks", "healthkit.__main__"))]
)
def test_doctests(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [
    (page.name, command)
    for page in PAGES
    for command in re.findall(
        r"^\$ (?:\S*/)?healthkit (.*?)(?:\s+#.*)?$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_in_the_documentation_are_understood(page, command):
    assert main([*shlex.split(command), "--help"]) == 0, f"{page}: healthkit {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_documentation_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


TOUR = re.findall(r"^\$ healthkit (.*)$", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.notebook
def test_the_tour_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    answers = {command: main(shlex.split(command)) for command in TOUR}
    assert len(answers) > 15
    asks = ("check ", "run ")  # these answer with what they found
    failed = {c: code for c, code in answers.items() if code not in ((0, 1, 2, 3) if c.startswith(asks) else (0,))}
    assert failed == {}, capsys.readouterr().err
