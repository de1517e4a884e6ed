"""The module that the old scripts call, and the folder that it lies in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from healthkit.runbook.shims import MARKER


@pytest.fixture
def shim(old, tmp_path):
    assert old("--install-shim", tmp_path / "shim").out == f"{tmp_path}/shim/tools/health_checker/cli.py\n"
    return tmp_path / "shim"


def call(command, shim, *flags, path=os.environ["PATH"], **more):
    environment = {"PATH": path, "PYTHONPATH": str(shim), "HOME": "/nonexistent"}
    return subprocess.run([command, "-m", "tools.health_checker.cli", *flags], env=environment, check=False, text=True, capture_output=True, **more)  # fmt: skip


def test_any_python_finds_healthkit_and_its_home(old, shim, tmp_path):
    """D41: cron's PATH has no `python`, and its working folder is not the checkout."""
    others = [shutil.which(name, path="/usr/bin:/usr/local/bin:/bin") for name in ("python3",)]
    for python in [*filter(None, others), sys.executable]:
        done = call(python, shim, "--send-alert", "--message", "two words", "--severity", "warning", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (old.home / "health.db").exists()
    assert "nobody was told" in done.stderr


def test_a_host_without_python_gets_one(shim):
    bare = f"{shim}/bin"
    done = call(f"{bare}/python", shim, "--nonsense", path=bare)
    assert done.returncode == 64
    yaml = subprocess.run([f"{bare}/python", "-c", "import yaml"], check=False, capture_output=True)
    assert yaml.returncode == 0  # the old scripts parse YAML with it


def test_a_module_in_the_working_folder_is_not_taken_for_ours(shim, tmp_path):
    (tmp_path / "healthkit.py").write_text("raise SystemExit(99)")
    assert call(sys.executable, shim, "--nonsense", cwd=tmp_path).returncode == 64


def test_it_is_written_again_and_leaves_what_is_not_ours(old, shim, tmp_path):
    assert old("--install-shim", shim).code == 0
    for name in ("tools/health_checker/cli.py", "bin/python"):
        other = tmp_path / "other"
        (other / name).parent.mkdir(parents=True)
        (other / name).write_text("# somebody's\n")
        done = old("--install-shim", other)
        assert done.code == 64
        assert (other / name).read_text() == "# somebody's\n"
        assert not [path for path in other.rglob("*") if path.is_file() and MARKER in path.read_text()]
        shutil.rmtree(other)


def test_the_folders_that_the_old_scripts_write_into_are_there(old, tmp_path):
    """D54: without `reports/quarterly` a copy into it became a file of that name, and the only report was deleted."""
    report = tmp_path / "dr-test-report.md"
    report.write_text("# Drill\n")
    subprocess.run(["cp", report, tmp_path / "quarterly"], check=True)
    assert (tmp_path / "quarterly").is_file()
    assert old("--install-shim", tmp_path / "shim").code == 0
    subprocess.run(["cp", report, f"{old.home}/reports/quarterly/"], check=True)
    assert (old.home / "reports/quarterly/dr-test-report.md").is_file()
    assert (old.home / "metrics").is_dir()
