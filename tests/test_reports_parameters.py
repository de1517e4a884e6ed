from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_notebook import PARAMETERS, notebook

from healthkit.errors import ConfigError, ParameterError
from healthkit.reports.parameters import check, infer, reveal

KNOWN = infer(notebook("1", parameters=PARAMETERS))


def test_what_a_notebook_knows():
    assert {name: (p.kind, p.default) for name, p in KNOWN.items()} == {
        "home": ("text", "''"),
        "period": ("text", "''"),
        "hosts": ("text", "''"),
        "score": ("number", "87.3"),
        "many": ("integer", "1"),
        "simulated": ("switch", "False"),
    }
    assert KNOWN["home"].help == "directory with metrics"
    assert infer(notebook("1")) == {}


def test_a_default_with_an_equals_sign_is_known():
    """papermill's own inspection skips such a line."""
    assert infer(notebook("1", parameters='url = "http://x/?a=b"'))["url"].kind == "text"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"many": "7"}, {"many": 7}),
        ({"many": 7, "score": 7}, {"many": 7, "score": 7.0}),
        ({"score": "-1.5e2", "simulated": "yes"}, {"score": -150.0, "simulated": True}),
        ({"period": "2026-W47", "simulated": False}, {"period": "2026-W47", "simulated": False}),
        ({"hosts": "7"}, {"hosts": "7"}),
    ],
)
def test_values_as_a_command_line_gives_them(given, expected):
    assert check(KNOWN, given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dayz": "7"}, "unknown parameter 'dayz'; the notebook knows home, period, hosts, score, many, simulated"),
        ({"many": "notanint"}, "parameter many is a whole number, not 'notanint'"),
        ({"many": "7.5"}, "whole number"),
        ({"many": True}, "whole number"),
        ({"score": "nan"}, "a number"),
        ({"score": float("inf")}, "a number"),
        ({"simulated": "perhaps"}, "true or false"),
        ({"period": 2026}, "is text"),
        ({"period": ["2026-W47"]}, "is text"),
        ({"home": None}, "is text"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(ParameterError, match=message) as caught:
        check(KNOWN, given)
    assert caught.value.exit_code == 64


def test_a_notebook_without_parameters_says_so():
    with pytest.raises(ParameterError, match="no cell is tagged"):
        check({}, {"a": 1})


def test_secrets_are_references(monkeypatch, tmp_path):
    known = infer(notebook("1", parameters='api_token = ""\ndsn = ""  # secret: where the data is\nmonkey = ""'))
    assert [p.name for p in known.values() if p.secret] == ["api_token", "dsn"]
    for name in ("api_token", "dsn"):
        with pytest.raises(ParameterError, match="env:NAME or file:PATH") as caught:
            check(known, {name: "hunter2"})
        assert "hunter2" not in str(caught.value)
    with pytest.raises(ParameterError, match="NOT_SET is not set"):
        check(known, {"dsn": "env:NOT_SET"})
    monkeypatch.setenv("DSN", "hunter2")
    assert check(known, {"dsn": "env:DSN"}) == {"dsn": "env:DSN"}
    (tmp_path / "secret").write_text("hunter3\n")
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(ConfigError, match="0600"):
        reveal(f"file:{tmp_path / 'secret'}")
    (tmp_path / "secret").chmod(0o600)
    assert reveal(f"file:{tmp_path / 'secret'}") == "hunter3"
    with pytest.raises(ParameterError, match="never as such"):
        reveal("hunter2")


def test_a_parameters_cell_that_is_no_python_is_a_parameter_error():
    with pytest.raises(ParameterError, match="cannot be read"):
        infer(notebook("1", parameters="days = = 7"))


@given(
    st.dictionaries(st.sampled_from([*KNOWN, "dayz"]), st.text() | st.integers() | st.floats() | st.none(), max_size=3)
)
def test_anything_is_converted_or_refused(given):
    try:
        values = check(KNOWN, given)
    except ParameterError:
        return
    kinds = {"text": str, "integer": int, "number": float, "switch": bool}
    assert all(type(value) is kinds[KNOWN[name].kind] for name, value in values.items())
