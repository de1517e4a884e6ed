"""The command line: exit codes, what goes where, and errors that name the thing."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from healthkit.cli import main as cli
from healthkit.config import Config, config_path, parse_config
from healthkit.schedule.tasks import TASKS


def run(*arguments, home=None, **more):
    environment = os.environ | ({"HEALTHKIT_HOME": str(home)} if home else {})
    command = [sys.executable, "-P", "-m", "healthkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **more)


def test_help_of_every_command_is_quick_to_reach():
    before = os.times()
    done = run("--help")
    after = os.times()
    assert done.returncode == 0
    for name in [
        "alert",
        "check",
        "collect",
        "config",
        "demo",
        "import",
        "init",
        "report",
        "schedule",
        "show",
        "store",
        "task",
    ]:
        assert f"\n  {name} " in done.stdout
        assert cli.main([name, "--help"]) == 0
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    assert cpu < 0.3


def test_version_is_the_package_s():
    assert run("--version").stdout.startswith("healthkit, version ")


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["show", "sorrow", "cpu_busy_ratio"], ["check", "--colour"], ["collect", "--every", "1 year"]],
)
def test_wrong_usage_exits_64_and_says_so(arguments, tmp_path):
    done = run(*arguments, home=tmp_path)
    assert done.returncode == 64
    assert done.stdout == ""
    assert arguments[-1] in done.stderr or arguments[0] in done.stderr


def test_init_writes_a_configuration_that_is_valid_and_keeps_one_that_is_there(tmp_path):
    first = run("init", home=tmp_path)
    assert first.returncode == 0
    assert first.stdout.strip() == str(config_path(tmp_path))
    config_path(tmp_path).write_text("host: kept\n")
    again = run("init", home=tmp_path)
    assert "kept" in again.stderr
    assert config_path(tmp_path).read_text() == "host: kept\n"


def test_the_written_configuration_names_every_key_with_its_default():
    from importlib.resources import files

    text = files("healthkit").joinpath("healthkit.yaml").read_text(encoding="utf-8")
    assert parse_config(text) == Config()
    uncommented = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    everything = parse_config(uncommented)
    assert set(yaml.safe_load(uncommented)) == set(Config.__struct_fields__) - {"demonstration"}
    for key in set(Config.__struct_fields__) - {
        "host",
        "services",
        "databases",
        "backups",
        "logs",
        "application",
        "drill",
        "demonstration",
    }:
        assert getattr(everything, key) == getattr(Config(), key), key


def test_a_bad_configuration_exits_78_naming_key_file_and_line(tmp_path):
    config_path(tmp_path).parent.mkdir()
    config_path(tmp_path).write_text("host: a\nlimits:\n  cpu: eighty\n")
    for command in (["config", "check"], ["report", "weekly"], ["check"]):
        done = run(*command, home=tmp_path)
        assert done.returncode == 78, command
        assert "healthkit.yaml:3: " in done.stderr
        assert "$.limits.cpu" in done.stderr


def test_config_show_is_yaml_or_json(tmp_path):
    assert yaml.safe_load(run("config", "show", home=tmp_path).stdout)["mail"]["port"] == 587
    assert json.loads(run("config", "show", "-f", "json", home=tmp_path).stdout)["collect"]["every"] == 60


def test_a_table_is_a_line_per_row_where_it_is_read_by_programs_and_folded_on_a_terminal(tmp_path):
    names = {task.name for task in TASKS}
    piped = run("schedule", "show", home=tmp_path).stdout.splitlines()
    assert names == {line.split()[0] for line in piped[1:]}

    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "healthkit", "schedule", "show", "--home", str(tmp_path)]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | {"TERM": "xterm", "COLUMNS": "72"}) as process:
        os.close(theirs)
        shown = click.unstyle(b"".join(iter(lambda: _read(ours), b"")).decode()).splitlines()
    os.close(ours)
    assert process.returncode == 0
    assert len(shown) > len(piped)
    assert max(map(len, shown)) <= 72
    assert names < {line.split(" ")[0] for line in shown}


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's end of file: the other side is closed
        return b""


def test_some_checks_are_counted_and_make_no_score(tmp_path, capsys):
    assert cli.main(["check", "disk", "clock", "--home", str(tmp_path)]) == 3
    *_, last = capsys.readouterr().out.splitlines()
    assert last == "2 answers: 2 unknown. A score takes all checks: healthkit check."


def test_a_metric_nobody_measured_is_named(tmp_path, capsys):
    assert cli.main(["show", "trend", "no_such_ratio", "--home", str(tmp_path)]) == 64
    assert "no_such_ratio" in capsys.readouterr().err


def test_home_as_an_option_wins(tmp_path):
    done = run("init", "--home", tmp_path / "other", home=tmp_path)
    assert Path(done.stdout.strip()) == config_path(tmp_path / "other")


def _shown(tmp_path_factory):
    """A month of a small fleet, made once."""
    from healthkit import demo

    home = tmp_path_factory.getbasetemp() / "shown"
    if not home.exists():
        demo.write_demo(home, hosts=2, days=30, every="1h")
    return home


@pytest.mark.slow
@pytest.mark.xdist_group("shown")
@pytest.mark.parametrize(
    ("what", "said", "below"),
    [
        ("trend", "rises", "Slope a day"),
        ("percentiles", "p95", "\np95 "),
        ("forecast", "reaches 80\u00a0% on", "Its mean error there"),
        ("anomalies", "measured", ""),
    ],
)
def test_show_says_it_in_a_sentence_and_in_rows(tmp_path_factory, capsys, what, said, below):
    home = _shown(tmp_path_factory)
    options = ["--host", "db-1", "--device", "/var", "--limit", "80%", "--home", str(home)]
    assert cli.main(["show", what, "disk_used_ratio", *options]) == 0
    sentence, _, table = capsys.readouterr().out.partition("\n\n")
    assert said in sentence
    assert below in table
    assert cli.main(["show", what, "disk_used_ratio", *options, "-f", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert said in shown["sentence"]
    assert isinstance(shown["rows"], list)
    assert shown["method"]
    assert 0 < shown["coverage"] <= 1
    if what == "forecast":
        assert shown["crossing"]["median"].startswith("202")


@pytest.mark.slow
@pytest.mark.xdist_group("shown")
def test_show_takes_this_host_the_host_as_a_whole_and_the_configured_limit(tmp_path, tmp_path_factory, capsys):
    mine = shutil.copytree(_shown(tmp_path_factory), tmp_path / "mine")
    config_path(mine).parent.mkdir(exist_ok=True)
    config_path(mine).write_text("host: db-1\nlimits: {disk: 0.85}\n")

    def show(*arguments):
        status = cli.main(["show", *arguments, "--home", str(mine)])
        return status, capsys.readouterr()

    said = show("forecast", "disk_used_ratio", "--device", "/var")[1].out
    assert "reaches 85\u00a0% on" in said
    assert "; by the max of each day\n" in said
    named = show("trend", "cpu_busy_ratio", "--host", "db-1", "--device", "")
    assert show("trend", "cpu_busy_ratio") == named
    status, said = show("forecast", "disk_used_ratio")
    assert status == 64
    assert "'/', '/var'" in said.err
    config_path(mine).write_text("host: elsewhere\n")
    status, said = show("trend", "cpu_busy_ratio")
    assert status == 64
    assert "'db-1'" in said.err
