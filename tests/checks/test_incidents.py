"""Open incidents are findings until they are over, and until somebody has said why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from healthkit.checks import check
from healthkit.config import Config
from healthkit.findings import Severity
from healthkit.incidents import Incident, save

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def asked(home):
    return check(home, config=Config(host="web-1"), names=["incidents"], now=NOW)[0]


@pytest.mark.parametrize(
    ("severity", "over", "expected"),
    [
        ("critical", None, Severity.CRITICAL),
        ("warning", None, Severity.WARNING),
        ("critical", timedelta(days=1), Severity.INFO),
        ("critical", timedelta(days=4), Severity.WARNING),
    ],
)
def test_an_incident_is_a_finding_until_it_is_closed(tmp_path, severity, over, expected):
    resolved = NOW - over if over else None
    one = Incident(
        "INC-20261119-120000", "web-1", severity, "shop does not answer", NOW - timedelta(days=5), resolved=resolved
    )
    save(tmp_path, one)
    found = asked(tmp_path)
    assert found.severity is expected
    assert "shop does not answer" in found.message
    save(tmp_path, one.add("closed", "a full disk", closed=NOW))
    assert asked(tmp_path).evidence["applicable"] is False


def test_what_happened_on_another_host_is_not_ours(tmp_path):
    save(tmp_path, Incident("INC-20261119-120000", "db-9", "critical", "down", NOW - timedelta(days=5)))
    assert asked(tmp_path).evidence["applicable"] is False


def test_an_incident_that_cannot_be_read_is_unknown(tmp_path):
    save(tmp_path, Incident("INC-20261119-120000", "web-1", "critical", "down", NOW))
    (tmp_path / "logs" / "incidents" / "INC-20261119-120000.json").write_text("{")
    assert asked(tmp_path).severity is Severity.UNKNOWN
