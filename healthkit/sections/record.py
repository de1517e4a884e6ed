"""How earlier forecasts turned out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthkit import display
from healthkit.quantities import counted, quantity
from healthkit.schema import rate_unit, title
from healthkit.sections.section import Section

if TYPE_CHECKING:
    from healthkit.ledger import Ledger
    from healthkit.reviews import Review


def record(review: Review) -> Section:
    """The share of past forecasts that lay in their interval, the mean error by metric, and what still waits."""
    ledger = review.ledger
    if ledger is None:
        text = "The record of earlier forecasts could not be read: health.db is damaged or locked."
        return Section("record", f"<p>{text}</p>", text, {"known": False})
    lines = [f"{ledger}{_whose(review, ledger)}"]
    html = f"<p>{display.text(lines[0])}</p>"
    if ledger.n:
        groups = ledger.to_frame().to_dict("records")
        rows = [
            (
                display.text(title(row["metric"])),
                f"{row['days']:.0f}",
                str(row["n"]),
                quantity(row["coverage80"], "ratio"),
                quantity(row["coverage95"], "ratio"),
                quantity(row["mean_absolute_error"], rate_unit(row["metric"])),
            )
            for row in groups
        ]
        heads = ["Metric", "Days ahead", "Forecasts", "In the 80 % interval", "In the 95 %", "Mean error"]
        listed = display.table(heads, rows, numeric=(1, 2, 3, 4, 5), caption="How earlier forecasts turned out")
        html += f"<details><summary>By metric and days ahead</summary>{listed}</details>"
        lines += [
            f"{title(row['metric'])}, {row['days']:.0f} days ahead: {counted(row['n'], 'forecast')}, {quantity(row['coverage80'], 'ratio')} in the 80 % interval"
            for row in groups
        ]
    if ledger.crossings:
        dates = f"{ledger.crossings_held} of {counted(ledger.crossings, 'date')} on which a limit was expected, or reached, lay in the 80 % interval."
        html += f"<p>{dates}</p>"
        lines.append(dates)
    return Section("record", html, "\n".join(lines), ledger.as_dict())


def _whose(review: Review, ledger: Ledger) -> str:
    """The record is one for all hosts that are kept here."""
    others = {score["host"] for score in ledger.scores} - set(review.hosts)
    return f" They are of every host here, {len(others)} of them not in this report." if others else ""
