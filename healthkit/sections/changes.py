"""What changed since the period before: findings that came and went, and percentiles that moved by more than noise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from healthkit import display
from healthkit.findings import Severity
from healthkit.quantities import difference, quantity
from healthkit.schema import rate_unit, title
from healthkit.sections import courses
from healthkit.sections.section import Section

if TYPE_CHECKING:
    import numpy as np

    from healthkit.reviews import Review

    Floats = np.ndarray[Any, np.dtype[np.float64]]

METRICS = ("cpu_busy_ratio", "memory_used_ratio", "http_response_seconds")
"""What is busy. What fills changes every week; when it is full is another section."""
HISTORY_DAYS = 84
"""Days from which it is learned how much two periods differ by chance."""
FALSE_DISCOVERIES = 0.05


class Moved(NamedTuple):
    """A percentile of a host that changed."""

    host: str
    metric: str
    device: str
    before: float
    change: float
    lower: float
    upper: float


def changes(review: Review, *, most: int = 20) -> Section:
    """New and gone findings, then changed percentiles; at most *most* rows each."""
    came, went = _findings(review)
    moved, compared = _moved(review)
    html, lines = "", []
    for word, subjects in (("New", came), ("Gone", went)):
        if subjects:
            shown = "; ".join(subjects[:most]) + (f"; and {len(subjects) - most} more" if len(subjects) > most else "")
            html += f"<p><b>{word}:</b> {display.text(shown)}.</p>"
            lines.append(f"{word}: {shown}.")
    if moved:
        html += display.table(
            ["Host", "What", "Before", "Change", "95 % interval"],
            [_cells(one) for one in moved[:most]],
            numeric=(2, 3, 4),
            caption="Percentiles that changed by more than noise",
        )
        lines += [_sentence(one) for one in moved[:most]]
    note = _note(compared, len(moved), known=came is not None)
    html += f'<p class="note">{display.text(note)}</p>'
    data = {"new": came, "gone": went, "moved": [one._asdict() for one in moved], "compared": compared}
    return Section("changes", html, "\n".join([*lines, note]), data)


def _findings(review: Review) -> tuple[list[str], list[str]] | tuple[None, None]:
    """Subjects with findings now and not a period ago, and the other way round; None where nothing is on record.

    Of what is as bad as it was, nothing is said, though another check says so: a forecast, and a week later the disk's own.
    """
    before = review.previous
    known = (before or {}).get("detail", {}).get("findings")
    if known is None:
        return None, None
    now = {
        (f.host, f.check, f.subject): f"{f.host} {f.subject} ({f.severity.value})".strip()
        for f in review.findings.of(Severity.CRITICAL, Severity.WARNING)
    }
    then = {
        (host, check, subject): f"{host} {subject} ({severity})".strip() for host, check, subject, severity in known
    }
    came = [text for key, text in now.items() if key not in then and text not in then.values()]
    went = [text for key, text in then.items() if key not in now and text not in now.values()]
    return list(dict.fromkeys(came)), list(dict.fromkeys(went))


def _moved(review: Review) -> tuple[list[Moved], int]:
    """The percentiles that changed, largest first in their own spread; and how many could be compared.

    Among many comparisons some differ by chance: the share of false ones among those named is held at five per cent.
    Source: Benjamini and Hochberg (1995), JRSS B 57, 289-300.
    """
    import numpy as np

    from healthkit.changes import change_many

    first = review.period.end - timedelta(days=HISTORY_DAYS)
    series = {
        (host, metric, device): values
        for metric in METRICS
        for (host, device), values in courses.daily(review.history, metric, "p95", first, HISTORY_DAYS).items()
        if host in review.hosts
    }
    if not series:
        return [], 0
    days = [first + timedelta(days=k) for k in range(HISTORY_DAYS)]
    late = np.array([day in review.period for day in days])
    early = np.array([day in review.period.previous() for day in days])
    batch = change_many(np.stack(list(series.values())), before=early, after=late)
    p = batch.p_value
    order = [i for i in np.argsort(p) if np.isfinite(p[i])]
    passed = [k for k, i in enumerate(order, 1) if p[i] <= FALSE_DISCOVERIES * k / len(order)]
    named = order[: max(passed, default=0)]
    keys = list(series)
    values = (batch.before, batch.difference, batch.lower, batch.upper)
    return [Moved(*keys[i], *(float(column[i]) for column in values)) for i in named], len(order)


def _cells(one: Moved) -> tuple[str, ...]:
    unit = rate_unit(one.metric)
    what = f'<span title="{display.text(one.metric)}">{title(one.metric)} p95</span> {display.text(one.device)}'
    ends = f"{difference(one.lower, unit)} to {difference(one.upper, unit)}"
    kind, arrow = ("up", "\u25b2") if one.change > 0 else ("down", "\u25bc")
    moved = f'<b class="{kind}">{arrow}\u00a0{difference(one.change, unit)}</b>'
    return display.host(one.host), what, quantity(one.before, unit), moved, ends


def _sentence(one: Moved) -> str:
    unit = rate_unit(one.metric)
    what = f"{one.host}: {title(one.metric)} p95{f' of {one.device}' if one.device else ''}"
    return f"{what} {difference(one.change, unit)} ({difference(one.lower, unit)} to {difference(one.upper, unit)})"


def _note(compared: int, moved: int, *, known: bool) -> str:
    record = "" if known else " There is no earlier report to compare findings with."
    if not compared:
        return f"There are too few days to tell a change from noise: each period needs three, and weeks before them.{record}"
    return f"{compared} percentiles were compared; {moved} moved by more than noise.{record}"
