"""Backups: how old the newest is, whether it was read and restored, and what came of that."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import counted, quantity, utc
from healthkit.sections import recorded
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.logbook import RecordedRun
    from healthkit.reviews import Review

_PROCEDURES = ("backup", "backup_verification", "restore_test")
_RESULT = {"ok": Severity.OK, "failed": Severity.CRITICAL, "unknown": Severity.UNKNOWN, "skipped": Severity.INFO}


def backups(review: Review, *, most: int = 20) -> Section:
    """The newest backup, verification and restore test of each host, from the records; at most *most* hosts."""
    found = {name: recorded.newest(review, name)[0] for name in _PROCEDURES}
    hosts = [host for host in review.hosts if any(host in runs for runs in found.values())]
    if not hosts:
        return recorded.missing(review, "backups", "backup_verification")
    rows, lines, data = [], [], []
    for host in hosts[:most]:
        for name in _PROCEDURES:
            run = found[name].get(host)
            cells = _cells(run, review.now) if run else ("?\u00a0unknown", "no run on record", f"healthkit run {name}")
            severity = _severity(run)
            rows.append(
                (display.host(host), display.text(name), _badge(severity, cells[0]), *map(display.text, cells[1:]))
            )
            lines.append(f"{host}: {name}: {', '.join(cells)}")
            data.append({"host": host, "procedure": name, **(_numbers(run, review.now) if run else {"known": False})})
    html = display.table(["Host", "Procedure", "Result", "When", "What"], rows, caption="Backups")
    without = [host for host in review.hosts if host not in hosts]
    notes = [recorded.unknown(review, "backup_verification", without)] if without else []
    notes += (
        [counted(len(hosts) - most, "more host is not listed here.", "more hosts are not listed here.")]
        if len(hosts) > most
        else []
    )
    html += "".join(recorded.paragraph(note, muted=True) for note in notes)
    return Section("backups", html, "\n".join([*lines, *notes]), {"known": True, "rows": data, "without": without})


def _severity(run: RecordedRun | None) -> Severity:
    """Of its findings, where it had any: a verification that ran to its end may have found a bad backup."""
    if run is None:
        return Severity.UNKNOWN
    return max(
        (_RESULT.get(run.status, Severity.UNKNOWN), run.findings.worst if run.findings else Severity.OK),
        key=[*Severity].index,
    )


def _badge(severity: Severity, word: str) -> str:
    return f'<span class="sev sev-{severity.value}">{display.text(word)}</span>'


def _cells(run: RecordedRun, now: datetime) -> tuple[str, str, str]:
    """Result, age, and what it saw."""
    severity = _severity(run)
    age = quantity((now - run.started).total_seconds(), "seconds")
    bad = run.findings.of(Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
    seen = [f"{f.subject}: {f.message}" for f in bad] or [str(s["message"]) for s in run.steps if s["message"]]
    if backup := _backup_age(run, now):
        seen.insert(0, f"the backup was {backup} old")
    return f"{severity.glyph}\u00a0{severity.value}", f"{utc(run.started)}, {age} ago", "; ".join(seen) or run.reason


def _backup_age(run: RecordedRun, now: datetime) -> str:
    """Age of the backup that was looked at, by its manifest, at the time of the review."""
    created = run.evidence("newest").get("created")
    return quantity((now - datetime.fromisoformat(created)).total_seconds(), "seconds") if created else ""


def _numbers(run: RecordedRun, now: datetime) -> dict[str, Any]:
    """For JSON: hours and seconds."""
    created = run.evidence("newest").get("created")
    restored = next((f for f in run.findings if f.subject == "restore time"), None)
    return {
        "known": True,
        "status": run.status,
        "worst": _severity(run).value,
        "started": utc(run.started),
        "age_hours": (now - run.started).total_seconds() / 3600,
        "backup_age_hours": (now - datetime.fromisoformat(created)).total_seconds() / 3600 if created else None,
        "restore_seconds": restored.value if restored else None,
    }
