"""Days until full: when each resource reaches its limit, with interval, and fan charts of the nearest that are expected to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from healthkit import display
from healthkit.charts import Chart, fan
from healthkit.quantities import counted, listed, quantity
from healthkit.schema import title
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healthkit.capacity import Capacity, CapacityRow
    from healthkit.events import Event
    from healthkit.reviews import Review

CHARTS = 4
DUE = ("over", "reaches")
"""States that are drawn: what is not expected to reach its limit, but may, is a line of the table."""
PAST_DAYS = 90


def capacity(review: Review, *, most: int = 15) -> Section:
    """Resources that reach their limit or might, then what could not be told; at most *most* rows each."""
    plan = review.capacity
    soon = review.config.limits.days_to_full
    near = [row for row in plan.rows if row.state in DUE or (row.days_lower or math.inf) <= soon]
    unknown = [row for row in plan.rows if row.state == "unknown"]
    far = len(plan.rows) - len(near) - len(unknown)
    due = [row for row in near if row.state in DUE]
    charts = tuple(_fan(plan, plan.rows.index(row), review.happened or ()) for row in due[:CHARTS])
    html, lines = "", []
    if near:
        html += _table(near[:most])
        lines += [_sentence(row) for row in near[:most]]
    notes = [
        counted(len(near) - most, "more might reach its limit.", "more might reach their limit.")
        if len(near) > most
        else "",
        f"{counted(far, 'resource is expected to stay below its', 'resources are expected to stay below their')} limit for as far as the forecast is believed."
        if far
        else "",
        _not_yet_full(near[:most]),
        *_cannot_tell(unknown, most),
        "" if plan.rows and len(unknown) == len(plan.rows) else _adapted(plan.factor),
    ]
    notes = [note for note in notes if note] or ["No resource with a limit was measured."]
    html += "".join(f'<p class="note">{display.text(note)}</p>' for note in notes)
    html += f'<div class="charts">{"".join(chart.html() for chart in charts)}</div>' if charts else ""
    data = {
        "rows": [_as_dict(row) for row in near[:most]],
        "unknown": [row.sentence for row in unknown],
        "predictions": review.predictions,
    }
    return Section("capacity", html, "\n".join([*lines, *notes]), data, charts)


def _not_yet_full(rows: list[CapacityRow]) -> str:
    """Two dates of one disk are both true: this one is its limit's, that of the finding `headroom` the disk's own."""
    disks = [row for row in rows if row.metric == "disk_used_ratio" and row.limit < 1]
    if not disks:
        return ""
    limits = " or ".join(dict.fromkeys(quantity(row.limit, row.unit) for row in disks))
    return f"Dates of disks are those of their limit, {limits}; a finding that counts days until a disk is full speaks of {quantity(1, 'ratio')}."


def _adapted(factor: float) -> str:
    """What the ledger changed, if it did."""
    if factor == 1:
        return ""
    why = "earlier ones held too rarely" if factor > 1 else "earlier ones held more often than promised"
    what = "The intervals were" if factor > 1 else "The intervals of values, though not of dates, were"
    return f"{what} made {factor:.2g} times as wide, because {why}."


def _table(rows: list[CapacityRow]) -> str:
    cells = [
        (
            display.host(row.host),
            f'<span title="{display.text(row.metric)}">{display.text(title(row.metric))}</span> {display.text(row.device)}',
            _when(row),
            "now" if row.state == "over" else f"{row.days:.0f}" if row.days is not None else "not expected",
            quantity(row.value, row.unit),
            quantity(row.limit, row.unit),
        )
        for row in rows
    ]
    heads: list[str | tuple[str, str]] = [
        "Host",
        "Resource",
        "Reaches its limit",
        "Days",
        ("Newest day", "What the newest whole day reached"),
        "Limit",
    ]
    return display.table(heads, cells, numeric=(3, 4, 5), caption="Days until full, soonest first")


def _when(row: CapacityRow) -> str:
    if row.state == "over":
        return "at its limit or above"
    middle = f"<b>{row.day(row.days)}</b><br>" if row.days is not None else "not expected, but may<br>"
    return f'{middle}<span class="muted">{row.interval}</span>'


def _sentence(row: CapacityRow) -> str:
    """As text and mail say it, with the same dates as the page."""
    if row.state == "over":
        return row.excess
    limit = quantity(row.limit, row.unit)
    if row.days is None:
        return f"{row.name} is not expected to reach {limit}, but may (80 % interval {row.interval})"
    return f"{row.name} reaches {limit} on {row.day(row.days)} (80 % interval {row.interval})"


def _cannot_tell(unknown: list[CapacityRow], most: int) -> list[str]:
    """One note a reason: twenty hosts that are new are one sentence."""
    reasons: dict[str, list[str]] = {}
    for row in unknown:
        reasons.setdefault(row.unknown, []).append(row.name)
    return [f"Could not be told ({reason}): {listed(who, most)}." for reason, who in reasons.items()]


def _reach(row: CapacityRow) -> int:
    """Days ahead that a chart shows: past the interval of the crossing, and no further."""
    ends = [days for days in (row.days, row.days_lower, row.days_upper) if days is not None]
    return max(30, math.ceil(1.5 * max(ends))) if ends and row.days_upper is not None else row.horizon


def _fan(plan: Capacity, index: int, events: Sequence[Event]) -> Chart:
    row, ahead = plan.rows[index], plan.fan(index)
    name = f"fan-{row.host}-{row.metric}-{row.device}".replace(" ", "-")
    heading = f"{row.subject}: {title(row.metric)}" if row.device else row.subject
    ahead = ahead.iloc[: _reach(row)]
    past = plan.history(index).iloc[-PAST_DAYS:]
    bands = {level: (ahead[f"lower{level}"], ahead[f"upper{level}"]) for level in (80, 95)}
    marks = tuple(e.mark for e in events if len(past) and e.at >= past.index[0] and e.host in ("", row.host))
    return fan(
        name, heading, unit=row.unit, past=past, mean=ahead["mean"], bands=bands, alt=_sentence(row), limit=row.limit,
        marks=marks,
    )  # fmt: skip


def _as_dict(row: CapacityRow) -> dict[str, Any]:
    """The row as mail and JSON use it."""
    names = (
        "host",
        "metric",
        "device",
        "unit",
        "limit",
        "state",
        "value",
        "days",
        "days_lower",
        "days_upper",
    )
    return {name: getattr(row, name) for name in names} | {
        "sentence": _sentence(row),
        "date": row.date,
        "lower": row.days_lower,
        "upper": row.days_upper,
    }
