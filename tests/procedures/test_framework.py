"""Runs, steps, locks and records, with procedures made for the purpose."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest

import healthkit as hk
from healthkit import procedures
from healthkit.cli.main import main
from healthkit.errors import ParameterError
from healthkit.state import State

HEADER = """
from healthkit.errors import ProcedureError
from healthkit.procedures import Action, Outcome
from healthkit.findings import Severity
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Drop a module beside the others: that is all it takes."""
    folder = tmp_path / "more"
    folder.mkdir()
    monkeypatch.setattr(procedures, "__path__", [*procedures.__path__, str(folder)])
    made = []

    def install(name, body):
        (folder / f"{name}.py").write_text(f'"""Does {name}."""\n{HEADER}\n{textwrap.dedent(body)}')
        made.append(f"healthkit.procedures.{name}")

    yield install
    for name in made:
        sys.modules.pop(name, None)
        procedures.__dict__.pop(name.rpartition(".")[2], None)
    procedures.load.cache_clear()


def test_each_procedure_says_whether_it_acts():
    acting = {name for name in procedures.names() if procedures.load(name).acts}
    assert {"backup", "log_rotation"} <= acting
    assert not acting & {"backup_verification", "restore_test", "security_review"}
    assert all(procedures.load(name).summary.endswith(".") for name in procedures.names())


def test_an_unknown_name_or_option_is_a_parameter_error(tmp_path):
    with pytest.raises(ParameterError, match="bakcup"):
        hk.run("bakcup", tmp_path)
    with pytest.raises(ParameterError, match="no option 'x'"):
        hk.run("backup", tmp_path, options={"x": "1"})


def test_a_failed_step_is_told_and_the_later_ones_are_skipped(install, tmp_path):
    """D44: without `set -e` the last command's status was the job's, and a failure in the middle was nobody's."""
    install(
        "breaks",
        """
        ACTS = True
        def broken():
            raise OSError(28, "No space left on device", "/x")
        def steps(scene):
            yield Action("first", lambda: Outcome("done"))
            yield Action("second", broken)
            yield Action("third", lambda: Outcome("must not happen"))
        """,
    )
    run = hk.run("breaks", tmp_path, dry_run=False)
    assert [step.status for step in run.steps] == ["ok", "failed", "skipped"]
    assert (run.status, run.exit_code) == ("failed", 2)
    (finding,) = run.findings
    assert finding.subject == "second"
    assert "No space left" in finding.message
    assert "failed at second" in str(run)
    with State(tmp_path) as state:
        (record,) = state.records("task_runs")
    assert (record["task"], record["status"], record["exit_code"]) == ("breaks", "failed", 2)
    assert record["detail"]["steps"][1]["message"] == finding.message


def test_a_dry_run_does_nothing_and_keeps_no_record(install, tmp_path):
    install(
        "acts",
        """
        ACTS = True
        def steps(scene):
            yield Action("look", lambda: Outcome("seen"))
            yield Action("do", lambda: 1 / 0, lambda: Outcome("would do"))
        """,
    )
    home = tmp_path / "home"
    run = hk.run("acts", home)
    assert run.dry_run
    assert [(step.status, step.message) for step in run.steps] == [("ok", "seen"), ("planned", "would do")]
    assert not home.exists()


def test_a_mistake_of_ours_flies_and_is_recorded(install, tmp_path):
    install("wrong", 'ACTS = False\ndef steps(scene):\n    yield Action("do", lambda: 1 / 0)\n')
    with pytest.raises(ZeroDivisionError):
        hk.run("wrong", tmp_path)
    with State(tmp_path) as state:
        (record,) = state.records("task_runs")
    assert record["status"] != "ok"
    assert "ZeroDivisionError" in record["detail"]["steps"][-1]["message"]


def test_a_missing_tool_and_a_closed_door_are_unknown(install, tmp_path):
    install(
        "asks",
        """
        ACTS = True
        def closed():
            raise PermissionError(13, "Permission denied", "/root")
        def steps(scene):
            yield Action("ask", closed) if "closed" in scene.options else Action("ask", lambda: scene.tool("no-such-tool"))
        OPTIONS = {"closed": "x"}
        """,
    )
    missing, closed = (hk.run("asks", tmp_path, dry_run=False, options=o) for o in ({}, {"closed": "1"}))
    assert (missing.exit_code, closed.exit_code) == (3, 3)
    assert missing.findings[0].hint == "Install no-such-tool."
    assert missing.status == "unknown"


def test_two_runs_at_once_are_one(install, tmp_path):
    """D43: no lock, so that a long job and the next one ran into each other."""
    install(
        "nested",
        """
        import healthkit
        ACTS = True
        def again(scene):
            inner = healthkit.run("nested", scene.home, dry_run=False)
            return Outcome(inner.status, {"exit": inner.exit_code, "message": inner.findings[0].message})
        def steps(scene):
            yield Action("again", lambda: again(scene))
        """,
    )
    run = hk.run("nested", tmp_path, dry_run=False)
    (step,) = run.steps
    assert (step.message, step.evidence["exit"]) == ("skipped", 1)
    assert f"process {os.getpid()}" in step.evidence["message"]
    assert hk.run("nested", tmp_path, dry_run=False).status == "ok", "the lock is free again"


def test_a_killed_run_is_told_by_the_next(install, tmp_path):
    install("quick", 'ACTS = True\ndef steps(scene):\n    yield Action("do", lambda: Outcome("done"))\n')
    started = datetime(2026, 11, 22, tzinfo=UTC)
    with State(tmp_path) as state:
        state.record_task_run(
            "quick", started=started, ended=None, status="running", detail={"procedure": "quick", "pid": 1}
        )
        state.record_task_run("quick", started=started, ended=None, status="running", detail={"by": "the schedule"})
    hk.run("quick", tmp_path, dry_run=False)
    with State(tmp_path) as state:
        assert sorted(row["status"] for row in state.records("task_runs")) == ["failed", "ok", "running"]


def test_a_database_that_is_broken_keeps_no_run_from_its_work(install, tmp_path):
    install("works", 'ACTS = True\ndef steps(scene):\n    yield Action("do", lambda: Outcome("done"))\n')
    (tmp_path / "health.db").write_bytes(b"no database" * 100)
    run = hk.run("works", tmp_path, dry_run=False)
    assert run.status == "ok"
    assert list((tmp_path / "spool").glob("*.jsonl")), "the record waits in the spool"


def test_a_run_as_json_and_as_table(install, tmp_path):
    install("plain", 'ACTS = False\ndef steps(scene):\n    yield Action("do", lambda: Outcome("done", {"n": 1}))\n')
    run = hk.run("plain", tmp_path)
    body = json.loads(json.dumps(run.as_dict()))
    assert body["steps"][0]["evidence"] == {"n": 1}
    assert list(run.to_frame()["status"]) == ["ok"]
    assert (body["exit_code"], body["status"], body["dry_run"]) == (0, "ok", False)
    assert str(run).startswith("plain: 1 of 1 step done")


def test_a_signal_ends_a_run_in_order(tmp_path):
    """What was begun is undone, and the record says what happened."""
    code = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(tmp_path)!r})
from healthkit import procedures
from healthkit.procedures import Action, Outcome
import types
module = types.ModuleType("healthkit.procedures.sleeps")
module.__doc__ = "Sleeps."
module.ACTS = True
def rest(scene):
    (scene.workspace / "secret").write_text("x")
    print(scene.workspace, flush=True)
    time.sleep(60)
module.steps = lambda scene: iter([Action("rest", lambda: rest(scene))])
sys.modules["healthkit.procedures.sleeps"] = module
procedures.names = lambda: ("sleeps",)
procedures.run("sleeps", {str(tmp_path / "home")!r}, dry_run=False)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    workspace = process.stdout.readline().strip()
    assert os.path.exists(os.path.join(workspace, "secret"))  # noqa: PTH110, PTH118
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    process.stdout.close()
    assert not os.path.exists(workspace)  # noqa: PTH110
    with State(tmp_path / "home") as state:
        (record,) = state.records("task_runs")
    assert (record["status"], record["detail"]["steps"][-1]["message"]) == ("failed", "ended by signal 15")


def test_the_command_lists_runs_and_exits_like_a_check(host, capsys):
    def cli(*arguments):
        return main(["run", *arguments, "--home", str(host.home)])

    assert cli() == 0
    listed = capsys.readouterr().out
    assert "needs --apply" in listed
    assert "restore_test" in listed
    (host.home / "config/healthkit.yaml").write_text(
        f"host: web-1\nbackups: {{directory: {host.backups}}}\ndatabases: [{{name: health, path: {host.database}}}]\n"
    )
    assert cli("backup", "--format", "json") == 0
    dry = capsys.readouterr()
    assert "dry run" in dry.err
    assert json.loads(dry.out)["dry_run"] is True
    assert not host.backups.exists()
    assert cli("backup_verification") == 2
    assert cli("backup", "--apply") == 0
    assert cli("backup_verification") == 0
    assert cli("nonsense") == 64


def test_the_types_are_at_the_front_door():
    assert hk.Run is procedures.Run
    assert hk.run is procedures.run
