"""A report with a page for each host under it: everything is loaded and judged once, the pages are made side by side."""

from __future__ import annotations

import math
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from healthkit import fleets
from healthkit.errors import ParameterError, ReportError
from healthkit.reports import editions, outputs


@dataclass(frozen=True, slots=True)
class Fleet:
    """The pages that were made."""

    report: editions.Report
    """Of all hosts."""
    pages: tuple[editions.Report, ...]
    """Of each host, in their order."""
    failed: tuple[str, ...]
    """Why the other pages could not be made."""


def make_each(
    home: Path,
    name: str,
    *,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    now: datetime | None = None,
    engine: str = "healthkit",
    timeout: float | None = 1800,
    **asked: Any,
) -> Fleet:
    """Make a report, and under it one of each of its hosts.

    Args:
        home: The home with metrics and configuration.
        name: The notebook; it must have a parameter `hosts`.
        jobs: Processes to share the hosts among.
        progress: Called with the number of pages done and of all.
        now: The time of all reviews, UTC.
        engine: As of `editions.make`.
        timeout: Seconds for each page.
        asked: Whatever `editions.order` takes; mail and paper are of the fleet's page.

    Raises:
        ParameterError, ConfigError: Before any cell runs.
        ReportError: The fleet's own page failed.
        NotDelivered: All was made, but the mail is queued or was refused.
    """
    started, moment = time.monotonic(), now or datetime.now(UTC)
    placed = editions.order(home, name, now=moment, **asked)
    told = progress or (lambda _done, _total: None)
    options = {"engine": engine, "timeout": timeout}
    with fleets.kept():
        notebook = editions.run(placed, **options)
        verdict = outputs.verdict(outputs.shown(notebook))
        if not verdict.hosts:
            raise ParameterError(f"{name} shows no hosts: it cannot be made for each of them")
        above = f"{quote(editions.place(placed, notebook).stem)}.html"
        inner = replace(placed, period=verdict.period, to=(), pdf=False)
        pages, failed = [], []
        for done, made in enumerate(_pages(inner, verdict.hosts, above, options, jobs), 1):
            (failed if isinstance(made, str) else pages).append(made)
            told(done, len(verdict.hosts))
    links = {page.host: quote(page.html.name) for page in pages}
    report = editions.finish(placed, notebook, started=started, among=editions.Surroundings(links=links))
    return Fleet(report, tuple(pages), tuple(failed))


def _pages(
    placed: editions.Order, hosts: Sequence[str], above: str, options: dict[str, Any], jobs: int
) -> Iterator[editions.Report | str]:
    """The page of each host, or why there is none."""
    tasks = [
        (replace(placed, hosts=(host,), given=dict(placed.given) | {"hosts": host}), above, options) for host in hosts
    ]
    if jobs <= 1 or len(hosts) < 2:
        yield from map(_page, tasks)
        return
    # Forked, so that each process has the review that this one has loaded.
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings(), ProcessPoolExecutor(jobs, context) as pool:
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of threads, from 3.12: ours wait, and Arrow prepares for it
        yield from pool.map(_page, tasks, chunksize=math.ceil(len(tasks) / (4 * jobs)))


def _page(task: tuple[editions.Order, str, dict[str, Any]]) -> editions.Report | str:
    placed, above, options = task
    started = time.monotonic()
    try:
        notebook = editions.run(placed, **options)
    except ReportError as error:
        return f"{placed.hosts[0]}: {error}"
    return editions.finish(placed, notebook, started=started, among=editions.Surroundings(above=above))
