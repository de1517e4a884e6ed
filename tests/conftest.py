"""A skipped test names what it lacks; in CI, where everything was installed, it is a failure."""

from __future__ import annotations

import os

import pytest
from booted_systemd import booted_systemd
from hypothesis import settings

# The workers share the cores: threads of a BLAS that wait busily for one another took three quarters of some tests' time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__all__ = ["booted_systemd"]

# Times vary on a shared machine, and examples that vary from run to run would make CI a lottery.
settings.register_profile("healthkit", deadline=None, derandomize=True)
settings.load_profile("healthkit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {call.excinfo.value}"
    return report
