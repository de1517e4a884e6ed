"""Checklists: items as data, sign-offs that stay across quarters, and what was measured beside each question."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

import healthkit as hk
from healthkit import sections
from healthkit.checklists import Evidence, Item, definitions, sign, standings
from healthkit.cli.main import main
from healthkit.config import Config
from healthkit.errors import ConfigError, ParameterError, StoreError
from healthkit.procedures import load, run
from healthkit.state import State

Q4 = datetime(2026, 11, 24, 6, tzinfo=UTC)
BEGAN = datetime(2026, 10, 1, 6, tzinfo=UTC)
Q1 = datetime(2027, 1, 10, 6, tzinfo=UTC)


@pytest.fixture
def architecture(tmp_path):
    """The list, in a home that has been there since the quarter began."""
    with State(tmp_path) as state:
        state.record_task_run("backup", started=BEGAN, ended=BEGAN, status="ok")
    return definitions(tmp_path)["architecture"]


def standing(home, checklist, item, now=Q4, name="architecture"):
    return next(one for one in standings(home, name, checklist, now=now) if one.item.id == item)


def write(home, text):
    (home / "config").mkdir(exist_ok=True)
    (home / "config/checklists.yaml").write_text(text)


def test_every_manual_task_of_the_schedule_is_on_a_list(tmp_path):
    lists = definitions(tmp_path)
    assert {name: one.every for name, one in lists.items()} == {
        "architecture": "quarterly",
        "documentation": "monthly",
        "dependencies": "monthly",
        "recovery": "monthly",
        "benchmarking": "quarterly",
        "penetration-test": "quarterly",
        "business-continuity": "quarterly",
        "training": "quarterly",
    }
    groups = {item.group for item in lists["architecture"].items}
    assert groups == {"Current state", "Technology", "Security", "Scaling", "Documentation", "Action"}
    assert len(lists["architecture"].items) == 29


def test_evidence_names_steps_that_there_are(tmp_path):
    """A misspelt name would say `unknown` for ever."""
    for checklist in definitions(tmp_path).values():
        for item in checklist.items:
            for name in item.evidence:
                procedure, _, step = name.partition(".")
                assert load(procedure).name == procedure
                assert not step or f'"{step}"' in _source(procedure), name


def _source(procedure):
    import inspect
    import sys

    from healthkit import audits

    text = inspect.getsource(sys.modules[f"healthkit.procedures.{procedure}"])
    return text + "".join(f'"{section}"' for section in audits.SHARES)


def test_a_sign_off_has_who_when_and_note_and_stays(tmp_path, architecture):
    before = standing(tmp_path, architecture, "debt")
    assert (before.word, before.owner, f"{before.due:%Y-%m-%d}") == ("overdue", "architecture", "2026-10-31")
    sign(tmp_path, "architecture", architecture, "debt", who="anna", note="two things", now=Q4)
    after = standing(tmp_path, architecture, "debt")
    assert (after.word, after.who, after.signed, after.note) == ("done", "anna", Q4, "two things")
    assert standing(tmp_path, architecture, "limits").word == "overdue", "the others are as they were"


@pytest.mark.parametrize(
    ("began", "word", "day"),
    [
        (datetime(2026, 10, 30, tzinfo=UTC), "overdue", "due 2026-10-31"),
        (datetime(2026, 10, 31, 1, tzinfo=UTC), "open", "next due 2027-01-31"),
        (None, "open", "next due 2027-01-31"),
    ],
)
def test_nothing_is_overdue_whose_day_was_before_the_first_record(tmp_path, began, word, day):
    checklist = definitions(tmp_path)["architecture"]
    if began:
        with State(tmp_path) as state:
            state.record_health_report({"overall_score": 90}, host="web-1", now=began)
    found = standing(tmp_path, checklist, "debt")
    assert (found.word, found.day) == (word, day)
    text = sections.checklists(hk.review(tmp_path, "quarterly", period="2026-Q4", now=Q4)).text
    assert ("nothing was on record here on their day" in text) is (word == "open")
    assert ("architecture 2026-Q4: 0 of 29 signed off; overdue" in text) is (word == "overdue")
    sign(tmp_path, "architecture", checklist, "debt", who="anna", now=Q4)
    assert standing(tmp_path, checklist, "debt").word == "done"


def test_the_next_quarter_begins_open_and_knows_the_last(tmp_path, architecture):
    sign(tmp_path, "architecture", architecture, "debt", who="anna", now=Q4)
    after = standing(tmp_path, architecture, "debt", now=Q1)
    assert (after.period, after.word) == ("2027-Q1", "open")
    assert after.earlier == "done for 2026-Q4 by anna on 2026-11-24"
    assert standing(tmp_path, architecture, "limits", now=Q1).earlier == ""


def test_reopened_skipped_and_assigned(tmp_path, architecture):
    minutes = iter(range(10))

    def do(**more):
        now = Q4 + timedelta(minutes=next(minutes))
        sign(tmp_path, "architecture", architecture, "debt", who="anna", now=now, **more)
        return standing(tmp_path, architecture, "debt", now=Q4 + timedelta(hours=1))

    assert do().word == "done"
    assert do(state="open").word == "overdue"
    given = do(state="open", owner="bob")
    assert given.owner == "bob"
    with pytest.raises(ParameterError, match="says why"):
        do(state="skipped")
    assert (do(state="skipped", note="nothing changed").word, do().owner) == ("skipped", "bob")


def test_what_was_signed_later_was_open_before(tmp_path, architecture):
    sign(tmp_path, "architecture", architecture, "debt", who="anna", now=Q4)
    assert standing(tmp_path, architecture, "debt", now=Q4 - timedelta(days=1)).state == "open"


@pytest.mark.usefixtures("architecture")
def test_own_lists_change_and_extend(tmp_path):
    write(
        tmp_path,
        """
checklists:
  architecture:
    owner: anna
    without: [division]
    items:
      - {id: debt, text: Ours, due: 10, owner: bob}
      - {id: licences, text: Go through the licences}
  cleaning: {title: Cleaning, every: weekly, due: 5, items: [{id: desk, text: Tidy up}]}
""",
    )
    lists = definitions(tmp_path)
    ids = [item.id for item in lists["architecture"].items]
    assert "division" not in ids
    assert ids[-1] == "licences"
    debt = standing(tmp_path, lists["architecture"], "debt")
    assert (debt.item.text, debt.owner, f"{debt.due:%Y-%m-%d}") == ("Ours", "bob", "2026-10-11")
    assert standing(tmp_path, lists["architecture"], "limits").owner == "anna"
    assert standing(tmp_path, lists["cleaning"], "desk", name="cleaning").period == "2026-W48"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("checklists: {a: {title: A, every: weekly, items: []}}", "needs title, every and due"),
        ("checklists: {a: {title: A, every: yearly, due: 1}}", "every"),
        (
            "checklists: {a: {title: A, every: weekly, due: 1, items: [{id: x, text: X}, {id: x, text: Y}]}}",
            "two items",
        ),
        ("checklists: {a: {titel: A}}", "titel"),
        ("checklists: {'../a': {}}", "no name of a checklist"),
        ("checklists: {a: {title: A, every: weekly, due: 1, items: [{id: 'X Y', text: X}]}}", "is no id"),
    ],
)
def test_a_wrong_list_names_the_file(tmp_path, text, says):
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=says) as error:
        definitions(tmp_path)
    assert "checklists.yaml" in str(error.value)


def test_an_unknown_item_or_period(tmp_path, architecture):
    with pytest.raises(ParameterError, match="has no item 'nothing'"):
        sign(tmp_path, "architecture", architecture, "nothing", who="anna")
    with pytest.raises(ParameterError, match="is monthly"):
        standings(tmp_path, "architecture", architecture, period="2026-11")


def test_a_sign_off_that_cannot_be_kept_is_an_error(tmp_path, architecture):
    (tmp_path / "health.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError):
        sign(tmp_path, "architecture", architecture, "debt", who="anna")


def test_evidence_is_the_newest_run_or_unknown_with_the_command(tmp_path):
    item = Item(id="x", text="X", evidence=("configuration_review.healthkit", "security_audit.assessment", "dr_drill"))
    known, *unknown = ("", *Evidence.of(tmp_path, now=Q4).sentences(item))
    assert all(line.startswith("unknown: ") and "healthkit run " in line for line in unknown)
    run("configuration_review", tmp_path, config=Config(host="a"), now=Q4 - timedelta(days=1))
    known, *unknown = Evidence.of(tmp_path, now=Q4).sentences(item)
    assert "suggestions" in known
    assert known.endswith("(configuration_review, 2026-11-23)")
    assert len(unknown) == 2
    far = Evidence.of(tmp_path, now=Q4 + timedelta(days=150)).sentences(item)
    assert far[0].startswith("unknown: configuration_review did not run in 100 days")


def test_the_command(tmp_path, capsys):
    assert main(["checklist", "--home", str(tmp_path), "--format", "json"]) == 0
    lists = json.loads(capsys.readouterr().out)
    assert {"architecture", "training"} <= {one["name"] for one in lists}
    done = ["checklist", "training", "--done", "new", "--who", "anna", "--note", "all six", "--home", str(tmp_path)]
    assert main([*done, "--format", "json"]) == 0
    items = {one["item"]: one for one in json.loads(capsys.readouterr().out)}
    assert (items["new"]["state"], items["new"]["who"], items["new"]["note"]) == ("done", "anna", "all six")
    assert items["material"]["who"] == ""
    assert main(["checklist", "training", "--home", str(tmp_path)]) == 0
    assert "anna" in capsys.readouterr().out
    assert main(["checklist", "nothing", "--home", str(tmp_path)]) == 64
    assert main(["checklist", "--done", "new", "--home", str(tmp_path)]) == 64
    assert main(["checklist", "training", "--done", "nothing", "--home", str(tmp_path)]) == 64
