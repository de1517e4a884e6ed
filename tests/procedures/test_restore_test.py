"""Restore tests: of good backups, of bad ones with good ones behind them, and of archives that mean harm."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healthkit.checks import check
from healthkit.findings import Severity
from healthkit.state import State

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def judged(host, *, after=timedelta(0)):
    """What the check of that name makes of the record."""
    found = check(host.home, config=host.config(), names=["restore_test"], now=NOW + after)
    return {finding.subject: finding.severity for finding in found}


def test_a_good_backup_is_restored_and_the_check_sees_it(host):
    host.backup()
    run = host.run("restore_test")
    assert (run.exit_code, run.status) == (0, "ok")
    time_ = next(finding for finding in run.findings if finding.subject == "restore time")
    assert time_.unit == "seconds"
    assert time_.value > 0
    assert judged(host) == {"result": Severity.OK, "age": Severity.OK}
    assert judged(host, after=36 * DAY)["age"] is Severity.WARNING


def test_nothing_restored_is_left_and_nobody_else_may_look(host, monkeypatch):
    """D55: secrets were copied into a world-readable folder in /tmp, under a name that anybody could take first."""
    import healthkit.procedures.backup_verification as verification

    seen = []
    original = verification.restore

    def watch(backup, target):
        restored = original(backup, target)
        seen.extend(stat.S_IMODE(p.stat().st_mode) for p in (target.parent, target, *target.rglob("*")) if p.is_dir())
        return restored

    monkeypatch.setattr(verification, "restore", watch)
    host.backup()
    host.run("restore_test")
    assert set(seen) == {0o700}
    assert not list((host.home / "work").iterdir())


def test_a_bad_newest_backup_fails_and_the_good_one_is_named(host):
    """D56: a failed check was printed, the evidence removed, the job `completed`."""
    host.backup()
    newest = host.backup(after=DAY)
    path = newest / "databases/health.db"
    path.write_bytes(path.read_bytes()[:-4096])
    run = host.run("restore_test", after=DAY)
    assert (run.exit_code, run.status) == (2, "failed")
    good = next(finding for finding in run.findings if finding.subject == "good backup")
    assert "20261123T060000Z can be restored" in good.message
    with State(host.home) as state:
        record = state.last_task_run("restore_test")
    assert record["status"] == "failed"
    assert "databases/health.db" in str(record["detail"])
    assert judged(host, after=DAY) == {"result": Severity.CRITICAL}


def test_no_good_backup_is_said(host):
    for day in range(2):
        folder = host.backup(after=day * DAY)
        (folder / "config/production.yaml").write_text("")
    run = host.run("restore_test", after=DAY)
    worst = {finding.subject for finding in run.findings.of(Severity.CRITICAL)}
    assert {"files", "good backup"} <= worst


def test_no_backup_is_no_success(host):
    assert host.run("restore_test").exit_code == 2
    assert judged(host) == {"result": Severity.CRITICAL}


def archive(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "members",
    [
        [(member("x", tarfile.SYMTYPE, "/etc"), b""), (member("x/cron.d/evil"), b"* * * * * root id\n")],
        [(member("../../evil"), b"x")],
        [(member("disk", tarfile.BLKTYPE), b"")],
        [(member("link", tarfile.LNKTYPE, "/etc/shadow"), b"")],
    ],
    ids=["link out", "parent", "device", "hard link"],
)
def test_hostile_archives_are_refused(host, members):
    path = archive(host.top / "backup.tar.gz", *members)
    run = host.run("restore_test", options={"backup": str(path)})
    assert run.exit_code == 2
    assert "is refused" in run.findings[0].message
    assert not list(host.top.rglob("evil"))
    assert not Path("/etc/cron.d/evil").exists()
    assert not list((host.home / "work").iterdir())


def test_an_archive_of_a_backup_is_restored(host):
    folder = host.backup()
    path = host.top / "backup.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, folder.name)
    run = host.run("restore_test", options={"backup": str(path)})
    assert run.exit_code == 0, run.findings
    empty = archive(host.top / "empty.tar.gz", (member("README"), b"x"))
    assert "holds no backup" in host.run("restore_test", options={"backup": str(empty)}).findings[0].message


CHILD = """
import signal, sys, time
from datetime import datetime
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
import healthkit.procedures.backup_verification as verification
from healthkit import run
from healthkit.config import Backups, Config
original = verification.restore
def slow(backup, target):
    restored = original(backup, target)
    print(target, flush=True)
    time.sleep(60)
    return restored
verification.restore = slow
now = datetime.fromisoformat(sys.argv[3])  # the clock of the other runs, not the machine's
run("restore_test", sys.argv[1], config=Config(backups=Backups(directory=sys.argv[2])), now=now)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_leaves_nothing_behind(host, number):
    """After kill -9 nobody can clean up; the next run does."""
    host.backup()
    command = [sys.executable, "-c", CHILD, str(host.home), str(host.backups), (NOW + DAY).isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        target = Path(process.stdout.readline().strip())
        assert (target / "databases/health.db").exists()
        process.send_signal(number)
        assert process.wait(20) != 0
    if number == signal.SIGKILL:
        assert target.exists()
        host.run("restore_test", after=2 * DAY)
    assert not target.exists()
    assert not list((host.home / "work").iterdir())
    expected = Severity.OK if number == signal.SIGKILL else Severity.WARNING
    assert judged(host, after=2 * DAY)["result"] is expected, "what was interrupted proves nothing"


def test_a_full_workspace_says_nothing_of_the_backup(host):
    host.backup()

    class Full:
        f_bavail, f_frsize = 1, 1

    original = os.statvfs
    os.statvfs = lambda _: Full
    try:
        run = host.run("restore_test")
    finally:
        os.statvfs = original
    assert run.status != "ok"
    assert "free" in run.findings[0].message
