"""The weekly review: what the checks said, and what changed."""

from __future__ import annotations

import json
import os
import stat
from datetime import timedelta

import pytest

from healthkit.checks._context import NOT_INSTALLED
from healthkit.config import Application, Config
from healthkit.findings import Severity
from healthkit.procedures._changes import changes
from healthkit.procedures.security_review import CHECKS

WEEK = timedelta(days=7)


def absent(args, *, timeout, stdin=""):
    raise FileNotFoundError(2, NOT_INSTALLED, args[0])


@pytest.fixture
def review(host):
    """Review a host on which no tool is installed, with an application folder of its own."""
    app = host.top / "opt"
    app.mkdir()
    config = Config(host="web-1", application=Application(directory=str(app), config=str(host.etc)))

    def review(weeks=0):
        return host.run("security_review", after=weeks * WEEK, config=config, root=str(host.top / "root"), run=absent)

    review.app = app
    return review


def summary(run):
    return next(finding for finding in run.findings if finding.subject == "changes")


def test_every_check_answers_and_the_record_is_private(review, host):
    run = review()
    assert run.status == "ok", "what it finds is no failure of the review"
    assert {finding.check for finding in run.findings} >= set(CHECKS)
    path = host.home / "security-reviews/2026-W48.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    body = json.loads(path.read_text())
    assert {finding["check"] for finding in body["findings"]} == set(CHECKS)
    assert "no review of an earlier week" in summary(run).message


def test_a_missing_tool_is_unknown(review):
    """D01, D26: a tool that failed left an empty file, and that was 'no vulnerabilities'."""
    run = review()
    assert run.exit_code in (2, 3)
    assert {"updates", "vulnerabilities"} <= {finding.check for finding in run.findings.of(Severity.UNKNOWN)}


def test_what_is_new_and_what_is_gone(review, host):
    """D49: a world-writable directory is found, and so is that it was mended."""
    if os.geteuid():
        pytest.skip("looks as root")
    review()
    folder = review.app / "open to all"
    folder.mkdir()
    folder.chmod(0o777)
    found = summary(review(1)).evidence
    assert found["since"] == "2026-W48"
    assert any("permissions" in line for line in found["new"])
    again = summary(review(1)).evidence
    assert again["new"] == found["new"], "a second review in a week compares with the week before too"
    folder.chmod(0o755)
    found = summary(review(2)).evidence
    assert any("permissions" in line for line in found["gone"])
    assert not found["new"]


def test_years_are_iso_years(review):
    """D28: `%Y-W%U` makes W52 and W00 of one week."""
    for weeks in (5, 6):
        run = review(weeks)
    assert summary(run).evidence["since"] == "2026-W53"
    assert run.steps[-1].evidence["path"].endswith("2027-W01.json")


def test_a_damaged_record_is_unknown(review, host):
    review()
    (host.home / "security-reviews/2026-W48.json").write_text('{"findings": [{"x"')
    run = review(1)
    assert run.status == "unknown"
    assert any("damaged" in finding.message for finding in run.findings)


def finding(severity, *, check="ports", subject="8080/tcp", value=None):
    return {"check": check, "subject": subject, "severity": severity, "message": "m", "value": value}


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ([], [finding("warning")], "new"),
        ([finding("ok")], [finding("critical")], "new"),
        ([finding("warning")], [finding("critical")], "worse"),
        ([finding("warning", value=3)], [finding("warning", value=5)], "worse"),
        ([finding("warning", value=5)], [finding("warning", value=3)], "better"),
        (
            [finding("warning", value=15, check="certificates")],
            [finding("warning", value=8, check="certificates")],
            "worse",
        ),
        ([finding("warning")], [], "gone"),
        ([finding("warning")], [finding("ok")], "gone"),
        ([finding("warning")], [finding("unknown")], "blind"),
        ([finding("warning")], [finding("unknown", subject="ports")], "blind"),
        ([finding("unknown")], [finding("unknown")], None),
        ([finding("warning")], [finding("warning")], None),
        ([finding("unknown")], [finding("warning")], "new"),
    ],
)
def test_kinds_of_change(before, now, kind):
    """What cannot be told any more is not gone."""
    found = {name: len(lines) for name, lines in vars(changes(before, now)).items() if lines}
    assert found == ({kind: 1} if kind else {})
