"""What a condition may speak of: the latest value of every metric, and what checks, tasks and backups say.

A name that has no value is absent, with the reason where one is known; a rule about it then says "unknown". Nothing is
asked here: samples, the last full check and the records of tasks are read, so that rules can be judged every few minutes.

- A metric's name stands for its worst device: the largest value, or the smallest of `LOW_IS_BAD`; `_min` and `_max`
  after it say which one is meant. Counters are rates per second. Samples older than three intervals are no latest value.
- `health_score`, `coverage` and `score_capped` (1 where a cap holds the score down) are the last full check's, if it is
  less than 26 hours old; so are `security_vulnerabilities` and `days_until_full` (of the mount that is full first;
  infinite where none grows).
- `security_score` is the newest audit's, for forty days: a month, and time to make the next.
- `backup_age_hours` is the newest backup's by its manifest, infinite where there is none.
- `maintenance_task_exit_code` and `task_name` are of the tasks whose last run failed, newest first; 0 where none did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.errors import StoreError
from healthkit.full_checks import STALE
from healthkit.logbook import by_task, runs_of
from healthkit.manifests import newest_backup

if TYPE_CHECKING:
    from healthkit.alerts.conditions import Value
    from healthkit.config import Config
    from healthkit.state import State

AUDITED = timedelta(days=40)
"""Age up to which the last security audit speaks of now: a month, and time to make the next."""
LOW_IS_BAD = frozenset({
    "clock_synchronised", "collector_up", "disk_available_bytes", "host_uptime_seconds", "http_up", "memory_available_bytes",
    "network_up", "program_running_count", "tls_certificate_left_days",
})  # fmt: skip
"""Metrics whose worst device is the one with the smallest value."""


@dataclass(frozen=True)
class Known:
    """One name's value."""

    value: Value
    at: datetime
    """When it was measured, UTC: a value that is read again is no second measurement."""
    device: str = ""
    """The device it is of; empty for the host as a whole."""


@dataclass(frozen=True)
class Names:
    """All names that have a value, and why some have none."""

    known: Mapping[str, Known]
    missing: Mapping[str, str]
    """Reason by name."""

    @property
    def values(self) -> dict[str, Value]:
        """As a condition takes them."""
        return {name: known.value for name, known in self.known.items()}

    def why(self, name: str) -> str:
        """Why a name has no value."""
        return self.missing.get(name, "not measured lately, or no such name")


def names(home: Path, config: Config, state: State, *, now: datetime) -> Names:
    """Everything that a condition may speak of on this host.

    Args:
        home: The home.
        config: Its configuration.
        state: Its records, open.
        now: The time, UTC.
    """
    known: dict[str, Known] = {}
    missing: dict[str, str] = {}
    sources: dict[str, Callable[[], Iterable[tuple[str, Known]]]] = {
        "metrics": partial(_metrics, home, config, now),
        "the last check": partial(_report, config, state, now, missing),
        "tasks": partial(_tasks, state, now),
        "audits": partial(_audit, config, state, now, missing),
        "backups": partial(_backup, config, now, missing),
    }
    for source, read in sources.items():
        try:
            known.update(read())
        except (StoreError, OSError) as error:
            missing.update(dict.fromkeys(_OF[source], f"{source} cannot be read: {error}"))
    return Names(known, missing)


_OF: Mapping[str, tuple[str, ...]] = {
    "metrics": (),
    "the last check": ("health_score", "coverage", "score_capped", "security_vulnerabilities", "days_until_full"),
    "tasks": ("maintenance_task_exit_code", "task_name"),
    "audits": ("security_score",),
    "backups": ("backup_age_hours",),
}


def _metrics(home: Path, config: Config, now: datetime) -> Iterator[tuple[str, Known]]:
    from healthkit.store import load

    fresh = max(timedelta(minutes=15), timedelta(seconds=3 * float(config.collect.every)))
    data = load(home, hosts=[config.host], start=now - fresh, end=now + timedelta(milliseconds=1))
    data = data.dropna(subset=["value"])
    newest = data.sort_values("ts").drop_duplicates(["metric", "device"], keep="last").sort_values("value")
    columns = (newest[name].tolist() for name in ("metric", "device", "value", "ts"))
    devices: dict[str, list[Known]] = {}
    for metric, device, value, ts in zip(*columns, strict=True):
        devices.setdefault(str(metric), []).append(Known(float(value), ts.to_pydatetime(), str(device)))
    for metric, rising in devices.items():
        yield metric, rising[0 if metric in LOW_IS_BAD else -1]
        yield f"{metric}_min", rising[0]
        yield f"{metric}_max", rising[-1]


def _report(config: Config, state: State, now: datetime, missing: dict[str, str]) -> Iterator[tuple[str, Known]]:
    last = state.last_health_report(config.host)
    if last is None or not isinstance(last["report"], Mapping):
        missing |= dict.fromkeys(_OF["the last check"], "no full check was made yet: healthkit check")
        return
    at, report = last["ts"], last["report"]
    if at is None or not timedelta(minutes=-5) <= now - at <= STALE:
        missing |= dict.fromkeys(
            _OF["the last check"], f"the last full check is of {at:%Y-%m-%d %H:%M} UTC" if at else ""
        )
        return
    if isinstance(report.get("overall_score"), int | float):
        capped = any(c.get("name") == "caps" and c.get("deductions") for c in report.get("components", ()))
        yield "health_score", Known(float(report["overall_score"]), at)
        yield "score_capped", Known(float(capped), at)
    if isinstance(report.get("coverage"), int | float):
        yield "coverage", Known(float(report["coverage"]), at)
    findings = [f for f in report.get("findings", ()) if f.get("evidence", {}).get("applicable", True)]
    yield from _vulnerabilities([f for f in findings if f.get("check") == "vulnerabilities"], at, missing)
    yield from _headroom([f for f in findings if f.get("check") == "headroom"], at, missing)


def _vulnerabilities(
    findings: list[dict[str, Any]], at: datetime, missing: dict[str, str]
) -> Iterator[tuple[str, Known]]:
    """The count; 0 only where no environment could not be told."""
    asked = [f for f in findings if not str(f.get("subject", "")).endswith(": skipped")]
    told = [float(f["value"]) for f in asked if f.get("value") is not None]
    unknown = [f for f in asked if f.get("severity") == "unknown"]
    if told and (sum(told) > 0 or not unknown):
        yield "security_vulnerabilities", Known(sum(told), at)
    else:
        reason = next((str(f.get("message")) for f in unknown), "no check looked for them")
        missing["security_vulnerabilities"] = reason


def _headroom(findings: list[dict[str, Any]], at: datetime, missing: dict[str, str]) -> Iterator[tuple[str, Known]]:
    told = [f for f in findings if f.get("severity") != "unknown"]
    if not told:
        missing["days_until_full"] = next((str(f.get("message")) for f in findings), "no check looked for it")
        return
    days = {str(f["subject"]): math.inf if f.get("value") is None else float(f["value"]) for f in told}
    first = min(days, key=lambda mount: days[mount])
    yield "days_until_full", Known(days[first], at, first)


def _tasks(state: State, now: datetime) -> Iterator[tuple[str, Known]]:
    """Of every task the newest run that ended; a run that was skipped says nothing."""
    kept = state.records("task_runs", since=now - timedelta(days=100))
    ended = by_task([run for run in kept if run["status"] in {"ok", "failed"}])
    last = {task: runs[0] for task, runs in ended.items()}
    if not last:
        return
    failed = [run for run in last.values() if run["status"] == "failed"]
    at = max(run["ended"] or run["started"] for run in failed or last.values())
    code = (failed[0]["exit_code"] or 1) if failed else 0
    yield "maintenance_task_exit_code", Known(float(code), at)
    yield "task_name", Known(", ".join(str(run["task"]) for run in failed) or "none", at)


def _audit(config: Config, state: State, now: datetime, missing: dict[str, str]) -> Iterator[tuple[str, Known]]:
    for run in runs_of(state, "security_audit", since=now - AUDITED, host=config.host):
        steps = run["detail"].get("steps", ()) if isinstance(run["detail"], Mapping) else ()
        scores = [step["evidence"].get("overall_score") for step in steps if step["name"] == "assessment"]
        if scores and isinstance(scores[0], int | float):
            yield "security_score", Known(float(scores[0]), run["started"])
            return
    missing["security_score"] = f"no audit in {AUDITED.days} days: healthkit run security_audit"


def _backup(config: Config, now: datetime, missing: dict[str, str]) -> Iterator[tuple[str, Known]]:
    if config.backups is None:
        missing["backup_age_hours"] = "no backups are configured"
        return
    try:
        newest = newest_backup(Path(config.backups.directory))
    except FileNotFoundError:
        newest = None
    age = (now - newest.manifest.created) / timedelta(hours=1) if newest else math.inf
    yield "backup_age_hours", Known(age, now)
