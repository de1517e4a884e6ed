"""The worlds in which the old scripts are run: what lies where, and who answers. Built inside a sandbox, at the real paths."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

HOME = Path("/var/lib/project-health")
ETC = Path("/etc/project-health")
OPT = Path("/opt/project-health")
LOGS = Path("/var/log/project-health")
BACKUPS = Path("/backup/project-health")
STUBS = Path("/run/runbook-stubs")
"""Commands that come first on PATH: a service manager for one service, a sleep that does not, a scanner with findings."""
CONFIG = """\
host: web-1
services: [{name: project-health, url: "http://localhost:8080/health", unit: project-health, timeout: 2}]
databases: [{name: health, path: /var/lib/project-health/health.db}]
backups: {directory: /backup/project-health}
logs: {directories: [/var/log/project-health]}
application: {directory: /opt/project-health, config: /etc/project-health}
mail: {host: 127.0.0.1, port: 1, security: none, recipients: {operators: [ops@example.org]}}
"""
_SYSTEMCTL = """\
#!/bin/sh
state=/run/runbook-stubs/service
case "$1" in
  is-active) cat "$state"; grep -qx active "$state" ;;
  start|restart) [ "$(cat "$state")" = stuck ] || echo active >"$state" ;;
  stop) [ "$(cat "$state")" = stuck ] || echo inactive >"$state" ;;
  *) exit 1 ;;
esac
"""
_VULNERABLE = {
    "dependencies": [
        {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": [], "description": "sandbox escape"}]},
        {"name": "somewhere", "skip_reason": "not on the index"},
    ],
    "fixes": [],
}  # fmt: skip


def build(variant: str) -> list[subprocess.Popen[bytes]]:
    """A world; what runs in it."""
    _stubs()
    if variant == "missing":
        return []
    for folder in (HOME / "config", HOME / "metrics", HOME / "reports", ETC, OPT / "scripts", LOGS, BACKUPS):
        folder.mkdir(parents=True, exist_ok=True)
    (HOME / "config/healthkit.yaml").write_text(CONFIG)
    (ETC / "production.yaml").write_text(
        "test_execution: {parallel: true, timeout: 600}\nhealth_monitoring: {check_interval: 300}\n"
    )
    (LOGS / "app.log").write_text("INFO started\nERROR one\n")
    _database(HOME / "health.db")
    _history(100)
    _backup("2026-01-01", rows=20)
    _backup(f"{datetime.now(UTC):%Y-%m-%d}", rows=50)
    _CHANGES.get(variant, lambda: None)()
    return _running(variant)


def _short() -> None:
    for path in sorted((HOME / "metrics").glob("daily-*.json"))[:-5]:
        path.unlink()


def _gappy() -> None:
    """A third of the days is missing, and one file is what the old script left of a saturated day."""
    paths = sorted((HOME / "metrics").glob("daily-*.json"))
    for path in paths[::3]:
        path.unlink()
    paths[-20].write_text(
        paths[-20].read_text().replace('"cpu_usage": ', '"cpu_usage": us,') if paths[-20].exists() else "{"
    )


def _stale() -> None:
    old = (datetime.now(UTC) - timedelta(days=9)).timestamp()
    for path in [*BACKUPS.rglob("*"), BACKUPS]:
        os.utime(path, (old, old))


def _corrupt() -> None:
    for path in (HOME / "health.db", next(iter(sorted(BACKUPS.glob("*/health.db"), reverse=True)))):
        data = bytearray(path.read_bytes())
        data[1024:6000] = random.Random(1).randbytes(4976)
        path.write_bytes(data)


def _broken() -> None:
    (HOME / "health.db").write_bytes(b"this is not a database\n" * 400)


def _foreign() -> None:
    (HOME / "health.db").unlink()
    with closing(sqlite3.connect(HOME / "health.db")) as db:
        db.execute(
            "CREATE TABLE health_reports (report_id TEXT PRIMARY KEY, created_at TEXT NOT NULL, score INTEGER NOT NULL, body BLOB)"
        )
        db.executemany(
            "INSERT INTO health_reports VALUES (?, ?, ?, ?)", [(f"r{n}", "2026-11-01", 90, b"{}") for n in range(40)]
        )
        db.commit()


def _bad_yaml() -> None:
    (ETC / "production.yaml").write_text("test_execution: {parallel: true\n  timeout: [\n")
    for path in BACKUPS.glob("*/config/*.yaml"):
        path.write_text("")


def _bad_config() -> None:
    (HOME / "config/healthkit.yaml").write_text(CONFIG + "hosst: typo\n")


def _vulnerable() -> None:
    tool = STUBS / "pip-audit"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(_VULNERABLE)}\nEND\nexit 1\n")
    tool.chmod(0o755)
    (OPT / "open.sh").write_text("true\n")
    (OPT / "open.sh").chmod(0o777)
    (OPT / "drop").mkdir()
    (OPT / "drop").chmod(0o777)
    (OPT / "server.key").write_text("secret\n")


def _ours() -> None:
    """Backups of healthkit instead of another tool's."""
    for path in sorted(BACKUPS.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    subprocess.run([sys.executable, "-P", "-m", "healthkit", "run", "backup", "--apply"], check=False, capture_output=True, env=os.environ | {"HEALTHKIT_HOME": str(HOME)})  # fmt: skip


_CHANGES: dict[str, Callable[[], None]] = {
    "ours": _ours, "short": _short, "gappy": _gappy, "stale": _stale, "corrupt": _corrupt, "broken": _broken,
    "foreign": _foreign, "bad YAML": _bad_yaml, "bad config": _bad_config, "vulnerable": _vulnerable,
}  # fmt: skip
VARIANTS = ("other tool", "ours", "missing", "short", "gappy", "stale", "corrupt", "broken", "foreign", "busy", "vulnerable",
            "bad YAML", "bad config", "service down", "service stuck")  # fmt: skip
"""`other tool`: all is well, with backups that have no manifest. No variant has a mail server."""


def _stubs() -> None:
    STUBS.mkdir(parents=True, exist_ok=True)
    for name, text in (("systemctl", _SYSTEMCTL), ("sleep", "#!/bin/sh\nexec /bin/sleep 0.1\n")):
        (STUBS / name).write_text(text)
        (STUBS / name).chmod(0o755)
    (STUBS / "service").write_text("inactive\n")


def _running(variant: str) -> list[subprocess.Popen[bytes]]:
    """The service, and whoever holds the database."""
    found = []
    if variant not in {"service down", "service stuck"}:
        (STUBS / "service").write_text("active\n")
        page = STUBS / "www"
        page.mkdir(exist_ok=True)
        (page / "health").write_text("ok\n")
        command = [sys.executable, "-m", "http.server", "8080", "--bind", "127.0.0.1", "--directory", str(page)]
        found.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    if variant == "service stuck":
        (STUBS / "service").write_text("stuck\n")
    if variant == "busy":
        code = f"import sqlite3, time; d = sqlite3.connect({str(HOME / 'health.db')!r}, isolation_level=None); d.execute('BEGIN EXCLUSIVE'); print(flush=True); time.sleep(900)"
        holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert holder.stdout is not None  # noqa: S101 - stdout=PIPE
        holder.stdout.readline()
        found.append(holder)
    return found


def _database(path: Path, rows: int = 50) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE health_reports (id INTEGER PRIMARY KEY, timestamp TEXT, overall_score REAL, details TEXT)"
        )
        db.executemany(
            "INSERT INTO health_reports (timestamp, overall_score, details) VALUES (?, ?, ?)",
            [("2026-11-01T06:00:00", 90.0, "x" * 400)] * rows,
        )
        db.commit()


def _backup(name: str, *, rows: int) -> None:
    folder = BACKUPS / name
    (folder / "config").mkdir(parents=True)
    _database(folder / "health.db", rows)
    (folder / "config/production.yaml").write_text("test_execution: {parallel: true, timeout: 600}\n")


def _history(days: int) -> None:
    for day in range(days):
        at = datetime.now(UTC) - timedelta(days=day)
        body = {
            "timestamp": at.isoformat(timespec="seconds"),
            "system": {"cpu_usage": 20 + day % 7, "memory_usage": 50.5, "disk_usage": 40, "load_average": " 0.1, 0.2, 0.3"},
            "application": {"health_score": 90, "active_processes": 2, "response_time": 0.02 + day % 5 / 1000},
        }  # fmt: skip
        (HOME / f"metrics/daily-{at:%Y%m%d}.json").write_text(json.dumps(body))
