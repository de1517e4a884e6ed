"""A skipped test names what it lacks; in CI, where everything was installed, it is a failure.

Unless it says "does not apply": then nothing is lacking, the machine is only not of the kind that the test is about.
"""

from __future__ import annotations

import os

import pytest
from booted_systemd import booted_systemd
from hypothesis import settings

__all__ = ["booted_systemd"]

# Times vary on a shared machine, and examples that vary from run to run would make CI a lottery.
settings.register_profile("healthkit", deadline=None, derandomize=True)
settings.load_profile("healthkit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    lacking = report.skipped and not hasattr(report, "wasxfail") and "does not apply" not in str(call.excinfo)
    if lacking and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {call.excinfo.value}"
    return report
