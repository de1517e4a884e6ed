"""A host with an application: a database, configuration, a home, and a folder for backups."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import healthkit as hk
from healthkit.config import Application, Backups, Config, Database

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


@dataclass
class Host:
    """Where things lie, and how to run a procedure there."""

    top: Path

    def __post_init__(self):
        self.home = self.top / "home"
        self.database = self.top / "var/health.db"
        self.etc = self.top / "etc"
        self.backups = self.top / "backups"
        for folder in (self.home / "config", self.database.parent, self.etc):
            folder.mkdir(parents=True)
        (self.home / "config/healthkit.yaml").write_text("host: web-1\n")
        (self.etc / "production.yaml").write_text("test_execution: {parallel: true, timeout: 60}\n")
        with closing(sqlite3.connect(self.database)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE tokens (id INTEGER PRIMARY KEY, name TEXT)")
            db.execute("CREATE INDEX ix_tokens ON tokens (name)")
            db.executemany("INSERT INTO tokens (name) VALUES (?)", [(f"token {i}",) for i in range(500)])
            db.commit()

    def config(self, *, backups=None, **more):
        return Config(
            host="web-1",
            databases=(Database(name="health", path=str(self.database)),),
            application=Application(config=str(self.etc)),
            backups=Backups(directory=str(self.backups), **(backups or {})),
            **more,
        )

    def run(self, procedure, *, after=timedelta(0), apply=True, config=None, **more):
        config = config or self.config()
        return hk.run(procedure, self.home, config=config, dry_run=not apply, now=NOW + after, **more)

    def backup(self, *, after=timedelta(0), **more):
        done = self.run("backup", after=after, **more)
        assert done.exit_code == 0, done.findings
        return self.backups / (NOW + after).strftime("%Y%m%dT%H%M%SZ")

    @property
    def folders(self):
        return sorted(path.name for path in self.backups.iterdir())


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def rows():
    def rows(path, table="tokens"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608

    return rows
