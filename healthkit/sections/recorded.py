"""What sections share that tell of procedures: the newest run on record, or that there is none and how to make one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from healthkit import display
from healthkit.quantities import listed, quantity, utc
from healthkit.reviews import RECENT
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.logbook import RecordedRun
    from healthkit.reviews import Review


def newest(review: Review, procedure: str) -> tuple[dict[str, RecordedRun], list[str]]:
    """The newest run of a procedure by host, and the hosts without one."""
    ended = [run for run in review.runs.of(procedure) if run.status != "running"]
    found = {run.host: run for run in reversed(ended)}
    return {host: found[host] for host in sorted(found)}, [host for host in review.hosts if host not in found]


def unknown(review: Review, procedure: str, hosts: Sequence[str] = ()) -> str:
    """The sentence that stands where a run should be, of some *hosts* or of all."""
    command = f"healthkit run {procedure}"
    if review.runs.unknown:
        return f"Unknown: the records of procedures cannot be read ({review.runs.unknown}). To run it: {command}."
    since, until = review.period.start, min(review.now, review.period.end + RECENT)
    where = f" on {listed(hosts, 4)}" if hosts else ""
    span = f"from {since:%Y-%m-%d} to {until:%Y-%m-%d}"
    return f"Unknown: no run of {procedure}{where} is on record {span}. To run it: {command}."


def missing(review: Review, name: str, procedure: str) -> Section:
    """The section where its procedure did not run."""
    text = unknown(review, procedure)
    mark = '<span class="sev sev-unknown">?\u00a0unknown</span>'
    html = f"<p>{mark} {display.text(text.removeprefix('Unknown: '))}</p>"
    return Section(name, html, text, {"known": False, "procedure": procedure})


def head(run: RecordedRun) -> str:
    """When and where it ran, and how it ended, in one sentence."""
    took = quantity((run.ended - run.started).total_seconds(), "seconds") if run.ended else "unknown time"
    where = f" on {run.host}" if run.host else ""
    ended = {"ok": "to its end", "unknown": "to its end, and could not tell everything", "failed": "and failed"}
    stopped = next((step for step in run.steps if step["status"] == "failed"), None)
    at = f" at {stopped['name']}: {stopped['message']}" if stopped else f": {run.reason}" if run.reason else ""
    return f"{run.procedure} ran {utc(run.started)}{where} {ended.get(run.status, run.status)}{at}, in {took}."


def sentence(text: str) -> str:
    """What a step said, with one full stop."""
    return f"{text.rstrip('.')}."


def listing(lines: list[str]) -> str:
    """Sentences as an HTML list; nothing for none."""
    return "<ul>" + "".join(f"<li>{display.text(line)}</li>" for line in lines) + "</ul>" if lines else ""


def paragraph(text: str, *, muted: bool = False) -> str:
    """One sentence as HTML."""
    return f'<p class="note">{display.text(text)}</p>' if muted else f"<p>{display.text(text)}</p>"
