"""Verification of backups that were made by `backup` and then damaged, aged, touched or tampered with."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from healthkit.config import Config
from healthkit.findings import Severity
from healthkit.manifests import BackedFile, digest, encode_manifest, read_manifest

HOUR = timedelta(hours=1)


def rewrite(folder, *, files=None, **changes):
    """Write the manifest again, as somebody who can would: hashes and sizes as they are now."""
    import msgspec

    manifest = read_manifest(folder)
    if files is None:
        sizes = {f.path: (folder / f.path).stat().st_size for f in manifest.files}
        files = tuple(BackedFile(path, size, digest(folder / path)) for path, size in sizes.items())
    manifest = msgspec.structs.replace(manifest, files=files, **changes)
    (folder / "manifest.json").write_bytes(encode_manifest(manifest))


def verify(host, **more):
    return host.run("backup_verification", **more)


def critical(run):
    return {finding.subject: finding.message for finding in run.findings.of(Severity.CRITICAL)}


def test_a_good_backup_passes_and_is_not_touched(host):
    folder = host.backup()
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
    run = verify(host)
    assert (run.exit_code, run.status) == (0, "ok")
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before
    assert not list((host.home / "work").iterdir())
    assert not list(host.database.parent.glob("*.corrupted*"))


@pytest.mark.parametrize(("hours", "severity"), [(23.9, "ok"), (24.5, "warning"), (25.5, "critical"), (47, "critical")])
def test_the_age_is_the_manifest_s(host, hours, severity):
    """D05, D11: `-mtime +1` let 47 hours pass, and one old file inside made every backup old."""
    folder = host.backup()
    os.utime(folder / "config/production.yaml", (0, 0))
    run = verify(host, after=hours * HOUR)
    assert next(f for f in run.findings if f.subject == "age").severity.value == severity


def test_a_touched_or_linked_old_backup_is_old(host):
    """D10, D12: a touch, or a link, made a backup of nine days pass."""
    folder = host.backup()
    real = host.top / "other-disk"
    shutil.move(host.backups, real)
    host.backups.symlink_to(real)
    os.utime(real / folder.name)
    run = verify(host, after=9 * 24 * HOUR)
    assert "9 days old" in critical(run)["age"].replace("\u00a0", " ")


def test_what_is_newest_by_name_is_not_chosen(host):
    """D09, D60: `ls -t | head` took a README, lost+found or a partial copy; `latest` counted twice."""
    folder = host.backup()
    (host.backups / "lost+found").mkdir()
    (host.backups / "zzz README\n'").write_text("x")
    (host.backups / "20991231T000000Z").mkdir()
    run = verify(host, after=HOUR)
    assert run.steps[0].evidence["folder"] == str(folder)
    assert run.findings.worst is Severity.WARNING, "and the folder without a manifest is told"


def test_no_backup_at_all_is_critical(host):
    run = verify(host)
    assert run.exit_code == 2
    assert [step.status for step in run.steps] == ["failed", *["skipped"] * 4]
    host.backups.mkdir()
    assert verify(host).exit_code == 2


def test_a_flipped_byte_in_any_file_is_found(host):
    folder = host.backup()
    for file in read_manifest(folder).files:
        path = folder / file.path
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert file.path in critical(verify(host))["files"]
        path.write_bytes(data)
    assert verify(host).exit_code == 0


def test_a_backup_without_the_database_is_critical(host):
    """D13: `if [ -f health.db ]` skipped the check: no alert, exit 0."""
    folder = host.backup()
    (folder / "databases/health.db").unlink()
    files = tuple(f for f in read_manifest(folder).files if f.path != "databases/health.db")
    rewrite(folder, files=files, databases=())
    assert critical(verify(host))["database health"] == "is not in the backup"


def test_an_error_that_names_an_index_called_ok_is_an_error(host):
    """D14: `grep -q ok` passed `row 1 missing from index ix_tokens`."""
    folder = host.backup()
    path = folder / "databases/health.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX ix_tokens ON tokens (id)' WHERE name = 'ix_tokens'")
    rewrite(folder)
    message = critical(verify(host))["database health"]
    assert "ix_tokens" in message
    assert "ok" in message, "the runbook's grep would have passed it"


def test_an_empty_database_is_critical(host):
    """D15: 0 bytes pass integrity_check."""
    folder = host.backup()
    (folder / "databases/health.db").write_bytes(b"")
    rewrite(folder)
    assert "empty" in critical(verify(host))["database health"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM tokens WHERE id <= 10", "490 rows; the manifest counts 500"),
        ("DROP TABLE tokens", "no tables"),
        ("ALTER TABLE tokens ADD COLUMN x", "another schema"),
    ],
)
def test_rows_and_schema_are_compared_with_the_manifest(host, change, said):
    """D53: no row was ever counted against what there should be."""
    folder = host.backup()
    with closing(sqlite3.connect(folder / "databases/health.db", isolation_level=None)) as db:
        db.execute(change)
    rewrite(folder)
    assert said in critical(verify(host))["database health"]


def test_rows_that_refer_to_nothing_are_found(host):
    with closing(sqlite3.connect(host.database)) as db:
        db.execute("CREATE TABLE uses (token INTEGER REFERENCES tokens (id))")
        db.execute("INSERT INTO uses VALUES (999999)")
        db.commit()
    host.backup()
    assert "1 row refers to rows that are not there" in critical(verify(host))["database health"]


@pytest.mark.parametrize("content", ["", "just text, cut off", "a: [1\n", "test_execution: {timeout: soon}\n"])
def test_a_configuration_must_say_something(host, content):
    """D34: an empty or text-only file is valid YAML."""
    (host.etc / "production.yaml").write_text(content)
    host.backup()
    assert "production.yaml" in critical(verify(host))["configuration"]


def test_ours_is_held_against_its_schema(host):
    (host.home / "config/healthkit.yaml").write_text("host: web-1\nmial: {}\n")
    host.backup()
    assert "unknown key `$.mial`" in critical(verify(host))["configuration"]


def test_a_hostile_name_is_data(host):
    """D32, D33: a file name pasted into `python -c` ran as root."""
    (host.etc / "x'); import os; os.system('touch pwned'); ('.yaml").write_text("a: 1\n")
    (host.etc / "new\nline.json").write_text("{}")
    host.backup()
    assert verify(host).exit_code == 0
    assert not list(host.top.rglob("pwned"))


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "config/../../x", "config/link.yaml"])
def test_paths_that_lead_out_are_refused(host, path):
    folder = host.backup()
    (folder / "config/link.yaml").symlink_to("/etc/passwd")
    rewrite(folder, files=(*read_manifest(folder).files, BackedFile(path, 1, "0" * 64)))
    assert "refused" in critical(verify(host))["files"]


def test_what_the_manifest_does_not_name_is_told(host):
    folder = host.backup()
    (folder / "config/extra.yaml").write_text("a: 1\n")
    run = verify(host)
    assert run.exit_code == 1
    assert run.findings[0].evidence["extra"] == ("config/extra.yaml",)


def test_another_backup_can_be_named(host):
    old = host.backup()
    host.backup(after=HOUR)
    run = verify(host, options={"backup": str(old)})
    assert (run.exit_code, run.steps[0].evidence["folder"]) == (0, str(old))


def test_not_configured(host):
    run = verify(host, config=Config(host="x"))
    assert (run.exit_code, run.status) == (0, "skipped")
