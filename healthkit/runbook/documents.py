"""Sections of the old weekly review: Markdown that is appended below a heading of the second level, so without any of its own.

Every sentence comes from findings and numbers; what was not asked, or could not be told, is named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit.config import load_config
from healthkit.errors import HealthkitError
from healthkit.quantities import counted, digits, quantity, utc
from healthkit.runbook.answers import recent

if TYPE_CHECKING:
    from argparse import Namespace

MOST = 50
"""Findings in a list; how many more there are is said."""
_ACT = ("critical", "warning", "unknown")
_ORDER = {"critical": 0, "warning": 2, "unknown": 3, "info": 4, "ok": 5}


def comprehensive_report(home: Path, asked: Namespace) -> int:  # noqa: ARG001 - every answer takes both
    """Score, coverage, what each component lost, and the findings to act on."""
    full = recent(home, load_config(home))
    report = full.report
    _say(
        f"Full check of {text(report.get('host'))}, {utc(full.at)}: **{_score(full.score)} of 100**, state "
        f"{text(report.get('state'))}; {quantity(report.get('coverage'), 'ratio')} of what was asked could be told."
    )
    rows = [
        (c["name"], _score(c.get("score")), digits(c.get("weight") or 0), quantity(c.get("coverage"), "ratio"))
        for c in report.get("components", ())
        if c.get("score") is not None and c.get("name") != "caps"
    ]
    if rows:
        _say("### Components", table(("Component", "Score", "Weight", "Could be told"), rows))
    lost = sorted(_lost(report), key=lambda line: -line["points"])
    if lost:
        lines = [(f"{digits(line['points'])}", line["check"], line["subject"], line["reason"]) for line in lost]
        _say("### Lost points", table(("Points", "Check", "Subject", "Why"), lines[:MOST]), _more(len(lines)))
    _say("### Findings", *_findings(report, actions=False))
    return 0


def recommendations(home: Path, asked: Namespace) -> int:  # noqa: ARG001
    """What the findings of the last full check ask for, worst first."""
    full = recent(home, load_config(home))
    _say(*_findings(full.report, actions=True), f"From the full check of {utc(full.at)}.")
    return 0


def security_check(home: Path, asked: Namespace) -> int:  # noqa: ARG001
    """The newest security review, if it is of the last eight days; else what the checks say now."""
    now = datetime.now(UTC)
    review = _last_review(home / "security-reviews", now)
    if review is not None:
        _say(f"Security review of {text(review['week'])}.", *_findings(review, actions=True), *_changes(review))
        return 0
    from healthkit import checks
    from healthkit.procedures.security_review import CHECKS

    found = checks.check(home, config=load_config(home), names=CHECKS)
    _say(
        f"The security checks, asked at {utc(now)}.",
        *_findings({"findings": [f.as_dict() for f in found]}, actions=True),
    )
    _say("There is no review of the last eight days to tell what changed: `healthkit run security_review`.")
    return 0


def performance_analysis(home: Path, asked: Namespace) -> int:  # noqa: ARG001
    """The last seven days, kept as `reports/weekly/performance-analysis-<ISO week>.json` too."""
    from healthkit.analyses import analysis, keep

    config, now = load_config(home), datetime.now(UTC)
    week = analysis(home, config=config, start=now - timedelta(days=7), end=now)
    _say(week.span, table(("", "Average", "Least", "Most", "95th percentile", "Values"), week.rows()))
    _say(*(f"- {text(note)}" for note in (*week.recommendations, *week.notes)))
    try:
        sys.stderr.write(f"{keep(home, week)}\n")
    except (HealthkitError, OSError) as error:
        sys.stderr.write(f"healthkit: the analysis could not be kept: {error}\n")
    return 0


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def text(words: Any) -> str:
    """Words as one line of Markdown that is shown and not obeyed, whatever a host or a file is called."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(words)).split())
    for special in ("\\", "[", "|"):
        line = line.replace(special, f"\\{special}")
    return line.replace("<", "&lt;")


def _say(*parts: str) -> None:
    """Paragraphs; items of a list stay together."""
    written = [part for part in parts if part]
    for number, part in enumerate(written):
        listed = part.startswith("- ") and number + 1 < len(written) and written[number + 1].startswith("- ")
        sys.stdout.write(f"{part}\n" if listed else f"{part}\n\n")


def _findings(report: Mapping[str, Any], *, actions: bool) -> list[str]:
    """The findings to act on, worst first; and how many there were."""
    findings = [f for f in report.get("findings", ()) if f.get("evidence", {}).get("applicable", True)]
    wanted = sorted((f for f in findings if f.get("severity") in _ACT), key=_rank)
    lines = list(_actions(wanted)) if actions else [f"- {finding['severity']}: {_what(finding)}" for finding in wanted]
    told = sum(f.get("severity") != "unknown" for f in findings)
    count = f"{counted(len(findings), 'answer')}, {told} of them could be told, {counted(len(wanted), 'asks', 'ask')} for action."
    return [*lines[:MOST], _more(len(lines)), count]


def _actions(wanted: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for what the same hand puts right."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in wanted:
        groups.setdefault((finding["severity"], finding.get("hint") or ""), []).append(finding)
    for (severity, hint), same in groups.items():
        more = (
            "" if len(same) == 1 else f"; and {len(same) - 1} more: {', '.join(sorted({f['check'] for f in same[1:]}))}"
        )
        yield f"- {severity}: {_what(same[0])}{text(more)}{'. ' if hint else ''}{text(hint)}"


def _what(finding: Mapping[str, Any]) -> str:
    where = ": ".join(text(finding[key]) for key in ("host", "check") if finding.get(key))
    return f"{where}: **{text(finding['subject'])}** {text(str(finding['message']).rstrip('.'))}"


def _rank(finding: Mapping[str, Any]) -> tuple[int, str, str]:
    unknown = finding["severity"] == "unknown" and finding.get("required")
    return (1 if unknown else _ORDER[finding["severity"]], str(finding["check"]), str(finding["subject"]))


def _more(count: int) -> str:
    return f"{counted(count - MOST, 'more is', 'more are')} not listed here: `healthkit check`." if count > MOST else ""


def _lost(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [line for component in report.get("components", ()) for line in component.get("deductions", ())]


def _score(value: float | None) -> str:
    return "unknown" if value is None else digits(value)


def _last_review(folder: Path, now: datetime) -> Mapping[str, Any] | None:
    """The newest record of a security review; None without one that is recent and whole."""
    for path in sorted(folder.glob("[0-9]*-W[0-9]*.json"), reverse=True)[:1]:
        try:
            review: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            made = datetime.fromisoformat(review["made"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # the checks are asked anew, which says more than half a record
        if now - made <= timedelta(days=8):
            return review
    return None


def _changes(review: Mapping[str, Any]) -> list[str]:
    changes = review.get("changes")
    if not changes:
        return ["There was no review of an earlier week to compare with."]
    named = {"new": "New", "worse": "Worse", "better": "Better", "gone": "Gone", "blind": "No longer known"}
    lines = [f"- {title}: {text(entry)}" for kind, title in named.items() for entry in changes.get(kind, ())]
    return [f"{counted(len(lines), 'change')} since the review before.", *lines]
