"""`healthkit run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from healthkit.procedures import Procedure, Run


@click.command("run")
@click.argument("procedure", required=False)
@click.option(
    "--apply", is_flag=True, help="Act. Without it, say what would be done [procedures that only read: no difference]."
)
@click.option(
    "-o", "--option", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="Of this procedure; may be repeated."
)
@click.option("--task-run", type=int, hidden=True, help="The row that the schedule began for this run.")
@options.home
@options.format_
def command(
    *,
    procedure: str | None,
    apply: bool,
    pairs: tuple[tuple[str, str], ...],
    task_run: int | None,
    home: Path,
    format_: str,
) -> int:
    """Run a procedure, or list them.

    Exit code as of a Nagios plug-in: 0 ok or info, 1 warning, 2 critical, 3 unknown.
    """
    from healthkit import procedures
    from healthkit.cli import notifying

    if procedure is None:
        _list(format_)
        return 0
    done = procedures.run(procedure, home, dry_run=not apply, options=dict(pairs), task_run=task_run)
    if not done.dry_run:
        notifying.hand_over_soon(home)
    else:
        click.echo("dry run: nothing is changed; --apply does it", err=True)
    if format_ == "json":
        output.write_json(done.as_dict())
    else:
        show(done)
    return done.exit_code


def _list(format_: str) -> None:
    from healthkit import procedures

    known = [procedures.load(name) for name in procedures.names()]
    if format_ == "json":
        output.write_json([{"name": p.name, "acts": p.acts, "summary": p.summary, "options": p.options} for p in known])
        return
    rows = [(p.name, "acts: needs --apply" if p.acts else "reads", _about(p)) for p in known]
    output.write_table(["Procedure", "", "What it does"], rows)


def _about(known: Procedure) -> str:
    return " ".join([known.summary, *(f"-o {name}: {text}." for name, text in known.options.items())])


def show(done: Run) -> None:
    """A run as tables: steps, findings, and a sentence."""
    steps = [(step.status, step.name, step.message, f"{step.seconds:.2f} s") for step in done.steps]
    output.write_table(["Status", "Step", "What", "Took"], steps)
    if done.findings:
        click.echo()
        rows = [(f"{f.severity.glyph} {f.severity.value}", f.subject, f.message, f.hint) for f in done.findings]
        output.write_table(["Severity", "Subject", "Message", "What to do"], rows)
    click.echo()
    click.echo(done)
