"""Deliver: run the notebook, render the page, keep it, send the mail.

>>> from healthkit import reports
>>> reports.make(home, "weekly", period="2026-W47", to=["ops@example.org"])  # doctest: +SKIP

Loaded when first used: papermill and IPython cost half a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healthkit.reports.archive import refresh
    from healthkit.reports.circulation import circulate, send_again
    from healthkit.reports.editions import NotDelivered, Report, make
    from healthkit.reports.execution import execute
    from healthkit.reports.fleets import Fleet, make_each
    from healthkit.reports.letters import send_file
    from healthkit.reports.outbox import Delivery, flush_outbox
    from healthkit.reports.page import render

_HOME_OF = {
    "Delivery": "outbox",
    "Fleet": "fleets",
    "NotDelivered": "editions",
    "Report": "editions",
    "circulate": "circulation",
    "execute": "execution",
    "flush_outbox": "outbox",
    "make": "editions",
    "make_each": "fleets",
    "refresh": "archive",
    "render": "page",
    "send_again": "circulation",
    "send_file": "letters",
}

__all__ = [
    "Delivery",
    "Fleet",
    "NotDelivered",
    "Report",
    "circulate",
    "execute",
    "flush_outbox",
    "make",
    "make_each",
    "refresh",
    "render",
    "send_again",
    "send_file",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f"healthkit.reports.{_HOME_OF[name]}"), name)
    msg = f"module 'healthkit.reports' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return list(__all__)
