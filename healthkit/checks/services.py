"""Does every configured service answer, fast enough, and does what runs it run?

Four answers a service: HTTP now, HTTP over the last 24 hours, response time, and the unit or process behind it. A
refused connection has no response time; a script whose path contains the service's name is not the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import psutil

from healthkit.checks._context import judge, not_applicable
from healthkit.checks._probes import Probe
from healthkit.findings import Finding, Severity
from healthkit.quantities import counted, quantity

if TYPE_CHECKING:
    from healthkit.checks import Context
    from healthkit.config import Service

COMPONENT = "availability"
REQUIRED = True
LOCAL = False
CAP = 59

FAILED = (0.01, 0.10)
"""Share of failed probes in 24 hours: warning, critical."""


def check(context: Context) -> Iterator[Finding]:
    """Ask every service now, all at the same time, and judge the last 24 hours of samples."""
    if not context.local:
        yield from _by_samples(context)
        return
    services = context.config.services
    if not services:
        hint = "Name what runs here under `services:` in healthkit.yaml."
        yield not_applicable("services", "services", "no service is configured", hint=hint)
        return
    yield from moment(context, services)
    for service in services:
        if service.url:
            yield from _last_day(context, service.name)


def moment(context: Context, services: Sequence[Service]) -> Iterator[Finding]:
    """What each answers now, and whether what runs it runs; no samples are read."""
    probes = {service.name: Probe(service) for service in services if service.url}
    for probe in probes.values():
        probe.start()
    for service in services:
        if service.name in probes:
            yield _answer(context, service, probes[service.name])
        if service.unit or service.process:
            yield _running(context, service)
        if not (service.url or service.unit or service.process):
            message = "nothing to ask: neither url, unit nor process is configured"
            yield Finding("services", Severity.UNKNOWN, service.name, message, hint="Add one of them to the service.")


def _by_samples(context: Context) -> Iterator[Finding]:
    """Of another host: every service that was ever probed there, as far as the history reaches."""
    history = context.history
    probed = set(context.window("http_up")["device"]) | set(history[history["metric"] == "http_up"]["device"])
    if not probed:
        yield not_applicable("services", "services", f"no service of {context.subject_host} is probed")
    for name in sorted(probed):
        yield from _last_day(context, str(name))


def _answer(context: Context, service: Service, probe: Probe) -> Finding:
    """Whether it answers now, and with what."""
    answered = probe.wait(min(float(service.timeout), max(context.remaining - 0.5, 0.1)))
    expected = service.expect
    good = answered.status is not None and (answered.status == expected if expected else 200 <= answered.status < 300)
    took = f" in {quantity(answered.seconds, 'seconds')}" if answered.seconds is not None else ""
    said = f"status {answered.status}{took}" if answered.status is not None else f"no answer: {answered.error}"
    return Finding(
        "services",
        Severity.OK if good else Severity.CRITICAL,
        f"{service.name}: now",
        said,
        value=answered.seconds,
        unit="seconds" if answered.seconds is not None else "",
        evidence={
            "url": service.url,
            "status": answered.status,
            "error": answered.error,
            "threshold": float(service.timeout),
            "source": f"GET {service.url}",
        },
        hint="" if good else f"Ask it yourself: curl -v {service.url}; read its log; restart it only after that.",
    )


def _last_day(context: Context, name: str) -> Iterator[Finding]:
    """Share of failed probes, and the 95th percentile of the response times, over the last 24 hours."""
    up = context.window("http_up", device=name)
    if name not in context.latest("http_up"):
        yield context.unmeasured("services", f"{name}: last 24 hours", "http_up")
        return
    failed = 1 - float(up["value"].mean())
    severity = judge(failed, *FAILED)
    yield Finding(
        "services",
        severity,
        f"{name}: last 24 hours",
        f"{quantity(1 - failed, 'ratio')} of {len(up)} probes succeeded",
        value=1 - failed,
        unit="ratio",
        evidence={
            "threshold": 1 - FAILED[0],
            "critical": 1 - FAILED[1],
            "n": len(up),
            "failed": int((up["value"] < 1).sum()),
            "source": "samples: http_up",
        },
        hint="See when: healthkit show trend http_up." if severity.exit_code else "",
    )
    seconds = context.window("http_response_seconds", device=name)["value"]
    if seconds.empty:
        message = "no probe was answered, so there is no response time"
        yield Finding("services", Severity.UNKNOWN, f"{name}: response time", message)
        return
    p95 = float(seconds.quantile(0.95))  # between the values that were seen: 7 of them give no more than their largest
    limit = context.config.limits.response_seconds
    severity = judge(p95, limit, 2 * limit)
    yield Finding(
        "services",
        severity,
        f"{name}: response time",
        f"95th percentile {quantity(p95, 'seconds')} of {counted(len(seconds), 'answer')}; the limit is {quantity(limit, 'seconds')}",
        value=p95,
        unit="seconds",
        evidence={
            "threshold": limit,
            "critical": 2 * limit,
            "n": len(seconds),
            "maximum": float(seconds.max()),
            "source": "samples: http_response_seconds",
        },
        hint="See what it waits for: its own log, the database, the CPU and disk of this host."
        if severity.exit_code
        else "",
    )


def _running(context: Context, service: Service) -> Finding:
    """The unit's state if systemd knows it, else whether the process is there."""
    told = _unit(context, service) if service.unit else None
    if told is None and service.process:
        return _process(service)
    if told is not None:
        return told
    return Finding(
        "services",
        Severity.UNKNOWN,
        f"{service.name}: unit",
        f"systemd cannot tell about {service.unit}, and no process is configured",
        evidence={"source": f"systemctl show {service.unit}"},
        hint="Where systemd is not in charge, name the `process` of the service.",
    )


def _unit(context: Context, service: Service) -> Finding | None:
    """What systemd says; None where it is not in charge or does not know the unit."""
    try:
        result = context.tool(
            "systemctl", "show", "--property=LoadState,ActiveState,SubState", "--", service.unit or ""
        )
    except FileNotFoundError:
        return None
    state = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
    if result.returncode or state.get("LoadState") != "loaded":
        return None
    active = state.get("ActiveState", "")
    good, moving = active in ("active", "reloading"), active in ("activating", "deactivating")
    return Finding(
        "services",
        Severity.OK if good else Severity.WARNING if moving else Severity.CRITICAL,
        f"{service.name}: unit",
        f"{service.unit} is {active} ({state.get('SubState', '')})",
        value=float(good),
        evidence={"threshold": 1, **state, "source": f"systemctl show {service.unit}"},
        hint="" if good else f"See why: systemctl status {service.unit}; journalctl -u {service.unit} --since -1h.",
    )


def _process(service: Service) -> Finding:
    """How many processes are named so: the program itself, not a command line that mentions it."""
    pids = [process.pid for process in psutil.process_iter() if _named(process, service.process or "")]
    return Finding(
        "services",
        Severity.OK if pids else Severity.CRITICAL,
        f"{service.name}: process",
        f"{len(pids)} processes named {service.process}" if pids else f"no process is named {service.process}",
        value=float(len(pids)),
        evidence={"threshold": 1, "pids": pids[:20], "source": "/proc"},
        hint="" if pids else "Start the service; read its log for why it ended.",
    )


def _named(process: psutil.Process, name: str) -> bool:
    """Whether the kernel's name, the program file or an interpreter's script is *name*, and it is no zombie."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()[:2]
        if len(command) == 2 and command[0].rpartition("/")[2].startswith(("sh", "bash", "dash")):
            command = command[:1]  # a shell that runs a script of this name is the script's business, not a service
        own = process.name()
        return own == name or (own == name[:15] and len(name) > 15) or name in [c.rpartition("/")[2] for c in command]
    except psutil.Error:
        return False  # it ended while we looked
