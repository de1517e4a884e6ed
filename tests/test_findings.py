from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from healthkit.findings import Finding, Findings, Severity

findings = st.builds(
    Finding,
    st.sampled_from(["disk", "cpu"]),
    st.sampled_from(list(Severity)),
    st.sampled_from(["/", "/var"]),
    st.text(max_size=3),
    required=st.booleans(),
)


def test_worst_first_as_the_house_orders_them():
    one = {
        "critical": Finding("a", Severity.CRITICAL, "", ""),
        "required unknown": Finding("a", Severity.UNKNOWN, "", "", required=True),
        "warning": Finding("a", Severity.WARNING, "", ""),
        "unknown": Finding("a", Severity.UNKNOWN, "", ""),
        "info": Finding("a", Severity.INFO, "", ""),
        "ok": Finding("a", Severity.OK, "", ""),
    }
    for order in itertools.permutations(one.values()):
        assert list(Findings(order)) == list(one.values())


def test_nothing_asked_is_unknown_not_ok():
    assert Findings().worst is Severity.UNKNOWN


def test_exit_codes_are_those_of_nagios_plugins():
    """monitoring-plugins.org guidelines: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
    codes = {severity: severity.exit_code for severity in Severity}
    assert codes == {
        Severity.OK: 0,
        Severity.INFO: 0,
        Severity.WARNING: 1,
        Severity.CRITICAL: 2,
        Severity.UNKNOWN: 3,
    }


@given(st.lists(findings, max_size=6), st.randoms())
def test_order_of_arrival_does_not_matter(items, random):
    shuffled = items.copy()
    random.shuffle(shuffled)
    assert Findings(items) == Findings(shuffled)


@given(st.lists(findings, min_size=1, max_size=6))
def test_a_frame_has_a_row_for_each(items):
    frame = Findings(items).to_frame()
    assert len(frame) == len(items)
    assert frame["severity"].iloc[0] == Findings(items).worst.value
