"""`--test-restore DIR`: the restore test of one backup, whichever tool made it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from healthkit.config import load_config
from healthkit.errors import HealthkitError
from healthkit.runbook.answers import lines
from healthkit.runbook.messages import tell

if TYPE_CHECKING:
    from argparse import Namespace


def test_restore(home: Path, asked: Namespace) -> int:
    """Steps and findings; a backup that fails is told as an alert. Exit code 0 when the test ran, whatever it found."""
    from healthkit import procedures

    folder = str(asked.test_restore.absolute())
    done = procedures.run("restore_test", home, config=load_config(home), options={"backup": folder})
    for step in done.steps:
        sys.stdout.write(f"{step.status}: {step.name}: {step.message}\n")
    sys.stdout.write(f"{lines(done.findings)}{done}\n")
    sys.stdout.flush()
    worst = next((f for f in done.findings if f.severity.exit_code and f.subject != UNDATED), None)
    if worst is not None:
        message = f"Restore test of {folder}: {worst.severity.value}: {worst.subject}: {worst.message}"
        try:
            tell(home, message, severity=_SEVERITY.get(worst.severity.value, "warning"), name="RestoreTest")
        except (HealthkitError, OSError) as error:
            sys.stderr.write(f"healthkit: alert: {error}\n")
    return 0


UNDATED = "manifest"
"""Subject of the finding about a backup of another tool that says nothing about itself: no failure of the test."""
_SEVERITY = {"critical": "critical"}
