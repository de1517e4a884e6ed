"""Rotation of real logs by the host's logrotate, under real writers."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import healthkit as hk
from healthkit.config import Config, Duration, Logs, Reopen, Size
from healthkit.findings import Severity
from healthkit.procedures._log_files import look
from healthkit.procedures._logrotate import pass_by, stanzas

logrotate = pytest.mark.skipif(
    not (shutil.which("logrotate") or Path("/usr/sbin/logrotate").exists()), reason="logrotate is not installed"
)
COARSE = 5
"""CLOCK_REALTIME_COARSE of linux/time.h, which time(2) reads and Python has no name for."""


class World:
    """A folder of logs and a home."""

    def __init__(self, top):
        self.home = top / "home"
        self.logs = top / "log"
        self.logs.mkdir()

    def write(self, name, lines, text="line"):
        with (self.logs / name).open("a") as file:
            file.writelines(f"{text} {n}\n" for n in range(lines))

    def rotate(self, *, apply=True, force=True, now=None, run=None, **config):
        options = {"force": "yes"} if force else {}
        settings = Config(host="web-1", logs=Logs(directories=(str(self.logs),), **config))
        more = {"run": run} if run else {}
        return hk.run("log_rotation", self.home, config=settings, dry_run=not apply, now=now, options=options, **more)

    @property
    def names(self):
        return sorted(re.sub(r"-\d{8}-\d{10}", "-T", path.name) for path in self.logs.iterdir())

    @property
    def lines(self):
        """Of all files, archives too."""
        return sum(
            (gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes()).count(b"\n")
            for p in self.logs.iterdir()
            if p.is_file()
        )


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def subjects(run, *severities):
    return {finding.subject.rpartition(": ")[2] for finding in run.findings.of(*severities)}


@logrotate
def test_rotation_keeps_every_line_and_every_archive(world):
    """D07, D08: a second rotation of the same name was refused, or overwrote yesterday's archive."""
    for day in range(4):
        world.write("app.log", 100, f"day {day}")
        run = world.rotate()
        assert run.exit_code == 0, [str(f) for f in run.findings]
        assert run.findings[0].evidence["lines"] == 100
    assert world.names == ["app.log", "app.log-T", "app.log-T.gz", "app.log-T.gz", "app.log-T.gz"]
    assert world.lines == 400


@logrotate
def test_a_rotation_right_after_another_waits_for_the_next_second(world):
    """logrotate names archives by the second, and refuses a name that there is."""
    for n in range(3):
        world.write("app.log", 10)
        run = world.rotate()
        assert (run.exit_code, run.steps[1].message) == (0, "1 of 1 log was rotated")
        assert world.lines == 10 * (n + 1)
    assert world.names == ["app.log", "app.log-T", "app.log-T.gz", "app.log-T.gz"]


@logrotate
def test_a_dry_run_shows_logrotate_s_own_plan(world):
    world.write("app.log", 10)
    before = {path: path.stat() for path in world.logs.iterdir()}
    run = world.rotate(apply=False)
    step = next(step for step in run.steps if step.name == "rotate")
    assert step.message == "logrotate would rotate 1 log"
    assert "renaming" in step.evidence["would"][0]
    assert {path: path.stat() for path in world.logs.iterdir()} == before
    assert not world.home.exists()


@logrotate
def test_once_a_day_by_our_own_state(world):
    world.write("app.log", 10)
    assert "0 of 1" in world.rotate(force=False).steps[1].message, "first seen today"
    state = world.home / "logrotate/status"
    state.write_text(re.sub(r"\d{4}-\d+-\d+-[\d:]+", "2026-1-1-0:0:0", state.read_text()))
    assert "1 of 1" in world.rotate(force=False).steps[1].message
    world.write("app.log", 10)
    assert "0 of 1" in world.rotate(force=False).steps[1].message


WRITER = textwrap.dedent("""
    import signal, sys, time
    path, reopens = sys.argv[1], sys.argv[2] == "yes"
    again = False
    def reopen(*_):
        global again
        again = True
    signal.signal(signal.SIGUSR1, reopen)
    file = open(path, "a", buffering=1)
    n = 0
    while True:
        if again and reopens:
            file.close()
            file, again = open(path, "a", buffering=1), False
        file.write(f"line {n}\\n")
        n += 1
        print(n, flush=True)
        time.sleep(0.0005)
""")


class Writer:
    """A process that writes a line every half millisecond and counts them."""

    def __init__(self, path, *, reopens):
        command = [sys.executable, "-c", WRITER, str(path), "yes" if reopens else "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.written = 0
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        while self.written < 100:
            time.sleep(0.01)

    def _follow(self):
        for line in self.process.stdout:
            self.written = int(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._thread.join()
        self.process.stdout.close()


@logrotate
def test_a_writer_is_told_to_reopen_and_no_line_is_lost(world, tmp_path):
    """D06: gzip of a log that a writer holds open: its later lines went to a deleted file."""
    pid_file = tmp_path / "app.pid"
    with Writer(world.logs / "app.log", reopens=True) as writer:
        pid_file.write_text(f"{writer.process.pid}\n")
        for _ in range(3):
            run = world.rotate(reopen=Reopen(pid_file=str(pid_file), signal="USR1"))
            assert run.exit_code == 0, [str(f) for f in run.findings]
            assert "SIGUSR1 sent" in run.steps[2].message
    assert world.lines >= writer.written
    assert any(name.endswith(".gz") for name in world.names)


@logrotate
def test_a_writer_that_never_reopens_is_named_and_left_alone(world, monkeypatch):
    """D06 again: its next archive is not compressed under it, and the lines are all there."""
    monkeypatch.setattr("healthkit.procedures._reopening._PATIENCE", 0.2)
    with Writer(world.logs / "app.log", reopens=False) as writer:
        run = world.rotate()
        assert run.exit_code == 1
        finding = next(f for f in run.findings if f.subject == "writers")
        assert f"process {writer.process.pid}" in finding.message
        world.write("app.log", 5)
        run = world.rotate()
        assert "held" in subjects(run, Severity.WARNING)
        assert not any(name.endswith(".gz") for name in world.names)
    assert world.lines >= writer.written + 5


@logrotate
def test_a_stale_pid_file_hits_nobody(world, tmp_path):
    """USR1 ends a process that does not expect it."""
    world.write("app.log", 10)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (tmp_path / "pid").write_text(str(bystander.pid))
        run = world.rotate(reopen=Reopen(pid_file=str(tmp_path / "pid")))
        assert subjects(run, Severity.WARNING) == {"reopen"}
        assert bystander.poll() is None
        bystander.kill()
    (tmp_path / "pid").write_text("1; id")
    world.write("app.log", 10)
    assert subjects(world.rotate(reopen=Reopen(pid_file=str(tmp_path / "pid"))), Severity.CRITICAL) == {"reopen"}


@logrotate
def test_a_command_is_run_without_a_shell(world, tmp_path):
    world.write("app.log", 10)
    out = tmp_path / "out $(touch pwned)\nendscript"
    code = "import sys; open(sys.argv[1], 'w').write('told')"
    run = world.rotate(reopen=Reopen(command=(sys.executable, "-c", code, str(out))))
    assert run.exit_code == 0, [str(f) for f in run.findings]
    assert out.read_text() == "told"
    assert not list(tmp_path.rglob("pwned"))
    world.write("app.log", 10)
    assert world.rotate(reopen=Reopen(command=("false",))).exit_code == 2


@logrotate
def test_strange_files_are_told_and_never_opened(world, tmp_path):
    """A FIFO hangs a naive reader; a link may lead anywhere; 20 GiB of nothing take an hour to compress."""
    target = tmp_path / "precious"
    target.write_text("secret\n")
    os.mkfifo(world.logs / "fifo.log")
    (world.logs / "link.log").symlink_to(target)
    (world.logs / "outside").symlink_to(tmp_path)
    with (world.logs / "giant.log").open("wb") as file:
        file.truncate(20 * 2**30)
    for name in ('quote".log', "new\nline.log", "{a,b}.log", "star*.log", "back\\slash.log"):
        (world.logs / name).write_text("x\n")
    world.write("twin.log", 1)
    os.link(world.logs / "twin.log", tmp_path / "twin")
    world.write("app with space.log", 10)
    run = world.rotate()
    assert run.exit_code == 1
    (finding,) = run.findings.of(Severity.WARNING)
    assert len(finding.evidence["odd"]) == 10
    assert "sparse" in finding.evidence["odd"][str(world.logs / "giant.log")]
    assert run.steps[1].message == "1 of 1 log was rotated"
    assert "app with space.log-T" in world.names
    assert target.read_text() == "secret\n"


@logrotate
def test_a_file_that_somebody_takes_away_is_a_lost_line(world, monkeypatch):
    """What the verification is for: another tool at the same logs."""
    import healthkit.procedures.log_rotation as module

    world.write("app.log", 10)
    world.write("other.log", 7)
    original = module.rotate

    def thief(*args, **more):
        said = original(*args, **more)
        archive = next(world.logs.glob("app.log-*"))
        archive.write_text("line 0\n")
        (world.logs / "other.log").unlink(missing_ok=True)
        next(world.logs.glob("other.log-*")).unlink()
        return said

    monkeypatch.setattr(module, "rotate", thief)
    run = world.rotate()
    assert run.exit_code == 2
    assert "2 faults" in run.findings[0].message


@logrotate
def test_an_overwritten_archive_is_found(world, monkeypatch):
    """D08"""
    import healthkit.procedures.log_rotation as module

    for _ in range(2):
        world.write("app.log", 10)
        world.rotate()
    original = module.rotate

    def overwrite(*args, **more):
        archive = next(world.logs.glob("*.gz"))
        archive.unlink()
        (world.logs / "filler").write_text("keeps the inode from coming back\n")
        archive.write_bytes(gzip.compress(b"other\n"))
        return original(*args, **more)

    monkeypatch.setattr(module, "rotate", overwrite)
    world.write("app.log", 10)
    run = world.rotate()
    assert run.exit_code == 2
    assert "overwritten" in run.findings[0].message


def aged(world, days, *, size=1000, name="app.log"):
    stamp = int((datetime.now(UTC) - timedelta(days=days)).timestamp())
    path = world.logs / f"{name}-20260101-{stamp}.gz"
    path.write_bytes(gzip.compress(os.urandom(size)))
    return path


@logrotate
def test_retention_by_age_takes_ours_only(world):
    """The age is the name's, not the mtime that a copy or a touch changes."""
    old, young = aged(world, 31), aged(world, 29)
    foreign = world.logs / "app.log.1.gz"
    foreign.write_bytes(b"x")
    os.utime(foreign, (0, 0))
    world.write("app.log", 10)
    plan = world.rotate(apply=False)
    step = next(step for step in plan.steps if step.name == "retention")
    assert [str(old)] == [entry.partition(": ")[0] for entry in step.evidence["would_remove"]]
    assert world.rotate().exit_code == 0
    assert (old.exists(), young.exists(), foreign.exists()) == (False, True, True)


@logrotate
def test_retention_by_size_takes_the_oldest_first(world):
    archives = [aged(world, days, size=300_000) for days in (9, 7, 5, 3, 0.1)]
    world.write("app.log", 10)
    run = world.rotate(max_total=Size(700_000))
    assert [path.exists() for path in archives] == [False, False, False, True, True]
    assert run.exit_code == 0
    run = world.rotate(max_total=Size(1000))
    assert archives[-1].exists(), "nothing of the last day is removed"
    assert subjects(run, Severity.WARNING) == {"size"}
    assert world.rotate(keep=Duration(1), max_total=Size(10**9)).exit_code == 0
    assert archives[-1].exists()


@logrotate
def test_measures_are_in_the_store(world):
    world.write("app.log", 10)
    world.rotate()
    data = hk.load(world.home)
    values = {row.metric: row.value for row in data.itertuples()}
    assert values["log_archives"] == 1
    assert values["log_files"] == 1
    assert values["log_directory_bytes"] > 0
    assert set(data["device"]) == {str(world.logs), ""}


def test_without_logrotate_it_is_unknown(world):
    from healthkit.checks._context import NOT_INSTALLED

    def absent(args, *, timeout, stdin=""):
        raise FileNotFoundError(2, NOT_INSTALLED, args[0])

    world.write("app.log", 10)
    run = world.rotate(run=absent)
    assert (run.exit_code, run.status) == (3, "unknown")
    assert "apt-get install logrotate" in run.findings[0].hint
    assert world.names == ["app.log"]


def test_a_missing_folder_is_unknown(world):
    world.logs.rmdir()
    run = world.rotate()
    assert run.exit_code == 3
    assert "no folder" in run.findings[0].message


@logrotate
@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user: root only")
def test_a_folder_of_the_application_s_user(world):
    """Root does not rotate in a folder that others may write; as its owner it does, and the new log is the owner's."""
    world.write("app.log", 10)
    for parent in (world.logs, *world.logs.parents):
        if parent == Path("/tmp"):
            break
        parent.chmod(0o755)
    os.chown(world.logs, 65534, 65534)
    os.chown(world.logs / "app.log", 65534, 65534)
    assert "su nobody nogroup" in stanzas([world.logs / "app.log"])
    run = world.rotate()
    assert run.exit_code == 0, [str(f) for f in run.findings]
    assert (world.logs / "app.log").stat().st_uid == 65534


@logrotate
def test_logrotate_s_failure_is_a_failure(world):
    world.write("app.log", 10)
    (world.home / "logrotate").mkdir(parents=True)
    (world.home / "logrotate/status").write_text("no state file\n")
    run = world.rotate()
    assert run.exit_code == 2
    assert "logrotate ended with 1" in run.findings[0].message


def test_names_that_mean_something_elsewhere_are_left_alone(world):
    for name in ("a;b.log", "a#b.log", "a'b.log", "a$b.log", "ä.log"):
        (world.logs / name).write_text("x\n")
    assert not look(world.logs).live


NGINX = """
daemon off; master_process on; worker_processes 1; pid {top}/nginx.pid; error_log {top}/error;
events {{ worker_connections 64; }}
http {{
  log_format plain '$request_uri';
  access_log {logs}/access.log plain;
  client_body_temp_path {top}/body; proxy_temp_path {top}/proxy; fastcgi_temp_path {top}/fastcgi;
  uwsgi_temp_path {top}/uwsgi; scgi_temp_path {top}/scgi;
  server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000; location / {{ return 204; }} }}
}}
"""


@logrotate
@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/sbin/nginx").exists(), reason="nginx is not installed")
def test_nginx_under_load_loses_no_line(world, tmp_path):
    """D06 with a real server: at least 100 000 requests over four rotations, each request logged exactly once."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for parent in (tmp_path, *tmp_path.parents):
        if parent == Path("/tmp"):
            break
        parent.chmod(0o755)
    conf = tmp_path / "nginx.conf"
    conf.write_text(NGINX.format(top=tmp_path, logs=world.logs, port=port))
    wanted, sent = 100_000, [0]
    with subprocess.Popen(["/usr/sbin/nginx", "-c", conf], stderr=subprocess.DEVNULL) as nginx:
        try:
            _answers(port)
            load = threading.Thread(target=_load, args=(port, wanted, sent), daemon=True)
            load.start()
            for _ in range(4):
                run = world.rotate(reopen=Reopen(pid_file=str(tmp_path / "nginx.pid"), signal="USR1"))
                assert run.exit_code == 0, [str(f) for f in run.findings]
                assert load.is_alive(), "the rotation was under load"
            load.join(120)
        finally:
            nginx.send_signal(signal.SIGQUIT)
    seen = b"".join(
        gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in world.logs.iterdir()
    ).split()
    numbers = [int(line[2:]) for line in seen if line.startswith(b"/n")]
    assert sent[0] == wanted
    assert sorted(numbers) == list(range(wanted))


def _answers(port):
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready").close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _load(port, wanted, sent):
    """Pipelined over one connection: a client in Python would not make enough requests one at a time."""
    import socket

    with socket.create_connection(("127.0.0.1", port)) as connection:
        for start in range(0, wanted, 100):
            connection.sendall(b"".join(b"GET /n%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(start, start + 100)))
            got = b""
            while got.count(b"HTTP/1.1 204") < 100:
                more = connection.recv(1 << 16)
                if not more:
                    return
                got += more
            sent[0] += 100
            time.sleep(0.004)


def test_the_second_that_was_waited_for_has_begun_for_logrotate_s_clock_too():
    """time(2) lags behind by up to a tick: woken at the very second, logrotate still wrote the one before."""
    for _ in range(2):
        taken = int(time.time())
        pass_by({taken})
        assert int(time.clock_gettime(COARSE)) > taken
