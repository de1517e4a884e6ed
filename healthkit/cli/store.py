"""`healthkit store info|compact|verify|repair|expire`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from healthkit.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path


@click.group("store")
def command() -> None:
    """Look after the samples."""


@command.command("info")
@options.store_home
@options.format_
def info(*, home: Path | str, format_: str) -> None:
    """What is stored, since when, and how large it is."""
    from healthkit import store

    data = store.info(home).as_dict()
    if format_ == "json":
        output.write_json(data)
    else:
        output.write_table(["", ""], [(name.replace("_", " "), _short(value)) for name, value in data.items()])


@command.command("compact")
@options.home
def compact(*, home: Path) -> None:
    """Turn the journals of ended days into Parquet and rollup."""
    from healthkit import store

    click.echo(store.compact(home), err=True)


@command.command("verify")
@options.store_home
@options.format_
def verify(*, home: Path | str, format_: str) -> int:
    """Read everything: exit 0 if it is sound, 1 if something is damaged."""
    from healthkit import store
    from healthkit.findings import Severity

    findings = store.verify(home)
    if format_ == "json":
        output.write_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            click.echo(str(finding))
    bad = findings.of(Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN)
    click.echo("damaged" if bad else "sound", err=True)
    return 1 if bad else 0


@command.command("repair")
@options.home
def repair(*, home: Path) -> None:
    """Move damaged files aside, and make missing rollups again from the samples."""
    from healthkit import store

    for finding in store.repair(home):
        click.echo(str(finding))


@command.command("expire")
@options.home
@click.option("--keep", type=options.DurationType(), help="Keep raw samples for so long [default: collect.keep_raw].")
def expire(*, home: Path, keep: float | None) -> None:
    """Delete raw samples older than the configuration keeps; rollups stay."""
    from healthkit import store
    from healthkit.config import load_config

    click.echo(store.expire(home, keep_raw=keep if keep is not None else load_config(home).collect.keep_raw), err=True)


def _short(value: object) -> str:
    from healthkit.quantities import listed

    if isinstance(value, (list, tuple, set, frozenset)):
        return listed(list(value), 6)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
