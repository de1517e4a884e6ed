"""`healthkit check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from healthkit.findings import Findings


@click.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.home
@options.format_
@click.option("--host", help="Judge this host by its samples alone [default: this machine, live].")
@click.option("--list", "list_", is_flag=True, help="List the checks.")
def command(*, names: tuple[str, ...], home: Path, format_: str, host: str | None, list_: bool) -> int:
    """Run all checks: findings and score; or those named: findings.

    Exit code as of a Nagios plug-in: 0 ok or info, 1 warning, 2 critical, 3 unknown.
    """
    from healthkit import checks, full_checks
    from healthkit.config import load_config
    from healthkit.errors import HealthkitError
    from healthkit.scores import health_score

    if list_:
        for name in checks.names(home):
            click.echo(name)
        return 0
    config = load_config(home)
    findings = checks.check(home, config=config, names=names or None, host=host)
    score = health_score(findings, weights=config.weights)
    if format_ == "json":
        output.write_json(score.as_dict())
    else:
        rows = [(f"{f.severity.glyph} {f.severity.value}", f.check, f.subject, f.message, f.hint) for f in findings]
        output.write_table(["Severity", "Check", "Subject", "Message", "What to do"], rows)
        click.echo(_counts(findings) if names else score)
    if not names:
        try:
            full_checks.keep(home, score.as_dict(), here=host is None)
        except (HealthkitError, OSError) as error:  # the answer stands, as does its exit code
            click.echo(f"healthkit: the check could not be kept: {error}", err=True)
    return findings.worst.exit_code


def _counts(findings: Findings) -> str:
    """Of some checks there is no score: what was not asked would count as lost."""
    from collections import Counter

    from healthkit.quantities import counted

    parts = ", ".join(f"{n} {severity}" for severity, n in Counter(f.severity.value for f in findings).items())
    return f"{counted(len(findings), 'answer')}{parts and f': {parts}'}. A score takes all checks: healthkit check."
