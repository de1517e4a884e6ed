"""Checks of one's own: a file in HOME/checks is asked like ours."""

from __future__ import annotations

import pytest

from healthkit.checks import check, names
from healthkit.errors import ConfigError
from healthkit.findings import Severity
from healthkit.scores import health_score

ROOMY = """
from healthkit import Finding, Severity

LOCAL = False


def check(context):
    yield Finding("other", Severity.WARNING, "shelf", "3 boxes are left")
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "checks").mkdir(mode=0o755)
    return tmp_path


def put(home, text, name="roomy"):
    path = home / "checks" / f"{name}.py"
    path.write_text(text)
    path.chmod(0o644)
    return path


def only(home, **more):
    return check(home, names=["roomy"], **more)[0]


def test_a_file_is_a_check_and_counts_in_the_score(home):
    put(home, ROOMY)
    assert "roomy" in names(home)
    assert "roomy" not in names()
    found = check(home)
    mine = [f for f in found if f.check == "roomy"]
    assert [(f.severity, f.subject) for f in mine] == [(Severity.WARNING, "shelf")]
    lines = [line for part in health_score(found).components for line in part.deductions if line.check == "roomy"]
    assert len(lines) == 1


def test_it_speaks_of_other_hosts_only_if_it_judges_samples(home):
    put(home, ROOMY)
    assert only(home, host="db-1").severity is Severity.WARNING
    put(home, ROOMY.replace("LOCAL = False", ""))
    assert only(home, host="db-1").evidence["applicable"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def check(context:\n", "mistake in the check"),
        ("import nothing_of_that_name\n", "nothing_of_that_name"),
        ("x = 1\n", "no function check"),
        ("def check(context):\n    return iter(())\n", "no answer"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_is_broken_is_unknown(home, text, said):
    put(home, text)
    assert only(home).severity is Severity.UNKNOWN
    assert said in only(home).message


def test_a_file_that_others_may_write_is_not_run(home):
    path = put(home, "raise SystemError('was run')\n")
    for place in (path, path.parent):
        place.chmod(0o777)
        assert only(home).severity is Severity.UNKNOWN
        assert "others could change" in only(home).message
        place.chmod(0o755)


def test_it_cannot_take_the_name_of_one_of_ours(home):
    put(home, ROOMY, name="disk")
    with pytest.raises(ConfigError, match=r"checks/disk.py.*'disk'"):
        check(home)
