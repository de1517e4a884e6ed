"""A home, and the old command line called in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from healthkit.runbook.flags import main


@dataclass
class Called:
    """What one call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@dataclass
class Old:
    """The old command line over one home."""

    home: Path
    capfd: object = field(repr=False)

    def __call__(self, *flags):
        code = main([*map(str, flags), "--home", str(self.home)])
        out, err = self.capfd.readouterr()
        return Called(code, out, err)

    def configure(self, text):
        (self.home / "config").mkdir(parents=True, exist_ok=True)
        (self.home / "config/healthkit.yaml").write_text(text)


@pytest.fixture
def old(tmp_path, capfd):
    old = Old(tmp_path / "home", capfd)
    old.configure("host: web-1\n")
    return old
