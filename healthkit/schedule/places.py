"""Where the scheduled program is: interpreter and home, as absolute paths; and the mark on files that are ours."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

MARKER = "healthkit schedule: this file is generated"
"""On a line of its own in every file that `schedule` writes; it removes no other."""


@dataclass(frozen=True)
class Place:
    """What a started task needs to find its program: cron and systemd have another PATH than a terminal, and no cwd."""

    home: Path
    python: str = field(default_factory=lambda: sys.executable)

    def command(self, *arguments: str) -> list[str]:
        """The argument list of a healthkit command; `-P`: nothing is imported from the folder it starts in."""
        return [self.python, "-P", "-m", "healthkit", *arguments]
