"""Whether what a service needs besides its own data is there: a URL, a TCP endpoint, or a command that ends with 0.

The service's own dependencies, as the configuration names them: that a search engine answers a ping says nothing of them.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from healthkit.checks._probes import Probe
from healthkit.config import Service


@dataclass(frozen=True)
class Dependency:
    """One of them, asked."""

    name: str
    reachable: bool
    said: str
    """Its answer, or why there is none."""
    seconds: float


def ask(
    dependency: str | Sequence[str], *, timeout: float, run: Callable[..., subprocess.CompletedProcess[str]]
) -> Dependency:
    """Ask one.

    Args:
        dependency: A URL, `host:port`, or program and arguments.
        timeout: Seconds that the answer may take.
        run: Runs a program, as `run_tool`.
    """
    began = time.monotonic()
    if not isinstance(dependency, str):
        name, (reachable, said) = dependency[0], _run(dependency, timeout, run)
    elif "://" in dependency:
        name, (reachable, said) = dependency, _get(dependency, timeout)
    else:
        name, (reachable, said) = dependency, _connect(dependency, timeout)
    return Dependency(name, reachable, said, time.monotonic() - began)


def _get(url: str, timeout: float) -> tuple[bool, str]:
    probe = Probe(Service(name=url, url=url, timeout=timeout))
    probe.start()
    answer = probe.wait(timeout)
    if answer.status is None:
        return False, answer.error
    return 200 <= answer.status < 400, f"status {answer.status}"


def _connect(endpoint: str, timeout: float) -> tuple[bool, str]:
    host, _, port = endpoint.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout):
            return True, "it accepts connections"
    except (OSError, OverflowError) as error:
        return False, str(getattr(error, "strerror", None) or error)


def _run(
    command: Sequence[str], timeout: float, run: Callable[..., subprocess.CompletedProcess[str]]
) -> tuple[bool, str]:
    try:
        done = run(list(command), timeout=timeout)
    except subprocess.TimeoutExpired:
        return False, f"no end within {timeout:g} s"
    except OSError as error:
        return False, f"{error.strerror}"
    words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    return done.returncode == 0, f"exit code {done.returncode}{': ' if words else ''}{''.join(words)[:200]}"
