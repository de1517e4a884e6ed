"""One path from a notebook to a report that people have: check, run, render, archive, mail."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthkit import fleets, ledger, store
from healthkit.config import Config, load_config
from healthkit.errors import ConfigError, DeliveryError, ParameterError, ReportError, StoreError
from healthkit.periods import CADENCES, Period
from healthkit.quantities import digits
from healthkit.reports import (
    archive,
    brands,
    delivery,
    execution,
    mails,
    notebooks,
    outbox,
    outputs,
    page,
    pdfs,
    startup,
)
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
    pdf: Path | None = None
    """The page on paper, if it was asked for."""
    sent_to: tuple[str, ...] = ()
    """Recipients whose server took the mail."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the contract."""
        paths = {name: str(getattr(self, name)) for name in ("html", "notebook", "text")}
        body = {name: value for name, value in asdict(self).items() if name != "pdf"}
        paths |= {"pdf": str(self.pdf)} if self.pdf else {}
        return body | paths | {"findings": list(self.findings), "sent_to": list(self.sent_to)}

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
class Order:
    """What was asked for."""

    home: Path
    config: Config
    root: Path
    path: Path
    """Of the notebook."""
    period: str
    hosts: tuple[str, ...]
    given: Mapping[str, Any]
    """Parameters of the notebook, checked."""
    to: tuple[str, ...]
    now: datetime
    pdf: bool

    @property
    def name(self) -> str:
        """Of the notebook, as files, identifiers and people can live with it."""
        return re.sub(r"[^A-Za-z0-9_]+", "-", self.path.stem).strip("-") or "report"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a page is among."""

    links: Mapping[str, str] = field(default_factory=dict)
    """Where each host's own page is."""
    above: str = ""
    """Where the fleet's page is."""

    @property
    def alone(self) -> bool:
        """Whether it is a report of its own, and no page of another one."""
        return not self.above


def make(
    home: Path,
    name: str,
    *,
    engine: execution.EngineName = "healthkit",
    timeout: float | None = 1800,
    progress: Progress | None = None,
    **asked: Any,
) -> Report:
    """Make a report: check the parameters, run the notebook, render, archive, mail.

    Args:
        home: The home with metrics and configuration.
        name: `weekly` and so on, a notebook in `HOME/notebooks`, or the path of one.
        engine: See `execution.execute`.
        timeout: Seconds for the notebook.
        progress: Called with the number of cells done and of all.
        asked: Whatever `order` takes.

    Raises:
        ParameterError, ConfigError: Before any cell runs.
        ReportError: A cell failed. What there is was archived as failed, the configured operators were told.
        NotDelivered: Made, but the mail is queued (exit code 75) or was refused (1).
    """
    started = time.monotonic()
    placed = order(home, name, **asked)
    notebook = run(placed, engine=engine, timeout=timeout, progress=progress)
    return finish(placed, notebook, started=started)


def order(
    home: Path,
    name: str,
    *,
    period: str = "",
    hosts: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    output: Path | None = None,
    to: Sequence[str] = (),
    pdf: bool = False,
    now: datetime | None = None,
) -> Order:
    """Check what is asked for, before any cell runs.

    Args:
        home: The home with metrics and configuration.
        name: `weekly` and so on, a notebook in `HOME/notebooks`, or the path of one.
        period: Label; empty lets the notebook choose.
        hosts: Only these, or these groups.
        parameters: More parameters of the notebook, secrets by reference.
        output: Folder to use instead of `HOME/reports`.
        to: Addresses to mail it to.
        pdf: Whether it is printed as well.
        now: The time, UTC; a notebook with a parameter `now` is given it.

    Raises:
        ParameterError, ConfigError: It cannot be done.
    """
    path = notebooks.find(home, name)
    config = load_config(home)
    if to:
        delivery.check_mail(config.mail, [*to, delivery.sender(config)])
    if pdf:
        pdfs.browser()
    brands.logo(config.reports.brand)
    known = infer(notebooks.read(path))
    offered = {"home": str(home.absolute()), "now": now.isoformat() if now else ""}
    useful = {name: value for name, value in offered.items() if value and name in known}
    wanted = {name: value for name, value in (("period", period), ("hosts", ",".join(hosts))) if value}
    given = useful | wanted | dict(parameters or {})
    check(known, given)
    root, moment = output or home / "reports", now or datetime.now(UTC)
    _check_scope(home, config, name, period=period, hosts=hosts, moment=moment)
    root.mkdir(parents=True, exist_ok=True)
    return Order(home, config, root, path, period, tuple(hosts), given, tuple(to), moment, pdf)


def _check_scope(home: Path, config: Config, name: str, *, period: str, hosts: Sequence[str], moment: datetime) -> None:
    """Of our own reports, whether there is such a period, and whether the hosts are known; of others, how a period is written."""
    if name not in CADENCES:
        if period:
            Period.parse(period)
        return
    if period:
        Period.asked(name, period, moment)
    if hosts:
        with suppress(StoreError):  # the notebook meets it too, and then the operators are told
            fleets.members(hosts, store.hosts(home), config.groups)


def run(placed: Order, **options: Any) -> Any:
    """The executed notebook.

    Raises:
        ReportError: A cell failed. What there is was archived as failed, the configured operators were told.
    """
    notebook, failure = execution.run(placed.path, placed.given, **options)
    if failure:
        at, _ = _keep(placed, notebook, Surroundings(), reason=failure)
        archive.refresh(placed.root)
        _tell_operators(placed, failure, at)
        raise ReportError(failure, notebook=str(at.notebook))
    return notebook


def finish(placed: Order, notebook: Any, *, started: float, among: Surroundings = Surroundings()) -> Report:
    """Render, archive, remember and mail an executed notebook.

    Args:
        placed: What was asked for.
        notebook: As executed.
        started: When the work on it began, on the monotonic clock.
        among: Pages around it; the index of the archive is made anew only by a report of its own.

    Raises:
        NotDelivered: Made, but the mail is queued or was refused.
    """
    at, record = _keep(placed, notebook, among)
    _remember(placed, notebook, record, predictions=among.alone)
    if among.alone:
        if placed.config.reports.keep is not None:
            archive.expire(placed.root, older=timedelta(seconds=placed.config.reports.keep), now=placed.now)
        archive.refresh(placed.root)
    taken = {name: record[name] for name in ("name", "period", "host", "score", "worst")}
    report = Report(
        **taken,
        findings=tuple(record["findings"]),
        html=at.html,
        notebook=at.notebook,
        text=at.text,
        pdf=at.pdf if placed.pdf else None,
        seconds=round(time.monotonic() - started, 3),
    )
    return _send(placed, notebook, report) if placed.to else report


def place(placed: Order, notebook: Any) -> archive.Place:
    """Where the report of an executed notebook belongs."""
    verdict = outputs.verdict(outputs.shown(notebook))
    label = verdict.period or placed.period or f"{placed.now:%Y-%m-%d}"
    return archive.place(placed.root, placed.name, label, verdict, placed.hosts)


def _keep(
    placed: Order, notebook: Any, among: Surroundings, *, reason: str = ""
) -> tuple[archive.Place, dict[str, Any]]:
    """Render and archive what was executed; as failed where there is a reason."""
    sections = outputs.shown(notebook)
    verdict = outputs.verdict(sections)
    at = place(placed, notebook)
    at = at.failed if reason else at
    notebook.metadata.papermill["output_path"] = str(at.notebook)
    taken = ("cadence", "score", "change", "coverage", "state", "worst", "simulated")
    record = {
        "name": placed.name,
        "period": verdict.period or placed.period or f"{placed.now:%Y-%m-%d}",
        "host": page.scope(verdict) or verdict.host,
        "hosts": list(verdict.hosts),
        "asked": list(placed.hosts),
        **{name: getattr(verdict, name) for name in taken},
        "sentence": reason or verdict.sentence,
        "failed": bool(reason),
        "pdf": placed.pdf and not reason,
        "made": placed.now.isoformat(),
        "findings": list(verdict.findings),
    }
    html = page.render(notebook, links=among.links, above=among.above, brand=placed.config.reports.brand)
    archive.store(
        at,
        html=html,
        notebook=startup.nbformat().writes(notebook) + "\n",
        text=mails.text(sections, verdict, most=None),
        pdf=pdfs.pdf(html) if placed.pdf and not reason else None,
        record=record,
    )
    return at, record


def _remember(placed: Order, notebook: Any, record: Mapping[str, Any], *, predictions: bool) -> None:
    """What later reports are held to: the score to compare with, and the forecasts to be scored."""
    scope = ", ".join(placed.hosts) or "all hosts"
    taken = {name: record[name] for name in ("name", "period", "score", "coverage", "worst")}
    with State(placed.home) as state:
        bad = [f for f in record["findings"] if f["severity"] in {"critical", "warning"}]
        detail = {"findings": [[f["host"], f["check"], f["subject"], f["severity"]] for f in bad]}
        state.record("reports", {"ts": placed.now, "scope": scope, **taken, "detail": detail})
    shown = next((section for section in outputs.shown(notebook) if section.name == "capacity"), None)
    table = shown.data.get("predictions") if shown and predictions else None  # a host's are among the fleet's
    if table:
        ledger.record(placed.home, ledger.unpack(table))


def _send(placed: Order, notebook: Any, report: Report) -> Report:
    """Mail a report to whom it was asked for, and note who has it."""
    outcome = mail(outputs.shown(notebook), report.html, placed.to, home=placed.home, now=placed.now)
    report = replace(report, sent_to=outcome.sent)
    if outcome.queued or outcome.refused:
        raise NotDelivered(report, outcome)
    return report


def mail(
    sections: Sequence[outputs.Shown], html: Path, to: Sequence[str], *, home: Path, now: datetime
) -> outbox.Delivery:
    """Mail what a notebook showed, with its page attached."""
    config = load_config(home)
    envelope = mails.Envelope(delivery.sender(config), tuple(to), now, config.host, config.reports.brand.name)
    message = mails.compose(sections, envelope, page=html.read_bytes(), page_name=html.name)
    return outbox.send(home, config, message, to, now=now)


def _tell_operators(placed: Order, reason: str, at: archive.Place) -> None:
    """Operators learn that a report failed; a mail that cannot be sent now is kept, and hides nothing."""
    operators = placed.config.mail.recipients.operators
    if operators:
        envelope = mails.Envelope(delivery.sender(placed.config), operators, placed.now, placed.config.host)
        message = mails.compose_failure(placed.name, reason, str(at.notebook), envelope)
        try:
            log.info("operators: %s", outbox.send(placed.home, placed.config, message, operators, now=placed.now))
        except (ConfigError, ParameterError) as error:  # the report's failure is what the caller must hear of
            log.warning("operators were not told: %s", error)
