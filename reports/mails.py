"""The mail of a report: a digest that mail programs show whole, made of what the notebook displayed.

Tables and inlined CSS, charts as PNG parts of the message, nothing to fetch. Gmail cuts HTML at 102 KB and shows neither
SVG nor data URIs; this stays below 60 KB at any size of the fleet because it shows the first rows and says how many more
there are. Sources: RFC 5322 (headers), RFC 2387 (related parts), RFC 3834 (Auto-Submitted), RFC 2919 (List-Id).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from healthkit.findings import Severity
from healthkit.quantities import counted, digits
from healthkit.reports import outputs
from healthkit.reports.markup import slug
from healthkit.reports.outputs import Shown, Verdict, line
from healthkit.reports.page import scope, template
from healthkit.sections.verdict import STATES

MOST_ROWS, MOST_CAPACITY, MOST_CHANGES, MOST_CHARTS, MOST_LINES = 15, 8, 12, 4, 25
_WORDS = {"critical": ("critical", "critical"), "warning": ("warning", "warnings"), "unknown": ("unknown", "unknown")}
"""One and several; what else a finding may be is no reason to write to somebody."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom, to whom, when."""

    sender: str
    """Address."""
    recipients: tuple[str, ...]
    """Addresses; all of them see each other."""
    now: datetime
    """The message's date, aware."""
    host: str
    """The machine that makes the report."""
    brand: str = ""
    """Whose report it is."""

    @property
    def domain(self) -> str:
        """What stands behind the @ of identifiers."""
        return _identifier(self.sender.rpartition("@")[2]) or "localhost"


def compose(sections: Sequence[Shown], envelope: Envelope, *, page: bytes = b"", page_name: str = "") -> EmailMessage:
    """The mail of a report.

    Args:
        sections: What the notebook showed.
        envelope: From whom, to whom, when.
        page: The full report, attached; nothing is attached if empty.
        page_name: File name of the attachment.

    Returns:
        Text, HTML and its pictures; the same inputs give the same Message-ID. All mails of a series answer one root.
    """
    verdict = outputs.verdict(sections)
    title = subject(verdict)
    charts = _charts(sections, envelope)
    html = _html(sections, title, charts, envelope, attached=page_name if page else "")
    words = text(sections, verdict)
    message = EmailMessage()
    _head(message, title, envelope)
    series = _identifier(f"{verdict.name or 'report'}.{scope_key(verdict)}")
    digest = hashlib.sha256(f"{title}\n{words}\n{html}".encode("utf-8", "replace")).hexdigest()[:20]
    root = f"<{series}.healthkit@{envelope.domain}>"
    message["Message-ID"] = f"<{series}.{_identifier(verdict.period)}.{digest}@{envelope.domain}>"
    message["In-Reply-To"] = root
    message["References"] = root
    message["List-Id"] = f"<{series}.healthkit.{envelope.domain}>"
    message.set_content(words, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    part = message.get_payload()[1]  # type: ignore[index]
    for chart in charts:
        part.add_related(  # type: ignore[union-attr]
            chart["png"], "image", "png", cid=f"<{chart['cid']}>", disposition="inline", filename=f"{chart['name']}.png"
        )
    if page:
        message.add_attachment(page, "text", "html", filename=page_name, params={"charset": "utf-8"})
    return message


def compose_failure(name: str, reason: str, notebook: str, envelope: Envelope) -> EmailMessage:
    """The mail that tells operators, and nobody else, that a report could not be made."""
    message = EmailMessage()
    _head(message, line(f"{name} report failed: {reason}")[:150], envelope)
    words = (
        f"The {line(name)} report could not be made on {line(envelope.host)}.\n\n{outputs.plain(reason)}\n\n"
        f"What was made before that, with the traceback:\n{line(notebook)}\n\nNobody else was told.\n"
    )
    digest = hashlib.sha256(f"{words}{envelope.now.isoformat()}".encode("utf-8", "replace")).hexdigest()[:20]
    message["Message-ID"] = f"<failure.{_identifier(name)}.{digest}@{envelope.domain}>"
    message.set_content(words, cte="quoted-printable")
    return message


def subject(verdict: Verdict) -> str:
    """Who, when, score, change, and the worst that was found, on one line.

    >>> subject(Verdict(period="2026-W47", hosts=("web-1",), score=87.0, change=-4.0))
    'web-1 2026-W47: 87 (\u22124)'
    """
    score = "score unknown" if verdict.score is None else f"{digits(verdict.score)}{_change(verdict)}"
    period = f"{verdict.period}{' so far' if verdict.so_far else ''}"
    words = f"{' '.join(filter(None, [scope(verdict), period])) or verdict.name or 'Report'}: {score}"
    first = next((finding for finding in verdict.findings if finding.get("severity") in _WORDS), None)
    if first is not None:
        number = sum(finding.get("severity") == first["severity"] for finding in verdict.findings)
        what = f"{first.get('host', '')} {first.get('subject', '')}: {first.get('message', '')}"
        words += f", {counted(number, *_WORDS[first['severity']])}: {what}"
    return _short(line(f"[simulated] {words}" if verdict.simulated else words), 150)


def text(sections: Sequence[Shown], verdict: Verdict, *, most: int | None = MOST_LINES) -> str:
    """The report in plain text; of each section at most *most* lines, and how many were left out."""
    parts = ["Simulated data: no real host is described here."] if verdict.simulated else []
    for section in sections:
        lines = section.text.splitlines()
        if verdict.simulated and section.name == "verdict" and lines[:1] == parts:
            lines = lines[1:]
        if most is not None and len(lines) > most:
            lines = [*lines[:most], f"({counted(len(lines) - most, 'more line')} in the full report)"]
        title = line(section.title)
        parts.append("\n".join([*([title, "-" * len(title)] if title else []), *lines]).strip())
    return "\n\n".join(parts) + "\n"


def scope_key(verdict: Verdict) -> str:
    """Which hosts a series is about, for names: the host, the group, or `fleet`."""
    return verdict.hosts[0] if len(verdict.hosts) == 1 else verdict.group or "fleet"


def _head(message: EmailMessage, title: str, envelope: Envelope) -> None:
    message["From"] = envelope.sender
    message["To"] = ", ".join(envelope.recipients)
    message["Subject"] = title
    message["Date"] = format_datetime(envelope.now)
    message["Auto-Submitted"] = "auto-generated"


def _html(
    sections: Sequence[Shown],
    title: str,
    charts: Sequence[Mapping[str, Any]],
    envelope: Envelope,
    *,
    attached: str,
) -> str:
    from css_inline import CSSInliner

    verdict = outputs.verdict(sections)
    attention = outputs.rows(sections, "attention")
    state, word = STATES.get(verdict.state, STATES["unknown"])
    html = template("mail.html").render(
        subject=title,
        state=state,
        state_word=word,
        simulated=verdict.simulated,
        kicker=[line(part) for part in (envelope.brand, verdict.cadence.capitalize(), verdict.period, scope(verdict)) if part],
        sentence=_short(line(verdict.sentence) or title, 600),
        score="?" if verdict.score is None else digits(verdict.score),
        score_note=f"of 100{_change(verdict)}" if verdict.score is not None else "score unknown",
        changes=[_short(line(change), 300) for section in sections if section.name == "changes"
                 for change in section.text.splitlines() if change.strip()][:MOST_CHANGES],
        attention=[_attention(row) for row in attention[:MOST_ROWS]],
        note=next((str(s.data.get("note") or "") for s in sections if s.name == "attention"), ""),
        more=len(attention) - MOST_ROWS if len(attention) > MOST_ROWS else 0,
        capacity=[_capacity(row) for row in outputs.rows(sections, "capacity") if row.get("days") is not None][:MOST_CAPACITY],
        charts=charts,
        attached=attached,
        maker=line(envelope.host),
    )  # fmt: skip
    return str(CSSInliner(keep_style_tags=False, load_remote_stylesheets=False).inline(html))


def _attention(row: Mapping[str, Any]) -> dict[str, str]:
    try:
        severity = Severity(row.get("severity"))
    except ValueError:  # a notebook of somebody else's
        severity = Severity.UNKNOWN
    words = {name: _short(line(str(row.get(name) or "")), 300) for name in ("host", "subject", "message", "hint")}
    return {"severity": severity.value, "glyph": severity.glyph, **words}


def _capacity(row: Mapping[str, Any]) -> str:
    host, sentence = line(str(row.get("host") or "")), line(str(row.get("sentence") or ""))
    return _short(sentence if sentence.startswith(host) else f"{host} {sentence}", 300)


def _charts(sections: Sequence[Shown], envelope: Envelope) -> list[dict[str, Any]]:
    """The first charts as PNG, with the identifiers that the HTML calls them by."""
    found = [chart for section in sections for chart in section.charts][:MOST_CHARTS]
    if not found:
        return []
    from healthkit.plots import png

    return [
        {
            "name": slug(str(chart.get("name", ""))),
            "cid": f"{index}.{slug(str(chart.get('name', '')))}@{envelope.domain}",
            "alt": _short(line(str(chart.get("alt") or chart.get("title", ""))), 400),
            "png": png(dict(chart), scale=2),
        }
        for index, chart in enumerate(found)
    ]


def _change(verdict: Verdict) -> str:
    """With a true minus sign; nothing where there is nothing to compare or the rounded difference is none."""
    if verdict.change is None or round(verdict.change) == 0:
        return ""
    sign = "+" if verdict.change > 0 else "\N{MINUS SIGN}"
    return f" ({sign}{digits(round(abs(verdict.change), 1))})"


def _identifier(words: str) -> str:
    """What may stand in a Message-ID (RFC 5322 dot-atom), whatever a host is called."""
    return re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9.-]+", "-", words)).strip(".-")[:80]


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
