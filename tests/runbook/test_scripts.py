"""Scripts that call the old command line in the ways of the old ones, in our words, run to their end by bash.

`benchmarks/runbook.py` runs the runbook's own, where $HEALTHKIT_RUNBOOK names it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime

import pytest

SCRIPT = """\
set -eu
old() { python -m tools.health_checker.cli "$@"; }
day=$(date -u +%Y%m%d)

# the day: a check, an alert by its score, a file of metrics into which the score is pasted without quotes
old --full-check --output-format json > check.json
score=$(jq '.overall_score' check.json)
if [ "$(jq '.overall_score < 80' check.json)" = true ]; then
  old --send-alert --message "Only $score points" --severity warning
fi
cp check.json "$HOME_DIR/reports/daily-$day.json"
cat > "$HOME_DIR/metrics/daily-$day.json" << END
{"timestamp": "$(date -Iseconds)",
 "system": {"cpu_usage": 12.5, "memory_usage": 40.12, "disk_usage": 61, "load_average": " 0.10, 0.20, 0.30"},
 "application": {"health_score": $(old --quick-score), "active_processes": 1, "response_time": 0.031}}
END
old --analyze-performance "$HOME_DIR/metrics/daily-$day.json"

# the week: four answers below four headings, sent; a backup tried
{
  printf '# Week\\n\\n## Health\\n'; old --comprehensive-report
  printf '\\n## Performance\\n'; old --performance-analysis --week
  printf '\\n## Security\\n'; old --security-check
  printf '\\n## What to do\\n'; old --recommendations
} > week.md
old --send-report week.md --recipients "a@example.org,b@example.org"
old --test-restore "$PWD/backup" --dry-run > restore.txt

# an emergency, and what follows it
old --send-alert --message "down" --severity critical --incident-id "INC-1"
old --quick-check > quick.txt 2>&1
echo "the end"
"""
CONFIG = "host: web-1\nmail: {host: 127.0.0.1, port: 1, security: none, recipients: {operators: [o@example.org]}}\n"


@pytest.fixture
def tree(old, tmp_path):
    old.configure(CONFIG)
    assert old("--install-shim", tmp_path / "shim").code == 0
    (tmp_path / "backup/config").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / "backup/health.db")) as db:
        db.execute("CREATE TABLE health_reports (id INTEGER PRIMARY KEY, score INTEGER)")
        db.commit()
    return tmp_path


def play(tree):
    path = f"{tree}/shim/bin:{os.environ['PATH']}"
    environment = {"PATH": path, "PYTHONPATH": f"{tree}/shim", "HOME_DIR": f"{tree}/home"}
    command = ["bash", "-c", SCRIPT]
    return subprocess.run(command, env=environment, cwd=tree, text=True, capture_output=True, check=False, timeout=120)


def foreign(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE health_reports (key TEXT PRIMARY KEY, score INTEGER NOT NULL, made TEXT NOT NULL)")
        db.execute("INSERT INTO health_reports VALUES ('a', 90, '2026-11-01')")
        db.commit()


def broken(path):
    path.write_bytes(b"no database at all\n" * 300)


@pytest.mark.slow
@pytest.mark.parametrize("database", [foreign, broken])
def test_every_call_of_the_old_scripts_keeps_its_contract(tree, database):
    """D26, D44: with `set -e`, so that any call which fails ends the script; there is no mail server."""
    path = tree / "home/health.db"
    database(path)
    done = play(tree)
    assert done.stdout.splitlines()[-1:] == ["the end"], done.stderr
    score = json.loads((tree / "check.json").read_text())["overall_score"]
    assert 0 <= score <= 100
    metrics = json.loads((tree / f"home/metrics/daily-{datetime.now(UTC):%Y%m%d}.json").read_text())
    assert metrics["application"]["health_score"] == score
    headings = re.findall(r"^#{1,2} .*$", (tree / "week.md").read_text(), re.MULTILINE)
    assert headings == ["# Week", "## Health", "## Performance", "## Security", "## What to do"]
    assert "has no manifest" in (tree / "restore.txt").read_text()
    assert "worst: " in (tree / "quick.txt").read_text()
    assert len(list((tree / "home/outbox").glob("*.eml"))) >= 1
    if database is foreign:
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT score FROM health_reports WHERE key = 'a'").fetchone() == (90,)
