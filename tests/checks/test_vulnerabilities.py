"""pip-audit's JSON as it is, printed by a stand-in for the program."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime, timedelta

import pytest

from healthkit.checks import check
from healthkit.config import Application, Config, Security
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity

CLEAN = {"name": "flask", "version": "3.0.0", "vulns": []}
VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [
        {"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"], "aliases": ["CVE-2014-1402"], "description": "x"},
        {"id": "PYSEC-2021-66", "fix_versions": ["2.11.3"], "aliases": [], "description": "y"},
    ],
}
SKIPPED = {"name": "own-thing", "skip_reason": "Dependency not found on PyPI and could not be audited: own-thing (1.0)"}


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """Findings when pip-audit prints *output* and ends with *code*."""
    environment = tmp_path / "app/.venv/lib/python3.11/site-packages"
    environment.mkdir(parents=True)

    def judge(output, code=0, *, application=None, security=None, seconds=0.0, deadline=8.0, days=0.0):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "pip-audit"
        text = output if isinstance(output, str) else json.dumps(output)
        program.write_text(
            f"#!{sys.executable}\nimport sys, time\ntime.sleep({seconds})\nprint({text!r})\nprint('No known', file=sys.stderr)\nsys.exit({code})\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        config = Config(
            application=application or Application(directory=str(tmp_path / "app")), security=security or Security()
        )
        now = datetime.now(UTC) + timedelta(days=days)
        return check(tmp_path / "home", config=config, names=["vulnerabilities"], deadline=deadline, now=now)

    return judge


def test_a_vulnerable_tree_is_found(judge):
    """D01: jq counted `.vulnerabilities`, which pip-audit's JSON does not have: 0 for a vulnerable tree."""
    (finding,) = judge({"dependencies": [CLEAN, VULNERABLE], "fixes": []}, code=1)
    assert (finding.severity, finding.value, finding.label) == (CRITICAL, 2, "high")
    assert finding.evidence["vulnerable"]["jinja2"]["ids"] == ["PYSEC-2014-8", "PYSEC-2021-66"]
    assert finding.evidence["vulnerable"]["jinja2"]["fixed_in"] == ["2.11.3", "2.7.2"]


def test_a_clean_tree(judge):
    (finding,) = judge({"dependencies": [CLEAN], "fixes": []})
    assert (finding.severity, finding.value) == (OK, 0)


def test_skipped_packages_are_unknown(judge):
    """D01: behind a mirror every package is skipped, and `No known vulnerabilities found` is printed with exit 0."""
    found = judge({"dependencies": [SKIPPED, SKIPPED | {"name": "other"}], "fixes": []})
    assert {finding.severity for finding in found} == {UNKNOWN}
    found = judge({"dependencies": [CLEAN, SKIPPED], "fixes": []}, days=1)
    assert [finding.severity for finding in found] == [UNKNOWN, OK]
    assert found[0].evidence["skipped"] == {"own-thing": SKIPPED["skip_reason"]}


@pytest.mark.parametrize(
    "output", ["", "Traceback: ConnectionError", "[]", '{"dependencies": 3}', '{"vulnerabilities": []}']
)
def test_what_is_not_its_json_is_unknown(judge, output):
    """D01, D25: an empty or stale file was read as `no vulnerabilities`. Offline is UNKNOWN."""
    (finding,) = judge(output, code=1)
    assert finding.severity is UNKNOWN


def test_a_folder_without_an_environment_is_unknown(judge):
    (finding,) = judge({"dependencies": []}, security=Security(environments=("/nowhere/at/all",)))
    assert finding.severity is UNKNOWN


def test_without_pip_audit_it_is_unknown_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (finding,) = check(tmp_path, config=Config(), names=["vulnerabilities"])
    assert finding.severity is UNKNOWN
    assert finding.hint == "Install pip-audit."


def test_its_answer_is_kept_for_a_day_and_borne_for_a_week(judge):
    """D25: a stale result is told by its age, and kept in the home instead of under a name in /tmp."""
    judge({"dependencies": [VULNERABLE], "fixes": []})
    (kept,) = judge("offline", code=1)
    assert kept.severity is CRITICAL
    (old,) = judge("offline", code=1, days=6)
    assert old.severity is CRITICAL
    assert old.ts < datetime.now(UTC) + timedelta(minutes=1)
    (stale,) = judge("offline", code=1, days=9)
    assert stale.severity is UNKNOWN


def test_a_new_package_makes_the_kept_answer_worthless(judge, tmp_path):
    judge({"dependencies": [CLEAN], "fixes": []})
    packages = tmp_path / "app/.venv/lib/python3.11/site-packages"
    (packages / "jinja2").mkdir()
    os.utime(packages, (1, 1))
    (finding,) = judge("offline", code=1)
    assert finding.severity is UNKNOWN


def test_a_slow_audit_is_unknown_in_time(judge):
    (finding,) = judge({"dependencies": [CLEAN]}, seconds=30, deadline=1.0)
    assert finding.severity is UNKNOWN
    assert "security_review" in finding.hint or "by hand" in finding.hint


def test_a_damaged_memory_is_forgotten(judge, tmp_path):
    kept = tmp_path / "home/cache/pip-audit.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("[{")
    (finding,) = judge({"dependencies": [CLEAN], "fixes": []})
    assert finding.severity is OK
