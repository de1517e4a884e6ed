"""Whether the services answer at this moment, as the check `services` asks them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from healthkit.checks import Context
from healthkit.checks.services import moment
from healthkit.findings import Finding, Severity
from healthkit.procedures._runs import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from healthkit.procedures._scenes import Scene


def ask(scene: Scene, names: Collection[str] = ()) -> list[Finding]:
    """What each service answers now: its URL, its unit or process.

    Args:
        scene: The world.
        names: Of the services that are asked; all of them if empty.
    """
    services = tuple(
        s for s in scene.config.services if (s.url or s.unit or s.process) and (not names or s.name in names)
    )
    seconds = max((float(service.timeout) for service in services), default=0) + 10
    context = Context(
        home=scene.home, config=scene.config, now=scene.now, root=scene.root, run=scene.run,
        deadline=time.monotonic() + seconds,
    )  # fmt: skip
    return [replace(f, check=scene.procedure, ts=scene.now, host=scene.config.host) for f in moment(context, services)]


def until_it_answers(scene: Scene, names: Collection[str] = ()) -> Outcome:
    """Ask until everything is well, or the time to settle is over."""
    deadline = time.monotonic() + float(scene.config.incidents.settle)
    while True:
        found = ask(scene, names)
        bad = [finding for finding in found if finding.severity in (Severity.WARNING, Severity.CRITICAL)]
        if not bad or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if not found:
        return Outcome("no service is configured that could be asked")
    message = "; ".join(f"{finding.subject}: {finding.message}" for finding in bad or found)
    return Outcome(message, {}, tuple(found))
