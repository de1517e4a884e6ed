"""One path from a notebook to a report that people have: check, run, render, archive, mail."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit import ledger
from healthkit.config import Config, load_config
from healthkit.errors import ConfigError, DeliveryError, ParameterError, ReportError
from healthkit.quantities import digits
from healthkit.reports import archive, delivery, execution, mails, notebooks, outbox, outputs, page, startup
from healthkit.reports.parameters import check, infer
from healthkit.state import State

if TYPE_CHECKING:
    from healthkit.reports.engines import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was made."""

    name: str
    """Of the notebook: `weekly`."""
    period: str
    """Label: `2026-W47`."""
    host: str
    """The host, or how many."""
    score: float | None
    """0-100; None if it could not be told."""
    worst: str
    """The worst severity."""
    findings: tuple[Mapping[str, Any], ...]
    """Worst first, as the notebook showed them."""
    html: Path
    """The page."""
    notebook: Path
    """The notebook as executed."""
    text: Path
    """The plain text."""
    seconds: float
    """Wall time of all of it, up to the archive."""
    sent_to: tuple[str, ...] = ()
    """Recipients whose server took the mail."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the contract."""
        paths = {name: str(getattr(self, name)) for name in ("html", "notebook", "text")}
        return asdict(self) | paths | {"findings": list(self.findings), "sent_to": list(self.sent_to)}

    def __str__(self) -> str:
        score = "unknown" if self.score is None else digits(self.score)
        sent = f", sent to {len(self.sent_to)}" if self.sent_to else ""
        return f"{self.name} {self.period}, {self.host}: score {score}, worst {self.worst}{sent}"


class NotDelivered(DeliveryError):  # noqa: N818 - reads as the sentence it is
    """The report was made, but not everybody has it.

    Args:
        report: What was made.
        outcome: Who has it, who will get it, who never will.
    """

    def __init__(self, report: Report, outcome: outbox.Delivery) -> None:
        self.report = report
        self.outcome = outcome
        self.exit_code = 75 if outcome.queued else 1
        super().__init__(f"{report.html} was made; {outcome}")


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for."""

    home: Path
    config: Config
    root: Path
    name: str
    period: str
    hosts: tuple[str, ...]
    to: tuple[str, ...]
    now: datetime


def make(
    home: Path,
    name: str,
    *,
    period: str = "",
    hosts: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    output: Path | None = None,
    to: Sequence[str] = (),
    engine: execution.EngineName = "healthkit",
    timeout: float | None = 1800,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> Report:
    """Make a report: check the parameters, run the notebook, render, archive, mail.

    Args:
        home: The home with metrics and configuration.
        name: `weekly` and so on, a notebook in `HOME/notebooks`, or the path of one.
        period: Label; empty lets the notebook choose.
        hosts: Only these.
        parameters: More parameters of the notebook, secrets by reference.
        output: Folder to use instead of `HOME/reports`.
        to: Addresses to mail it to.
        engine: See `execution.execute`.
        timeout: Seconds for the notebook.
        progress: Called with the number of cells done and of all.
        now: The time, UTC; a notebook with a parameter `now` is given it.

    Raises:
        ParameterError, ConfigError: Before any cell runs.
        ReportError: A cell failed. What there is was archived as failed, the configured operators were told.
        NotDelivered: Made, but the mail is queued (exit code 75) or was refused (1).
    """
    started = time.monotonic()
    path = notebooks.find(home, name)
    when, root = now or datetime.now(UTC), output or home / "reports"
    order = _Order(home, load_config(home), root, _name(path.stem), period, tuple(hosts), tuple(to), when)
    if to:
        delivery.check_mail(order.config.mail, [*to, delivery.sender(order.config)])
    given = _given(path, order, parameters or {}, now=now)
    root.mkdir(parents=True, exist_ok=True)
    notebook, failure = execution.run(path, given, engine=engine, timeout=timeout, progress=progress)
    if failure:
        at, _ = _keep(order, notebook, reason=failure)
        _tell_operators(order, failure, at)
        raise ReportError(failure, notebook=str(at.notebook))
    at, record = _keep(order, notebook)
    _remember(order, notebook, record)
    report = Report(
        name=record["name"],
        period=record["period"],
        host=record["host"],
        score=record["score"],
        worst=record["worst"],
        findings=tuple(record["findings"]),
        html=at.html,
        notebook=at.notebook,
        text=at.text,
        seconds=round(time.monotonic() - started, 3),
    )
    return _send(order, notebook, report) if to else report


def _given(path: Path, order: _Order, more: Mapping[str, Any], *, now: datetime | None) -> dict[str, Any]:
    """The parameters to hand over: what was asked for, and what the notebook can use of what we know."""
    known = infer(notebooks.read(path))
    asked = {"period": order.period, "hosts": ",".join(order.hosts)}
    offered = {"home": str(order.home.absolute()), "now": now.isoformat() if now else ""}
    useful = {name: value for name, value in offered.items() if value and name in known}
    return check(known, useful | {name: value for name, value in asked.items() if value} | dict(more))


def _keep(order: _Order, notebook: Any, *, reason: str = "") -> tuple[archive.Place, dict[str, Any]]:
    """Render and archive what was executed; as failed where there is a reason."""
    nbformat = startup.nbformat()
    sections = outputs.shown(notebook)
    verdict = outputs.verdict(sections)
    label = verdict.period or order.period or f"{order.now:%Y-%m-%d}"
    at = archive.place(order.root, order.name, label, verdict, order.hosts)
    at = at.failed if reason else at
    notebook.metadata.papermill["output_path"] = str(at.notebook)
    taken = ("cadence", "score", "change", "coverage", "state", "worst", "simulated")
    record = {
        "name": order.name,
        "period": label,
        "host": page.scope(verdict) or verdict.host,
        "hosts": list(verdict.hosts),
        "asked": list(order.hosts),
        **{field: getattr(verdict, field) for field in taken},
        "sentence": reason or verdict.sentence,
        "failed": bool(reason),
        "made": order.now.isoformat(),
        "findings": list(verdict.findings),
    }
    archive.store(
        at,
        html=page.render(notebook),
        notebook=nbformat.writes(notebook) + "\n",
        text=mails.text(sections, verdict, most=None),
        record=record,
    )
    return at, record


def _remember(order: _Order, notebook: Any, record: Mapping[str, Any]) -> None:
    """What later reports are held to: the score to compare with, and the forecasts to be scored."""
    scope = ", ".join(order.hosts) or "all hosts"
    taken = {name: record[name] for name in ("name", "period", "score", "coverage", "worst")}
    with State(order.home) as state:
        bad = [f for f in record["findings"] if f["severity"] in {"critical", "warning"}]
        detail = {"findings": [[f["host"], f["check"], f["subject"], f["severity"]] for f in bad]}
        state.record("reports", {"ts": order.now, "scope": scope, **taken, "detail": detail})
    shown = next((section for section in outputs.shown(notebook) if section.name == "capacity"), None)
    if shown is not None:
        ledger.record(order.home, map(ledger.prediction, shown.data.get("predictions", ())))


def _name(stem: str) -> str:
    """A name that files, identifiers and people can live with."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-") or "report"


def _send(order: _Order, notebook: Any, report: Report) -> Report:
    """Mail a report, and note who has it."""
    envelope = mails.Envelope(delivery.sender(order.config), order.to, order.now, order.config.host)
    attachment = report.html.read_bytes()
    message = mails.compose(outputs.shown(notebook), envelope, page=attachment, page_name=report.html.name)
    outcome = outbox.send(order.home, order.config, message, order.to, now=order.now)
    report = replace(report, sent_to=outcome.sent)
    if outcome.queued or outcome.refused:
        raise NotDelivered(report, outcome)
    return report


def _tell_operators(order: _Order, reason: str, at: archive.Place) -> None:
    """Operators learn that a report failed; a mail that cannot be sent now is kept, and hides nothing."""
    operators = order.config.mail.recipients.operators
    if operators:
        envelope = mails.Envelope(delivery.sender(order.config), operators, order.now, order.config.host)
        message = mails.compose_failure(order.name, reason, str(at.notebook), envelope)
        try:
            log.info("operators: %s", outbox.send(order.home, order.config, message, operators, now=order.now))
        except (ConfigError, ParameterError) as error:  # the report's failure is what the caller must hear of
            log.warning("operators were not told: %s", error)
