"""A skipped test names what it lacks; in CI, where everything was installed, it is a failure."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime

import pytest
from booted_systemd import booted_systemd, why_not
from hypothesis import settings

# The workers share the cores: threads of a BLAS that wait busily for one another took three quarters of some tests' time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__all__ = ["booted_systemd"]

LEFT_OUT = pytest.StashKey[str]()

# Times vary on a shared machine, and examples that vary from run to run would make CI a lottery.
# The same examples every time: past the sixtieth they seldom tell more, and 2,700 tests have to end in minutes.
settings.register_profile("healthkit", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("healthkit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {call.excinfo.value}"
    return report


def pytest_collection_modifyitems(config, items):
    """Long tests first: one that is begun last would keep one worker at work and the others waiting.

    Where no systemd can boot, its tests are left out, in CI too: no package that could be installed would change that.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    booting = [item for item in items if "booted_systemd" in item.fixturenames]
    if booting and (reason := why_not()):
        config.hook.pytest_deselected(items=booting)
        items[:] = [item for item in items if item not in booting]
        config.stash[LEFT_OUT] = f"{len(booting)} tests of a systemd that has booted are left out: {reason}"


def pytest_terminal_summary(terminalreporter, config):
    if LEFT_OUT in config.stash:
        terminalreporter.write_line(config.stash[LEFT_OUT], yellow=True)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    """A home with four weeks of five simulated hosts that end on Monday 2026-11-23: to read only, all workers share it."""
    from healthkit.demo import write_demo

    top = tmp_path_factory.getbasetemp()
    top = top.parent if "PYTEST_XDIST_WORKER" in os.environ else top
    with (top / "fleet.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (top / "fleet").exists():
            write_demo(top / "unfinished", hosts=5, days=28, end=datetime(2026, 11, 23, 6, tzinfo=UTC))
            (top / "unfinished").rename(top / "fleet")
    return top / "fleet"
