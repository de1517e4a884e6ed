"""A skipped test names what it lacks; in CI, where everything was installed, it is a failure."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Times vary on a shared machine, and examples that vary from run to run would make CI a lottery.
settings.register_profile("healthkit", deadline=None, derandomize=True)
settings.load_profile("healthkit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {call.excinfo.value}"
    return report
