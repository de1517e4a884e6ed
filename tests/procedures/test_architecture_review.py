"""What the architecture review is given: each step on worlds whose answer is known."""

from __future__ import annotations

import subprocess
import sysconfig
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from planning_worlds import Tools, history, sound_root

import healthkit as hk
from healthkit.config import Config, Security, Service
from healthkit.findings import Severity
from healthkit.procedures._dependency_trees import tree
from healthkit.state import State

NOW = datetime(2026, 11, 5, 3, tzinfo=UTC)


@pytest.fixture
def environment(tmp_path):
    """Three packages: `a` needs `B_b` and something for Windows, `b-b` needs what is not there."""
    folder = tmp_path / "env/lib/python3.11/site-packages"
    needs = {
        "a": ["B_b>=1", 'winner; sys_platform == "win32"', 'extra-thing; extra == "more"'],
        "b.b": ["missing-one"],
        "c": [],
    }
    for name, requires in needs.items():
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        lines = [f"Requires-Dist: {need}\n" for need in requires]
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{''.join(lines)}\n")
    return folder


def review(home, run=None, **more):
    sound_root(home / "root")
    config = Config(host="web-1", **more)
    return hk.run("architecture_review", home, config=config, now=NOW, root=str(home / "root"), run=run or Tools())


def step(run, name):
    return next(step for step in run.steps if step.name == name)


def test_components_and_the_program_behind_a_service(tmp_path):
    def run(args, *, timeout, stdin=""):
        answers = {"--search": "python3.11-minimal: /usr/bin/python3.11\n", "--show": "3.11.2-6"}
        said = answers[args[1]] if args[0] == "dpkg-query" else "[]"
        return subprocess.CompletedProcess(args, 0, said, "")

    services = (Service(name="me", process=Path("/proc/self/exe").resolve().name), Service(name="no"))
    done = review(tmp_path, run, services=services)
    told = step(done, "components").message
    assert told.startswith("Debian GNU/Linux 12 (bookworm), kernel ")
    assert "me python3.11-minimal 3.11.2-6" in told
    assert "no unknown" in told
    assert "no" in {f.subject for f in done.findings.of(Severity.UNKNOWN)}


def test_the_tree_of_packages(environment):
    found = tree(str(environment))
    assert found.packages == {"a": "1.0", "b-b": "1.0", "c": "1.0"}
    assert found.needs == {"a": ("b-b",), "b-b": (), "c": ()}
    assert found.top == ("a", "c")
    assert found.broken == ("b-b needs missing-one, which is not there",)
    assert found.depth == 2


def test_this_environment_has_no_unmet_need_of_healthkit():
    found = tree(sysconfig.get_paths()["purelib"])
    assert "project-healthkit" in found.packages
    assert not [line for line in found.broken if line.startswith("project-healthkit ")]


def test_outdated_packages(tmp_path, environment):
    newer = [{"name": "c", "version": "1.0", "latest_version": "2.0"}]
    security = Security(environments=(str(environment),))
    told = step(review(tmp_path, Tools(outdated=newer), security=security), "outdated")
    assert "1 package of" in told.message
    assert "c 1.0 (newest 2.0)" in told.message


def test_without_an_index_it_is_unknown(tmp_path, environment):
    """pip lists no outdated package and exits 0 where there is no network: a false green."""

    def offline(args, *, timeout, stdin=""):
        if "install" in args:
            return subprocess.CompletedProcess(args, 1, "", "ERROR: No matching distribution found for pip\n")
        return Tools()(args, timeout=timeout)

    done = review(tmp_path, offline, security=Security(environments=(str(environment),)))
    assert step(done, "outdated").status == "unknown"
    assert "No matching distribution" in step(done, "outdated").message


def test_bottlenecks_by_use_saturation_and_errors(tmp_path):
    history(tmp_path, {
        ("cpu_busy_ratio", ""): np.full(20, 0.9),
        ("cpu_pressure_some_ratio", ""): np.full(20, 0.3),
        ("memory_used_ratio", ""): np.full(20, 0.4),
        ("disk_used_ratio", "/"): np.full(20, 0.2),
        ("disk_read_only", "/"): np.r_[np.zeros(18), 1, 1],
    }, end=NOW)  # fmt: skip
    found = step(review(tmp_path), "bottlenecks").evidence["resources"]
    assert [one["resource"] for one in found] == ["disk space", "CPU", "memory"]
    assert (found[0]["errors"], found[0]["days"]) == (2, 20)
    assert (found[1]["use"], found[1]["saturation"]) == (pytest.approx(0.9), pytest.approx(0.3))
    assert found[2]["saturation"] is None, "was not measured, and is not 0"


def test_findings_by_age(tmp_path):
    def finding(check):
        return {"check": check, "subject": "x", "severity": "warning"}

    with State(tmp_path) as state:
        for days, checks in ((40, ["old"]), (20, ["old", "gone"]), (10, ["old"]), (5, ["old", "new"])):
            report = {"overall_score": 80, "coverage": 1, "findings": [finding(c) for c in checks]}
            state.record_health_report(report, host="web-1", now=NOW - timedelta(days=days))
    rows = step(review(tmp_path), "findings").evidence["findings"]
    assert {row["check"]: round(row["days"]) for row in rows} == {"old": 40, "new": 5}


def test_drills_that_never_were_are_said(tmp_path):
    done = review(tmp_path)
    assert step(done, "drills").message.startswith("0 of 0 recovery drills held")
    assert {"dr_drill", "restore_test"} <= {f.subject for f in done.findings.of(Severity.WARNING)}
    with State(tmp_path) as state:
        state.record_task_run(
            "dr_drill", started=NOW - timedelta(days=3), ended=NOW - timedelta(days=3) + timedelta(seconds=90),
            status="ok", host="web-1", detail={"procedure": "dr_drill", "steps": []},
        )  # fmt: skip
    told = step(review(tmp_path), "drills").message
    assert told.startswith("1 of 1 recovery drills held, the last on 2026-11-02")
    assert "the slowest drill took 90" in told
