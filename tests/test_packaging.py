"""The wheel: one top-level name, everything inside, and it works where no checkout is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command, **more):
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "HEALTHKIT_HOME"}}
    return subprocess.run(
        [str(c) for c in command], check=True, text=True, capture_output=True, env=environment, **more
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: the folder `build` of a checkout, where two builds would meet, may hold files that are gone."""
    source, folder = tmp_path_factory.mktemp("source") / "healthkit", tmp_path_factory.mktemp("dist")
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "healthkit-demo")
    )
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    run(sys.executable, "-m", "pip", "wheel", *options, folder, source)
    return next(folder.glob("*.whl"))


def empty_venv(folder):
    """The interpreter of a new environment, and the command that installs into it."""
    venv.create(folder)
    python = folder / "bin" / "python"
    return python, [sys.executable, "-m", "pip", "--python", python]


def link_requirements(name, site, linked):
    """Link from this environment into *site* what a distribution asks for and what that asks for, and nothing else.

    It is what pip would install, in a second instead of a minute: pip resolved the same requirements for this environment.
    """
    base, _, extras = name.partition("[")
    for text in metadata.distribution(base).requires or ():
        requirement = Requirement(text)
        asked = [{"extra": extra} for extra in ("", *extras.rstrip("]").split(","))]
        full = f"{requirement.name}[{','.join(sorted(requirement.extras))}]"
        if full in linked or (requirement.marker and not any(map(requirement.marker.evaluate, asked))):
            continue
        linked.add(full)
        files = metadata.distribution(requirement.name).files
        for top in {path.parts[0] for path in files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(metadata.distribution(requirement.name).locate_file(top))
        link_requirements(full, site, linked)


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
    python, pip = empty_venv(tmp_path / "venv")
    run(*pip, "install", "--quiet", "--no-deps", wheel)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    link_requirements("project-healthkit", site, set())
    assert not (site / "pytest").exists()
    assert Path(run(python, "-P", "-c", "import healthkit; print(healthkit.__file__)").stdout.strip()).is_relative_to(
        site
    )
    index = run(tmp_path / "venv/bin/healthkit", "demo", "--hosts", "1", "--days", "8", cwd=tmp_path).stdout.strip()
    assert Path(index).name == "index.html"
    assert "simulated" in Path(index).read_text().lower()


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_a_host_that_only_collects_needs_four_packages(wheel, tmp_path):
    """As the README tells: `--no-deps` with the short constraints file."""
    _, pip = empty_venv(tmp_path / "venv")
    run(*pip, "install", "--quiet", "-r", ROOT / "constraints-collector.txt")
    run(*pip, "install", "--quiet", "--no-deps", wheel)
    home = tmp_path / "home"
    run(tmp_path / "venv/bin/healthkit", "collect", "--home", home)
    installed = {package["name"].lower() for package in json.loads(run(*pip, "list", "--format", "json").stdout)}
    assert installed == {"project-healthkit", "psutil", "click", "msgspec", "pyyaml"}
    assert list((home / "metrics" / "journal").glob("*.csv"))
