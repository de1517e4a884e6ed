"""The score: a lower bound whose lost points add up, and that nobody can raise by not looking."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthkit import checks
from healthkit.config import Weights
from healthkit.findings import Finding, Findings, Severity
from healthkit.scores import health_score
from healthkit.scores.weighing import deal

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
SCALE = (Severity.OK, Severity.INFO, Severity.WARNING, Severity.CRITICAL)
NAMES = checks.names()


def finding(name, severity, subject="x", **evidence):
    required = checks.load(name).required
    return Finding(name, severity, subject, "said", ts=NOW, host="web-1", required=required, evidence=evidence)


def everything(severity=Severity.OK, **others):
    return [finding(name, others.get(name, severity)) for name in NAMES]


def not_applicable(name):
    return finding(name, Severity.INFO, applicable=False)


def lost(score):
    return sum(line["points"] for component in score.as_dict()["components"] for line in component["deductions"])


ANSWERS = (
    ("not applicable",),
    *((severity,) for severity in Severity),
    (Severity.OK, Severity.WARNING),
    (Severity.OK, Severity.UNKNOWN),
    (Severity.UNKNOWN, Severity.CRITICAL, Severity.OK),
    (Severity.OK, Severity.OK, Severity.CRITICAL),
)
CAPS = ({}, {}, {"cap": 39}, {"cap": 84})


@st.composite
def answers(draw):
    """Findings of all checks, few or many of them odd, each about one to three subjects."""
    odd = draw(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ANSWERS), max_size=draw(st.sampled_from([3, 30])))
    )
    chosen = [odd.get(name, (Severity.OK,)) for name in NAMES]
    shift = draw(st.integers(0, 3))
    return [
        finding(name, severity, str(subject), **CAPS[(index + shift) % 4])
        if severity != "not applicable"
        else not_applicable(name)
        for index, (name, severities) in enumerate(zip(NAMES, chosen, strict=True))
        for subject, severity in enumerate(severities)
    ]


weights = st.builds(Weights, **dict.fromkeys(Weights.__struct_fields__, st.integers(0, 40).map(float)))


@given(answers(), weights)
def test_lost_points_add_up_to_the_last_bit(found, weights):
    score = health_score(found, weights=weights)
    assert lost(score) == 100 - score.value
    assert 0 <= score.value <= 100
    assert 0 <= score.coverage <= 1
    held = sum(component.weight for component in score.components)
    assert held in (0, 100)


@given(answers(), weights, st.randoms(use_true_random=False))
def test_order_does_not_matter(found, weights, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert health_score(shuffled, weights=weights) == health_score(found, weights=weights)


@given(answers(), weights, st.data())
def test_worsening_an_input_never_raises_the_score(found, weights, data):
    judging = [i for i, f in enumerate(found) if checks.applicable(f) and f.severity in SCALE]
    if not judging:
        return
    index = data.draw(st.sampled_from(judging))
    worse = data.draw(st.sampled_from([*SCALE[SCALE.index(found[index].severity) :], Severity.UNKNOWN]))
    worsened = [*found[:index], replace(found[index], severity=worse), *found[index + 1 :]]
    assert health_score(worsened, weights=weights).value <= health_score(found, weights=weights).value


@given(answers(), weights, st.sampled_from(NAMES))
def test_adding_an_unknown_never_raises_the_score(found, weights, name):
    before = health_score(found, weights=weights)
    after = health_score([*found, finding(name, Severity.UNKNOWN, "another")], weights=weights)
    assert after.value <= before.value
    assert after.coverage <= before.coverage


@given(answers(), weights, st.sampled_from(NAMES))
def test_killing_a_check_never_raises_the_score_and_lowers_coverage(found, weights, name):
    killed = [f for f in found if f.check != name]
    before, after = health_score(found, weights=weights), health_score(killed, weights=weights)
    assert after.value <= before.value
    told = any(f.severity is not Severity.UNKNOWN for f in found if f.check == name and checks.applicable(f))
    weighs = getattr(weights, checks.load(name).component) > 0
    assert after.coverage < before.coverage if told and weighs else after.coverage <= before.coverage


@pytest.mark.parametrize("name", NAMES)
def test_one_check_alone_never_pays_by_getting_worse_or_dying(name):
    """Every other check is fine, so that whatever this one does shows."""
    others = [f for f in everything() if f.check != name]
    killed = health_score(others).value
    unknown = health_score([*others, finding(name, Severity.UNKNOWN)]).value
    for cap in ({}, {"cap": 0}, {"cap": 39}, {"cap": 84}):
        scores = [health_score([*others, finding(name, severity, **cap)]).value for severity in SCALE]
        assert scores == sorted(scores, reverse=True)
        assert killed == unknown <= scores[-1]


@given(
    st.integers(0, 300), st.lists(st.fractions(0, 50, max_denominator=20), min_size=1, max_size=8), st.fractions(0, 50)
)
@example(7, [Fraction(4), Fraction(7), Fraction(7)], Fraction(4))  # largest remainders: 1, 3, 3, then 2, 2, 2, 1
def test_one_more_party_gives_nobody_a_seat(seats, shares, more):
    """What the method of largest remainders does not hold (Alabama, 1880)."""
    before = deal(seats, dict(enumerate(shares)))
    after = deal(seats, dict(enumerate([*shares, more])))
    assert sum(before.values()) == (seats if sum(shares) else 0)
    if sum(shares):
        assert all(after[party] <= before[party] for party in before)


def test_all_good_is_100_and_healthy():
    score = health_score(everything())
    assert (score.value, score.coverage, score.state) == (100, 1, "healthy")
    assert score.deductions == ()
    assert sum(component.weight for component in score.components) == 100
    assert {c.name: c.weight for c in score.components} == {
        "availability": 25,
        "data_safety": 25,
        "resources": 20,
        "security": 15,
        "operations": 10,
        "trend": 5,
        "caps": 0,
    }


def test_nothing_asked_is_zero_and_unknown():
    score = health_score([])
    assert (score.value, score.coverage, score.state) == (0, 0, "unknown")
    assert lost(score) == 100


def test_nothing_applicable_is_no_good_news():
    score = health_score([not_applicable(name) for name in NAMES])
    assert (score.value, score.coverage, score.state) == (0, 0, "unknown")
    assert lost(score) == 100


def test_a_crashed_check_lowers_the_score_instead_of_passing_as_not_below_80():
    """D26: the old script took the empty score of a crash for `not below 80`."""
    score = health_score([])
    assert isinstance(json.loads(json.dumps(score.as_dict()))["overall_score"], float)
    assert score.value < 80


def test_a_missing_measurement_is_told_apart_from_a_bad_one():
    """D27: `null` was reported as a score below the threshold; here coverage says that it is not known."""
    unknown, bad = (health_score(everything(memory=s)) for s in (Severity.UNKNOWN, Severity.CRITICAL))
    assert unknown.coverage < 1 == bad.coverage


def test_what_could_not_be_told_is_not_ok():
    """D50: the old security score counted failed commands as no findings: 100."""
    names = [name for name in NAMES if checks.load(name).component == "security"]
    score = health_score(everything(**dict.fromkeys(names, Severity.UNKNOWN)))
    security = next(c for c in score.components if c.name == "security")
    assert security.score == 0
    assert score.value <= 85


def test_all_unknown_security_reaches_zero_not_fifty():
    """D50: the floor of the old security score was 50."""
    names = [name for name in NAMES if checks.load(name).component == "security"]
    score = health_score(everything(**dict.fromkeys(names, Severity.CRITICAL)))
    assert next(c for c in score.components if c.name == "security").score == 0


@pytest.mark.parametrize(
    ("name", "severity", "evidence", "at_most"),
    [
        ("services", Severity.CRITICAL, {}, 59),
        ("backups", Severity.CRITICAL, {}, 59),
        ("backups", Severity.CRITICAL, {"cap": 39}, 39),
        ("databases", Severity.CRITICAL, {"cap": 39}, 39),
        ("memory", Severity.UNKNOWN, {}, 79),
        ("freshness", Severity.UNKNOWN, {}, 79),
        ("backups", Severity.UNKNOWN, {}, 39),
    ],
)
def test_caps(name, severity, evidence, at_most):
    found = [f for f in everything() if f.check != name]
    score = health_score([*found, finding(name, severity, **evidence)])
    assert score.value == at_most
    assert lost(score) == 100 - at_most
    caps = score.components[-1]
    assert (caps.name, caps.weight) == ("caps", 0)
    assert caps.deductions[-1].check == name
    assert caps.deductions[-1].threshold == at_most


def test_low_coverage_is_unknown_however_good_the_rest():
    names = [name for name in NAMES if checks.load(name).component == "availability"]
    score = health_score(everything(**dict.fromkeys(names, Severity.UNKNOWN)))
    assert score.coverage == 0.75
    assert score.state == "unknown"


def test_what_is_not_configured_gives_its_points_to_the_others():
    found = [not_applicable(f.check) if checks.load(f.check).component == "data_safety" else f for f in everything()]
    score = health_score(found)
    assert score.value == 100
    safety = next(c for c in score.components if c.name == "data_safety")
    assert (safety.score, safety.weight, safety.coverage) == (None, 0, None)


def test_one_critical_disk_is_never_healthy():
    score = health_score(everything(disk=Severity.CRITICAL))
    assert score.value > 85
    assert score.state == "attention"


def test_the_worst_subject_counts():
    found = everything()
    one = health_score([*found, finding("disk", Severity.CRITICAL, "/data")])
    assert one.value == health_score(everything(disk=Severity.CRITICAL)).value
    line = one.deductions[0]
    assert (line.check, line.subject) == ("disk", "/data")


def test_a_deduction_says_value_threshold_source_and_age():
    old = replace(
        finding("disk", Severity.WARNING, "/", threshold=0.8, source="samples"),
        value=0.9,
        ts=NOW - timedelta(minutes=5),
    )
    found = [f for f in everything() if f.check != "disk"]
    data = health_score([*found, old]).as_dict()
    (line,) = [line for component in data["components"] for line in component["deductions"]]
    assert {"check", "value", "threshold", "points", "source", "age"} <= line.keys()
    assert (line["check"], line["value"], line["threshold"], line["age"]) == ("disk", 0.9, 0.8, 300)


def test_a_finding_of_a_strange_check_counts():
    stranger = Finding("raid", Severity.CRITICAL, "md0", "degraded", ts=NOW)
    score = health_score([*everything(), stranger])
    assert score.value < 100
    assert score.deductions[0].check == "raid"


def test_the_json_of_the_contract():
    data = json.loads(json.dumps(health_score(Findings(everything(disk=Severity.WARNING))).as_dict()))
    assert {"overall_score", "timestamp", "host", "coverage", "components", "findings"} <= data.keys()
    assert data["timestamp"] == "2026-11-23T06:00:00+00:00"
    assert data["host"] == "web-1"
    assert {"name", "score", "weight", "deductions"} <= data["components"][0].keys()
    assert len(data["findings"]) == len(NAMES)


def test_text_and_frame():
    score = health_score(everything(disk=Severity.WARNING))
    assert str(score).startswith("Health ")
    assert str(score).count("\n") == 0
    frame = score.to_frame()
    assert frame["points"].sum() == 100 - score.value
    assert list(frame["check"]) == ["disk"]


def test_the_documentation_names_every_check_with_its_weight():
    text = (Path(__file__).parents[1] / "docs/score.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (.+) \|$", text, re.MULTILINE)
    told = {
        (component, *re.fullmatch(r"(\w+)(?: (\d+))?( \*\*r\*\*)?", entry).groups())
        for component, _, entries in rows
        for entry in entries.split(", ")
    }
    questions = [checks.load(name) for name in NAMES]
    assert {(c, n, float(w or 1), bool(r)) for c, n, w, r in told} == {
        (q.component, q.name, q.weight, q.required) for q in questions
    }
    assert {component: float(points) for component, points, _ in rows} == {
        name: getattr(Weights(), name) for name in Weights.__struct_fields__
    }
