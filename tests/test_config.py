from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthkit.config import (
    Config,
    Duration,
    Size,
    config_path,
    home,
    load_config,
    parse_config,
    read_secret,
    store_home,
)
from healthkit.errors import ConfigError, ParameterError


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("mail:\n  port: x\n", "$.mail.port", 2),
        ("host: a\nmial: {}\n", "$.mial", 2),
        ("mail:\n  host: x\n  prt: 3\n", "$.mail.prt", 3),
        ("services:\n- name: a\n- name: c\n  timeout: -1\n", "$.services[1].timeout", 4),
        ("services:\n- name: a\n  urll: x\n", "services", 3),
        ("logs:\n\n  keep: 3\n", "$.logs.keep", 3),
        ("logs: {max_total: 3 parsecs}", "$.logs.max_total", 1),
        ("timezone: Mars/Olympus", "$.timezone", 1),
        ("limits: {cpu: 80}", "$.limits.cpu", 1),
        ("host: [1\n", "not YAML", 2),
        ("just text, as a truncated file is", "object", 1),
    ],
)
def test_an_error_names_key_file_and_line(text, key, line):
    """D34: a text-only or mistyped YAML file is not valid because it parses."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="healthkit.yaml")
    assert key in str(caught.value)
    assert str(caught.value).startswith(f"healthkit.yaml:{line}: ")
    assert caught.value.exit_code == 78


def test_no_file_and_an_empty_file_are_the_defaults(tmp_path):
    assert load_config(tmp_path) == Config()
    assert parse_config("# nothing yet\n") == Config()
    assert Config().mail.security == "starttls"


def test_a_file_is_read(tmp_path):
    config_path(tmp_path).parent.mkdir()
    config_path(tmp_path).write_text("logs: {keep: 2w, max_total: 1.5GiB}\nservices: [{name: web, url: 'http://x/'}]\n")
    config = load_config(tmp_path)
    assert config.logs is not None
    assert (config.logs.keep, config.logs.max_total) == (14 * 86400, 3 * 2**29)
    assert config.services[0].timeout == 5


def test_bytes_that_are_no_text_are_a_config_error(tmp_path):
    config_path(tmp_path).parent.mkdir()
    config_path(tmp_path).write_bytes(b"host: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_python_objects_in_yaml_are_refused():
    with pytest.raises(ConfigError, match="not YAML"):
        parse_config("host: !!python/object/apply:os.getpid []")


@given(st.text(max_size=40))
def test_any_text_is_a_config_or_a_config_error(text):
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_config(text), Config)


def test_durations_and_sizes():
    assert [Duration.parse(t) for t in ("90s", "5m", "1h", "30d", "2w", "0.5s")] == [
        90,
        300,
        3600,
        2592000,
        1209600,
        0.5,
    ]
    assert [Size.parse(t) for t in ("10B", "1kB".upper(), "512MiB", "1GB", "1GiB")] == [10, 1000, 2**29, 10**9, 2**30]
    for bad in ("", "5", "d", "-1d", "1 year"):
        with pytest.raises(ValueError, match="duration"):
            Duration.parse(bad)


def test_home_is_argument_then_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HEALTHKIT_HOME", str(tmp_path / "env"))
    assert home() == tmp_path / "env"
    assert home(tmp_path / "argument") == tmp_path / "argument"
    monkeypatch.delenv("HEALTHKIT_HOME")
    assert home().name == "project-health"


def test_a_bucket_is_a_home_of_samples_only(tmp_path, monkeypatch):
    url = "s3://bucket/prefix?region=eu-central-1"
    assert store_home(url) == url
    assert store_home(tmp_path) == tmp_path
    monkeypatch.setenv("HEALTHKIT_HOME", url)
    assert store_home() == url
    with pytest.raises(ParameterError, match="s3://bucket/prefix"):
        home()


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="0640") as caught:
        read_secret(path)
    assert "correct horse" not in str(caught.value)
    path.chmod(0o600)
    assert read_secret(path) == "correct horse"
