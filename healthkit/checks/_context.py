"""What a check is given: the home, the configuration, the clock, the file tree, the tools, and the recent samples.

Everything a check looks at comes from here, so that a test hands it another world instead of a mock.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from healthkit.config import Config
from healthkit.findings import Finding, Severity
from healthkit.quantities import quantity

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
RECENT = timedelta(hours=24)
"""How far back the samples reach that checks judge."""
HISTORY = timedelta(days=36)
"""How far back the daily statistics reach: four weeks and a margin to compare with."""
NOT_INSTALLED = "not installed"
HOUR = timedelta(hours=1)
MOMENT = timedelta(minutes=5)
"""Less than this says little of an hour."""
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class Latest(NamedTuple):
    """The newest sample of one device."""

    value: float
    ts: datetime


def run_tool(args: list[str], *, timeout: float, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program and wait for it; its messages are in English, its children die with it at the time-out.

    Raises:
        FileNotFoundError: There is no such program on PATH nor in the sbin directories that cron's PATH lacks.
        subprocess.TimeoutExpired: It took longer than *timeout* seconds.
    """
    path = shutil.which(args[0]) or shutil.which(args[0], path=_SBIN)
    if path is None:
        raise FileNotFoundError(2, NOT_INSTALLED, args[0])
    command = ["env", "LC_ALL=C.UTF-8", path, *args[1:]]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace", start_new_session=True
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)  # a grandchild would hold the pipes open, and us with them
            raise subprocess.TimeoutExpired(args, timeout) from error
    return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)


@dataclass(frozen=True)
class Context:
    """The world of one run of checks. Read only; shared by checks that run at the same time."""

    home: Path
    config: Config = field(default_factory=Config)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The moment that ages are counted to, UTC."""
    host: str | None = None
    """Whose samples are judged, and nothing but its samples; None for the machine this runs on, live."""
    root: str = "/"
    """Top of the file tree that system files (`/etc/fstab`, `/var/log/auth.log`, ...) are looked up in."""
    given: pd.DataFrame | None = None
    """Samples to judge instead of those in the store: ts, host, metric, device, value; counters as they were read."""
    given_history: pd.DataFrame | None = None
    """Daily statistics to judge instead of those in the store, as `store.load_rollup` returns them."""
    run: Callable[..., subprocess.CompletedProcess[str]] = run_tool
    deadline: float = field(default_factory=lambda: time.monotonic() + 10)
    """When every check must have answered, on the monotonic clock."""
    _loaded: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def subject_host(self) -> str:
        """Whose samples are judged, never empty."""
        return self.host or self.config.host

    @property
    def local(self) -> bool:
        """Whether the machine itself may be looked at, besides its samples."""
        return not self.host

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - time.monotonic())

    def path(self, name: str) -> Path:
        """A system file in the tree that is looked at."""
        return Path(self.root) / name.lstrip("/")

    def tool(self, *args: str, timeout: float = 60, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program, no longer than until the deadline. Raises as `run_tool`."""
        return self.run(list(args), timeout=min(timeout, max(self.remaining - 0.2, 0.1)), stdin=stdin)

    @property
    def fresh(self) -> timedelta:
        """How old the newest sample may be to speak of now: three intervals, and a quarter of an hour at least."""
        return max(timedelta(minutes=15), timedelta(seconds=3 * float(self.config.collect.every)))

    @property
    def hour(self) -> timedelta:
        """How far back a mean of now reaches: an hour, or further where samples are rarer than that."""
        return max(HOUR, self.fresh)

    @property
    def samples(self) -> pd.DataFrame:
        """Samples of the last 24 hours, loaded once: ts, host, metric, device, value; counters as they were read.

        Raises:
            StoreError: The store cannot be read.
        """
        return self.once("samples", self._load_samples)

    @property
    def history(self) -> pd.DataFrame:
        """Daily statistics of the last five weeks, loaded once, as `store.load_rollup` returns them.

        Raises:
            StoreError: The store cannot be read.
        """
        return self.once("history", self._load_history)

    def window(self, metric: str, *, device: str | None = None, within: timedelta = RECENT) -> pd.DataFrame:
        """Samples of one metric, oldest first, no older than *within* before now and without NaN."""
        samples = self.samples
        data = self.once("by metric", lambda: self._split(samples)).get(metric, samples.iloc[:0])
        if device is not None:
            data = data[data["device"] == device]
        return data if within >= RECENT else data[data["ts"] > self.now - within]

    def _split(self, samples: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Samples of the last 24 hours by metric: every check asks for two or three of a hundred."""
        recent = samples[(samples["ts"] > self.now - RECENT) & (samples["ts"] <= self.now)].dropna(subset=["value"])
        groups = recent.sort_values("ts", kind="stable").groupby("metric", observed=True, sort=False)
        return {str(name): group for name, group in groups}

    def latest(self, metric: str) -> Mapping[str, Latest]:
        """The newest sample of every device that is fresh enough to speak of now."""
        newest = self.window(metric, within=self.fresh).drop_duplicates("device", keep="last")
        rows = zip(newest["device"], newest["value"], newest["ts"], strict=True)
        return {str(device): Latest(float(value), ts.to_pydatetime()) for device, value, ts in rows}

    def unmeasured(self, check: str, subject: str, metric: str) -> Finding:
        """The UNKNOWN of a check whose samples are missing."""
        minutes = round(self.fresh.total_seconds() / 60)
        return Finding(
            check,
            Severity.UNKNOWN,
            subject,
            f"no sample of {metric} in the last {minutes} minutes",
            evidence={"metric": metric, "source": "samples"},
            hint="Start the collector (healthkit collect --every 60s), or see what `healthkit check collectors` says.",
        )

    def once(self, name: str, load: Callable[[], T]) -> T:
        """What *load* gave when it was first asked for under this name: several questions share one walk."""
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load()
            loaded: T = self._loaded[name]
            return loaded

    def _load_samples(self) -> pd.DataFrame:
        if self.given is not None:
            return self.given[self.given["host"] == self.subject_host]
        from healthkit.store import load

        return load(self.home, hosts=[self.subject_host], start=self.now - RECENT, end=self.now, rates=False)

    def _load_history(self) -> pd.DataFrame:
        if self.given_history is not None:
            return self.given_history[self.given_history["host"] == self.subject_host]
        from healthkit.store import load_rollup

        return load_rollup(self.home, hosts=[self.subject_host], start=self.now - HISTORY, end=self.now)


def not_applicable(check: str, subject: str, message: str, *, hint: str = "") -> Finding:
    """The answer of a check that has nothing to look at: neither good nor unknown, and no part of the score."""
    return Finding(check, Severity.INFO, subject, message, evidence={"applicable": False}, hint=hint)


def applicable(finding: Finding) -> bool:
    """Whether a finding judges something; False for those of `not_applicable`."""
    return not (finding.severity is Severity.INFO and finding.evidence.get("applicable") is False)


def stretch(window: pd.DataFrame) -> str:
    """How long samples really reach, in words: an hour of which 20 seconds were measured is 20 seconds."""
    seconds = (window["ts"].iloc[-1] - window["ts"].iloc[0]).total_seconds()
    if 0.9 <= seconds / HOUR.total_seconds() <= 1:
        return "the last hour"
    return f"the last {quantity(seconds, 'seconds')}" if seconds else "the last sample"


def printable(path: str | os.PathLike[str]) -> str:
    r"""A path as text that any writer can encode: bytes that are not UTF-8 become `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def judge(value: float, warning: float, critical: float) -> Severity:
    """OK up to *warning*, WARNING above it, CRITICAL above *critical*."""
    return Severity.CRITICAL if value > critical else Severity.WARNING if value > warning else Severity.OK


def judge_mean(window: pd.DataFrame, warning: float, critical: float) -> Severity:
    """As `judge`, of the mean of samples; of less than `MOMENT` at most a warning: a burst is no state, and wakes nobody."""
    severity = judge(float(window["value"].mean()), warning, critical)
    measured = window["ts"].iloc[-1] - window["ts"].iloc[0]
    return Severity.WARNING if severity is Severity.CRITICAL and measured < MOMENT else severity


def critical_above(limit: float) -> float:
    """Where a ratio with this warning limit becomes critical: three quarters of the way from there to full.

    >>> round(critical_above(0.80), 4)
    0.95
    """
    return limit + 0.75 * (1 - limit)
