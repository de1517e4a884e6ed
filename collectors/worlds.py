"""What a resident collector looks at: handed to every `watch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from healthkit.collectors.probes import Endpoint
    from healthkit.collectors.procfs import Procfs
    from healthkit.collectors.program import Program


def _nobody() -> None:
    """Wake no one."""


class World(NamedTuple):
    """The part of the machine, and of the configuration, that collectors see."""

    proc: Procfs
    sys: Procfs
    services: tuple[Endpoint, ...] = ()
    programs: tuple[Program, ...] = ()
    wake: Callable[[], None] = _nobody
    """Called from any thread when there is something to fetch before the next tick."""
