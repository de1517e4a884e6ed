"""The wheel: one top-level name, everything inside, and it works where no checkout is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command, **more):
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "HEALTHKIT_HOME"}}
    return subprocess.run(
        [str(c) for c in command], check=True, text=True, capture_output=True, env=environment, **more
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        ROOT,
    )
    return next(folder.glob("*.whl"))


def test_every_package_is_listed():
    """An unlisted package works in a checkout and is missing from the wheel."""
    found = {"healthkit.collectors", "healthkit.reports", "healthkit.notebooks"}
    found |= {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "healthkit").rglob("__init__.py")}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == found


def test_constraints_hold_no_host_and_cover_every_requirement():
    pins = {
        re.split("[=@ ]", line)[0].lower(): line for line in (ROOT / "constraints.txt").read_text().split("\n") if line
    }
    assert not [line for line in pins.values() if "/" in line or "@" in line]
    groups = PYPROJECT["dependency-groups"]
    for requirement in [*PYPROJECT["project"]["dependencies"], *groups["test"], *groups["lint"]]:
        assert re.split("[<>=~ ]", requirement)[0].lower() in pins, requirement


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_the_wheel_has_one_top_level_name(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"healthkit"}
    for needed in ("healthkit/py.typed", "healthkit/healthkit.yaml", "healthkit/notebooks/weekly.ipynb"):
        assert needed in names
    assert any(name.startswith("healthkit/reports/templates/") for name in names)


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_the_wheel_runs_the_demo_outside_the_checkout(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
    index = run(tmp_path / "venv/bin/healthkit", "demo", "--hosts", "2", "--days", "15", cwd=tmp_path).stdout.strip()
    assert Path(index).name == "index.html"
    assert "simulated" in Path(index).read_text().lower()


@pytest.mark.slow
def test_a_host_that_only_collects_needs_four_packages(wheel, tmp_path):
    """As the README tells: `--no-deps` with the short constraints file."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "-r", ROOT / "constraints-collector.txt")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
    home = tmp_path / "home"
    run(tmp_path / "venv/bin/healthkit", "collect", "--home", home)
    installed = json.loads(run(python, "-m", "pip", "list", "--format", "json").stdout)
    assert {p["name"].lower() for p in installed} <= {
        "pip",
        "setuptools",
        "project-healthkit",
        "psutil",
        "click",
        "msgspec",
        "pyyaml",
    }
    assert list((home / "metrics" / "journal").glob("*.csv"))
