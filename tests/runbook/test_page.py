"""docs/runbook.md: its commands are run, in order, in another place than the one they name."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from healthkit.cli.main import main as healthkit
from healthkit.runbook.flags import _ANSWERS
from healthkit.runbook.flags import main as runbook

PAGE = (Path(__file__).parents[2] / "docs/runbook.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


def test_the_commands_of_the_page_run(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HEALTHKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "home/metrics").mkdir(parents=True)
    assert len(COMMANDS) > 8
    for command in COMMANDS:
        words = shlex.split(command.replace("/opt/healthkit-shim", str(tmp_path / "shim")))
        if words[:3] == ["python", "-m", "healthkit.runbook"]:
            code = runbook(words[3:])
        else:
            assert words[0] == "healthkit"
            installs = ["--help"] if "install" in words else []  # not into this machine
            code = healthkit([*words[1:], *installs])
        assert code == 0, f"{command}: {capfd.readouterr().err}"
    assert (tmp_path / "shim/tools/health_checker/cli.py").exists()


def test_the_page_tells_of_every_flag():
    for flag in _ANSWERS:
        assert f"--{flag.replace('_', '-')}" in PAGE
