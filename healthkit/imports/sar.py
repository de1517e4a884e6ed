"""What sysstat has kept: the daily files of sadc, read by its own `sadf -j`, or the JSON that it wrote elsewhere.

CPU, load, memory, swap and file systems get our names and base units. Everything else is kept as it is, as
`sar_<section>_<field>`: sar has rates per second where we keep counters, and a rate is no counter.
Source: sadf(1), sar(1)
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

import msgspec

from healthkit.errors import SourceError
from healthkit.imports.arrivals import samples_frame

if TYPE_CHECKING:
    import pandas as pd

_KIB, _MIB = 1024, 1024 * 1024
_OURS: Mapping[tuple[str, str], tuple[str, float]] = {
    ("queue", "ldavg-1"): ("load1", 1), ("queue", "ldavg-5"): ("load5", 1), ("queue", "ldavg-15"): ("load15", 1),
    ("queue", "runq-sz"): ("process_running_count", 1), ("queue", "blocked"): ("process_blocked_count", 1),
    ("queue", "plist-sz"): ("thread_count", 1),
    ("memory", "avail"): ("memory_available_bytes", _KIB), ("memory", "cached"): ("memory_cached_bytes", _KIB),
    ("memory", "dirty"): ("memory_dirty_bytes", _KIB), ("memory", "commit"): ("memory_committed_bytes", _KIB),
    ("memory", "swpused"): ("swap_used_bytes", _KIB),
}  # fmt: skip
"""Our name and the factor to base units, by section and field."""
_PRESSURE = {"psi_psi_cpu": "cpu", "psi_psi_mem": "memory", "psi_psi_io": "io"}
_WHICH = ("cpu", "disk-device", "iface", "mountpoint", "filesystem", "intr", "number", "line", "bus", "fchost")
"""Fields that name the device of a row instead of measuring it."""
_Value = tuple[str, str, float]
"""Metric, device, value."""


class _Host(msgspec.Struct):
    nodename: str
    timezone: str = ""
    statistics: list[dict[str, Any]] = msgspec.field(default_factory=list)


class _Hosts(msgspec.Struct):
    hosts: list[_Host]


class _Document(msgspec.Struct):
    sysstat: _Hosts


def run(path: str | Path, *, timeout: float = 300) -> bytes:
    """The JSON of a daily file.

    Raises:
        SourceError: There is no sadf, or it does not understand the file.
    """
    command = ["sadf", "-j", str(path), "--", "-A", "-F", "MOUNT"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise SourceError(
            "sadf is not installed: install sysstat, or import the JSON of `sadf -j FILE -- -A`", source=str(path)
        ) from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"sadf did not answer within {timeout:g} s", source=str(path)) from None
    if done.returncode:
        raise SourceError(f"sadf: {done.stderr.decode(errors='replace').strip()[-300:]}", source=str(path))
    return done.stdout


def json_of(file: BinaryIO) -> bytes:
    """The JSON of a file: as it is, or made by sadf of a daily file.

    Raises:
        SourceError: As of `run`.
    """
    body = file.read()
    return body if body.lstrip().startswith(b"{") else run(file.name)


def read(body: bytes, *, host: str = "", source: str = "") -> Iterator[pd.DataFrame]:
    """Samples of the JSON of `sadf -j`, a frame a host.

    Args:
        body: The JSON.
        host: Whose samples they are; empty: the name in it.
        source: The file's name, for errors.

    Raises:
        SourceError: It is not of sadf, or a time or value in it is none.
    """
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"no JSON of sadf: {error}", source=source) from error
    for one in document.sysstat.hosts:
        columns: dict[str, list[Any]] = {name: [] for name in ("ts", "host", "metric", "device", "value")}
        for number, record in enumerate(one.statistics, 1):
            if "timestamp" not in record:  # a comment, or a restart: nothing was measured
                continue
            ts = _milliseconds(record.pop("timestamp"), one.timezone, f"{source}: record {number}")
            for metric, device, value in _values(record):
                for name, cell in zip(columns, (ts, host or one.nodename, metric, device, value), strict=True):
                    columns[name].append(cell)
        if columns["ts"]:
            yield samples_frame(columns)


def _milliseconds(stamp: Any, zone: str, where: str) -> int:
    """The time of a record; local where sadf was told so (-t, -T)."""
    try:
        when = datetime.fromisoformat(f"{stamp['date']}T{stamp['time']}")
        known = UTC if stamp.get("utc") else ZoneInfo(zone)
        return round(when.replace(tzinfo=known).timestamp() * 1000)
    except (KeyError, TypeError, ValueError, OSError) as error:
        hint = "make it in UTC, without -t and -T" if isinstance(stamp, dict) and not stamp.get("utc") else "no time"
        raise SourceError(f"{where}: {stamp!r}: {hint} ({error})") from error


def _values(record: Mapping[str, Any]) -> Iterator[_Value]:
    for section, content in _sections(record):
        for row in content if isinstance(content, list) else [content]:
            if not isinstance(row, dict):
                continue
            device = next((str(row[name]) for name in _WHICH if name in row), "")
            measured = {k: float(v) for k, v in _flat(row) if k not in _WHICH}
            yield from _ours(section, row, measured)
            for field, value in measured.items():
                name, factor = _OURS.get((section, field), (f"sar_{section}_{_plain(field)}", 1))
                yield name, device, value * factor


def _sections(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Sections by name; those of `network` and `psi` lie one level deeper."""
    for name, content in record.items():
        inner = isinstance(content, dict) and content and all(isinstance(c, dict | list) for c in content.values())
        if inner:
            yield from _sections(content, f"{above}{_plain(name)}_")
        else:
            yield f"{above}{_plain(name)}", content


def _flat(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Numbers of a row, also those of a table within it (`io-reads`)."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from ((f"{name}-{inner}", number) for inner, number in _flat(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value


def _ours(section: str, row: Mapping[str, Any], of: Mapping[str, float]) -> Iterator[_Value]:
    """What we call otherwise, or make of several fields."""
    if section == "cpu_load" and row.get("cpu") == "all":
        yield from _cpu(of)
    elif section == "memory" and {"swpused", "swpfree"} <= of.keys():
        total = (of["swpused"] + of["swpfree"]) * _KIB
        yield "swap_total_bytes", "", total
        if total:
            yield "swap_used_ratio", "", of["swpused"] * _KIB / total
    elif section == "filesystems" and {"MBfsfree", "MBfsused"} <= of.keys():
        yield from _space(str(row.get("mountpoint") or row.get("filesystem", "")), of)
    elif section in _PRESSURE:
        for kind in ("some", "full"):
            if f"{kind}_avg" in of:  # of the whole interval; some_avg10 and the like are the kernel's windows
                yield f"{_PRESSURE[section]}_pressure_{kind}_ratio", "", of[f"{kind}_avg"] / 100


def _cpu(of: Mapping[str, float]) -> Iterator[_Value]:
    """Shares of 1; `sar -u` says user and system, `sar -u ALL` splits both further."""
    shares = {
        "cpu_user_ratio": ("user", "usr", "nice", "guest", "gnice"),
        "cpu_system_ratio": ("system", "sys", "irq", "soft"),
        "cpu_iowait_ratio": ("iowait",),
        "cpu_steal_ratio": ("steal",),
    }
    for metric, fields in shares.items():
        yield metric, "", sum(of.get(name, 0.0) for name in fields) / 100
    if "idle" in of:
        yield "cpu_busy_ratio", "", max(0.0, 1 - (of["idle"] + of.get("iowait", 0.0)) / 100)


def _space(mount: str, of: Mapping[str, float]) -> Iterator[_Value]:
    used, free = of["MBfsused"] * _MIB, of["MBfsfree"] * _MIB
    yield "disk_used_bytes", mount, used
    yield "disk_total_bytes", mount, used + free
    if "%ufsused" in of and used + free:
        # sadf counts what is reserved for root as used, in hundredths of a per cent; df, and we, leave it out.
        available = (used + free) * max(0.0, 1 - of["%ufsused"] / 100)
        yield "disk_used_ratio", mount, used / (used + available) if used + available else 1.0
    if {"Iused", "Ifree"} <= of.keys() and of["Iused"] + of["Ifree"]:
        yield "disk_inodes", mount, of["Iused"] + of["Ifree"]
        yield "disk_inodes_used", mount, of["Iused"]
        yield "inodes_used_ratio", mount, of["Iused"] / (of["Iused"] + of["Ifree"])


def _plain(name: str) -> str:
    """A field as part of a metric's name."""
    return "".join(char if char.isalnum() else "_" for char in name)
