"""How checks are found, asked at the same time, and cut off."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from healthkit import checks
from healthkit.checks import Context, Question
from healthkit.config import Config, Service, Weights
from healthkit.errors import ParameterError, StoreError
from healthkit.findings import Finding, Severity

TREE = Path(checks.__file__).parents[2]


def question(ask, **others):
    values = {"name": "odd", "component": "resources", "weight": 1, "required": True, "local": True, "cap": 100}
    return Question(**values | others, ask=ask)


def asked(tmp_path, ask, *, seconds=5.0, **others):
    context = Context(home=tmp_path, deadline=time.monotonic() + seconds)
    return checks.ask([question(ask, **others)], context, seconds=seconds)


def fine(subject="a"):
    return Finding("odd", Severity.OK, subject, "fine")


@pytest.mark.parametrize("name", checks.names())
def test_every_check_says_where_it_belongs(name):
    check = checks.load(name)
    assert check.component in Weights.__struct_fields__
    assert check.weight > 0
    assert check.ask.__doc__
    assert not (check.required and check.cap < 39)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ParameterError, match="there are backups, "):
        checks.check(tmp_path, names=["disks"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/secret"), "Permission denied"),
        (StoreError("raw/x.parquet is damaged"), "raw/x.parquet is damaged"),
        (subprocess.TimeoutExpired(["apt-get"], 3), "apt-get did not finish within 3.0 s"),
        (FileNotFoundError(2, "not installed", "openssl"), "openssl: not installed"),
    ],
)
def test_a_check_that_fails_is_unknown_and_keeps_what_it_found(tmp_path, error, said):
    """D44, D26: a script's failure was nobody's failure."""

    def ask(_):
        yield fine()
        raise error

    found = asked(tmp_path, ask)
    assert [f.severity for f in found] == [Severity.OK, Severity.UNKNOWN]
    assert said in found[1].message
    assert found[1].hint
    assert found[1].required


def test_a_tool_that_is_missing_is_named_with_what_to_install(tmp_path):
    def ask(context):
        context.tool("no-such-tool-anywhere")
        yield fine()

    (finding,) = asked(tmp_path, ask)
    assert finding.severity is Severity.UNKNOWN
    assert finding.hint == "Install no-such-tool-anywhere."


def test_a_check_without_an_answer_is_unknown(tmp_path):
    (finding,) = asked(tmp_path, lambda _: iter(()))
    assert finding.severity is Severity.UNKNOWN


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_in_a_check_is_unknown_and_shown(tmp_path, capsys):
    def ask(_):
        yield fine()
        raise ZeroDivisionError

    found = asked(tmp_path, ask)
    assert [f.severity for f in found] == [Severity.OK, Severity.UNKNOWN]
    assert "mistake" in found[1].message


def test_a_check_that_hangs_is_left_behind(tmp_path):
    """D39: a hung endpoint hung the script for ever."""
    release = threading.Event()

    def ask(_):
        yield fine()
        release.wait(60)

    began = time.monotonic()
    found = asked(tmp_path, ask, seconds=0.3)
    release.set()
    assert time.monotonic() - began < 2
    assert [f.severity for f in found] == [Severity.OK, Severity.UNKNOWN]
    assert "0.3 s" in found[1].message


def test_a_tool_that_hangs_is_killed_with_its_children(tmp_path):
    marker = f"31{os.getpid()}"

    def ask(context):
        context.tool("sh", "-c", f"sleep {marker} & wait", timeout=0.3)
        yield fine()

    (finding,) = asked(tmp_path, ask)
    assert finding.severity is Severity.UNKNOWN
    assert "sh did not finish" in finding.message
    assert subprocess.run(["pgrep", "-f", f"sleep {marker}"], capture_output=True, check=False).stdout == b""


def test_checks_run_at_the_same_time(tmp_path):
    def slow(_):
        time.sleep(0.5)
        yield fine()

    context = Context(home=tmp_path)
    began = time.monotonic()
    found = checks.ask([question(slow, name=str(i)) for i in range(8)], context, seconds=5)
    assert len(found) == 8
    assert time.monotonic() - began < 2


def test_findings_carry_host_time_and_whether_they_are_required(tmp_path):
    (finding,) = asked(tmp_path, lambda _: iter([fine()]))
    assert finding.host
    assert finding.ts.tzinfo
    assert finding.required


def test_whatever_a_check_says_can_be_written(tmp_path):
    odd = os.fsdecode(b"\xff\n\x1b[31m")
    evidence = {odd: [float("nan"), np.float64(1.5), datetime(2026, 1, 1, tzinfo=UTC), {"deep": odd}]}

    def ask(_):
        yield Finding("odd", Severity.OK, odd, odd, value=np.float64("inf"), evidence=evidence, hint=odd)

    text = json.dumps([f.as_dict() for f in asked(tmp_path, ask)], allow_nan=False, ensure_ascii=False)
    assert "1.5" in text.encode("utf-8").decode()


def test_of_a_named_host_only_samples_are_judged(tmp_path):
    findings = checks.check(tmp_path, config=Config(host="web-1"), host="web-1", names=["ports", "permissions", "cpu"])
    local = {f.check for f in findings if f.evidence.get("applicable") is False}
    assert local == {"ports", "permissions"}
    assert {f.host for f in findings} == {"web-1"}


def test_a_damaged_store_leaves_the_other_checks_alone(tmp_path):
    folder = tmp_path / "metrics/raw/date=2026-11-23"
    folder.mkdir(parents=True)
    host = Config().host
    (folder / f"{host}.parquet").write_bytes(b"PAR1 not really")
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    findings = checks.check(tmp_path, names=["cpu", "backups"], now=now)
    assert {f.check: f.severity for f in findings} == {"cpu": Severity.UNKNOWN, "backups": Severity.INFO}


def json_of(findings):
    return json.loads(json.dumps([finding.as_dict() for finding in findings], allow_nan=False).encode())


def test_a_bare_host_is_checked_in_time_and_says_what_it_does_not_know(tmp_path):
    began = time.monotonic()
    findings = checks.check(tmp_path)
    assert time.monotonic() - began < 10
    assert {finding.check for finding in findings} == set(checks.names())
    unknown = findings.of(Severity.UNKNOWN)
    assert unknown
    assert all(finding.message for finding in unknown)
    assert not any("mistake" in finding.message for finding in findings)
    assert len(json_of(findings)) == len(findings)


NOBODY = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
for path in $2; do
  while [ "$path" != / ]; do chmod o+rx "$1/root$path"; path=$(dirname "$path"); done
done
root=$1/root
shift 2
exec chroot --userspec=65534:65534 --groups= "$root" "$@"
"""
"""Runs a command as nobody, in this machine's own tree, of which it may read what the command is made of."""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_without_root_it_still_runs(tmp_path):
    script = (
        "import json,sys,os; from healthkit.checks import check; from healthkit.config import *\n"
        "d, home = sys.argv[1:]\n"
        "config = Config(application=Application(directory=d, config=d), backups=Backups(directory=d + '/x'),"
        " databases=(Database(name='x', path=d + '/x/y.db'),), logs=Logs(directories=(d,)))\n"
        "print(json.dumps([os.geteuid(), *(f.as_dict() for f in check(home, config=config))]))"
    )
    closed, home, empty = (tmp_path / name for name in ("closed", "home", "empty"))
    closed.mkdir(mode=0o700)
    home.mkdir()
    home.chmod(0o777)
    empty.mkdir()
    readable = " ".join(map(str, {TREE, Path(__file__).parents[2], Path(sys.prefix), Path(sys.base_prefix), home}))
    path = os.pathsep.join([str(TREE), *filter(None, sys.path)])
    command = [
        "unshare",
        "--mount",
        "--net",
        "--propagation",
        "private",
        "bash",
        "-c",
        NOBODY,
        "bash",
        str(empty),
        readable,
    ]
    command += ["env", f"PYTHONPATH={path}", "HOME=/", sys.executable, "-c", script, str(closed), str(home)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    user, *found = json.loads(result.stdout)
    assert user == 65534
    findings = {(f["check"], f["severity"]) for f in found}
    for name in ("permissions", "backups", "databases", "logs"):
        assert (name, "unknown") in findings, name


def test_samples_come_from_the_store(tmp_path):
    from healthkit.schema import Reading
    from healthkit.store.journal import Journal

    now = datetime.now(UTC)
    with Journal(tmp_path, "web-1") as journal:
        journal.append(int(now.timestamp() * 1000) - 5000, [Reading("memory_used_ratio", 0.5)])
    (finding,) = checks.check(tmp_path, config=Config(host="web-1"), names=["memory"], now=now)
    assert (finding.severity, finding.value) == (Severity.OK, 0.5)


def test_a_service_is_not_counted_by_the_script_that_asks(tmp_path):
    """D37, D38: `pgrep -f project-health` counted the shell that ran it."""
    name = "project-health-unheard-of"
    config = Config(services=(Service(name="web", process=name),))
    script = tmp_path / name / "scripts"
    script.mkdir(parents=True)
    with subprocess.Popen(["sh", "-c", f"sleep 30; : {script}/daily-health-check.sh {name}"]) as shell:
        try:
            (finding,) = checks.check(tmp_path, config=config, names=["services"])
        finally:
            subprocess.run(["pkill", "-P", str(shell.pid)], check=False)
            shell.kill()
    assert finding.severity is Severity.CRITICAL
    assert replace(finding, value=0) == replace(finding, value=finding.value)


def test_the_documentation_names_every_check_with_its_question():
    text = (Path(__file__).parents[2] / "docs/checks.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| (.+?)\? \|", text, re.MULTILINE))
    assert rows.keys() == set(checks.names())
    for name, question in rows.items():
        assert sys.modules[checks.load(name).ask.__module__].__doc__.startswith(f"{question}?"), name
