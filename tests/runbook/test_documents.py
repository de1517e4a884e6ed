"""Markdown for the old weekly review: no heading above the third level, and every sentence from findings."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from healthkit.findings import Finding, Severity
from healthkit.full_checks import keep
from healthkit.scores import health_score

FLAGS = [["--comprehensive-report"], ["--performance-analysis", "--week"], ["--security-check"], ["--recommendations"]]
NASTY = "\x1b[31mweb\n# Heading | <img src=x onerror=alert(1)> [a](javascript:b)"


def world(old, *findings):
    now = datetime.now(UTC)
    keep(old.home, health_score(list(findings)).as_dict() | {"host": "web-1"}, now=now)


def finding(check="disk", severity=Severity.WARNING, subject="/var", message="/var is 91 % full", hint="Make room."):
    return Finding(check, severity, subject, message, hint=hint, ts=datetime.now(UTC), host="web-1")


@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: flags[0])
def test_it_is_markdown_that_fits_below_a_heading(old, flags):
    world(old, finding(subject=NASTY, message=NASTY, hint=NASTY), finding("updates", subject=NASTY))
    done = old(*flags)
    assert done.code == 0
    assert done.out.strip()
    assert not re.search(r"^#{1,2}( |$)", done.out, re.MULTILINE)
    assert not re.search(r"^(=+|-+)\s*$", done.out, re.MULTILINE)  # the other way to write a heading
    assert "<img" not in done.out
    assert "\x1b" not in done.out
    assert "Traceback" not in done.err


def test_recommendations_follow_from_the_findings(old):
    world(old, finding(), finding("inodes", Severity.OK, "/", "/ has inodes", ""))
    done = old("--recommendations")
    assert "- warning: web-1: disk: **/var** /var is 91 % full. Make room." in done.out
    assert "2 answers, 2 of them could be told, 1 asks for action." in done.out


def test_no_sentence_is_the_same_in_two_worlds(old):
    """D45: the old report said that all was well, in a constant."""
    said = []
    for score in ("good", "bad"):
        severity = Severity.OK if score == "good" else Severity.CRITICAL
        world(
            old,
            *(
                finding("disk", severity, f"/{score}{n}", f"/{score}{n} is {n} % full")
                for n in range(5 if score == "bad" else 3)
            ),
        )
        said.append([set(filter(None, re.split(r"[\n.]\s*", old(*flags).out))) for flags in (FLAGS[0], FLAGS[3])])
    for good, bad in zip(*said, strict=True):
        common = {line for line in good & bad if not re.match(r"#|\| (-|[A-Z])", line)}
        assert not {line for line in common if "disk" in line or "% full" in line or "answers" in line}


def test_what_cannot_be_told_is_not_fine(old):
    world(old, finding("disk", Severity.UNKNOWN, "disks", "no sample of disk_used_ratio", "Start the collector."))
    done = old("--recommendations")
    assert "- unknown: web-1: disk: **disks** no sample of disk_used_ratio. Start the collector." in done.out
    assert "1 answer, 0 of them could be told" in done.out


def test_the_security_check_tells_the_last_review_and_what_changed(old):
    folder = old.home / "security-reviews"
    folder.mkdir()
    made = datetime.now(UTC) - timedelta(days=2)
    review = {
        "week": "2026-W47", "made": made.isoformat(), "host": "web-1",
        "findings": [finding("ports", Severity.CRITICAL, "0.0.0.0:6379", "redis listens", "Close it.").as_dict()],
        "changes": {"new": ["ports: 0.0.0.0:6379: redis listens"], "worse": [], "better": [], "gone": [], "blind": []},
    }  # fmt: skip
    (folder / "2026-W47.json").write_text(json.dumps(review))
    done = old("--security-check")
    assert "Security review of 2026-W47." in done.out
    assert "**0.0.0.0:6379** redis listens. Close it." in done.out
    assert "- New: ports: 0.0.0.0:6379: redis listens" in done.out
    review["made"] = (made - timedelta(days=9)).isoformat()
    (folder / "2026-W47.json").write_text(json.dumps(review))
    assert "no review of the last eight days" in old("--security-check").out
