"""What node_exporter measures, under our names and in base units where there is one.

What has one name for one name is renamed; what ours is made of (used = size - free, shares of processor time) is kept
under its own name, and ours stands beside it.
Source: https://github.com/prometheus/node_exporter (collector/*_linux.go)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from healthkit.imports.series import Hosts, RawSeries, Series, keep

if TYPE_CHECKING:
    Column = pd.Series[float]
    Table = dict[str, dict[str, dict[str, Column]]]

RENAMED: Mapping[str, tuple[str, str]] = {
    "node_load1": ("load1", ""), "node_load5": ("load5", ""), "node_load15": ("load15", ""),
    "node_context_switches_total": ("cpu_context_switches_total", ""),
    "node_intr_total": ("cpu_interrupts_total", ""),
    "node_forks_total": ("process_forks_total", ""),
    "node_procs_running": ("process_running_count", ""), "node_procs_blocked": ("process_blocked_count", ""),
    "node_memory_MemTotal_bytes": ("memory_total_bytes", ""),
    "node_memory_MemAvailable_bytes": ("memory_available_bytes", ""),
    "node_memory_Cached_bytes": ("memory_cached_bytes", ""),
    "node_memory_Dirty_bytes": ("memory_dirty_bytes", ""),
    "node_memory_Committed_AS_bytes": ("memory_committed_bytes", ""),
    "node_memory_SwapTotal_bytes": ("swap_total_bytes", ""),
    "node_vmstat_pgmajfault": ("memory_major_faults_total", ""), "node_vmstat_oom_kill": ("oom_kills_total", ""),
    "node_filefd_allocated": ("host_open_files", ""), "node_filefd_maximum": ("host_open_files_limit", ""),
    "node_timex_sync_status": ("clock_synchronised", ""),
    "node_netstat_Tcp_CurrEstab": ("tcp_connections", ""),
    "node_netstat_Tcp_OutSegs": ("tcp_sent_segments_total", ""),
    "node_netstat_Tcp_RetransSegs": ("tcp_retransmitted_segments_total", ""),
    "node_disk_read_bytes_total": ("disk_read_bytes_total", "device"),
    "node_disk_written_bytes_total": ("disk_written_bytes_total", "device"),
    "node_disk_reads_completed_total": ("disk_reads_completed_total", "device"),
    "node_disk_writes_completed_total": ("disk_writes_completed_total", "device"),
    "node_disk_io_time_seconds_total": ("disk_io_seconds_total", "device"),
    "node_filesystem_size_bytes": ("disk_total_bytes", "mountpoint"),
    "node_filesystem_avail_bytes": ("disk_available_bytes", "mountpoint"),
    "node_filesystem_files": ("disk_inodes", "mountpoint"),
    "node_filesystem_readonly": ("disk_read_only", "mountpoint"),
    "node_network_up": ("network_up", "device"),
    **{
        f"node_network_{way}_{theirs}_total": (f"network_{way}_{ours}_total", "device")
        for way in ("receive", "transmit")
        for theirs, ours in (("bytes", "bytes"), ("packets", "packets"), ("errs", "errors"), ("drop", "drops"))
    },
}  # fmt: skip
"""Our name, and the label that is our device; empty for the host as a whole."""
_PARTS = {
    "node_timex_offset_seconds": "",
    "node_filesystem_free_bytes": "mountpoint", "node_filesystem_files_free": "mountpoint",
    "node_filesystem_device_error": "mountpoint", "node_memory_SwapFree_bytes": "", "node_boot_time_seconds": "",
    "node_time_seconds": "", "node_pressure_cpu_waiting_seconds_total": "", "node_pressure_memory_waiting_seconds_total": "",
    "node_pressure_memory_stalled_seconds_total": "", "node_pressure_io_waiting_seconds_total": "",
    "node_pressure_io_stalled_seconds_total": "",
}  # fmt: skip
_PRESSURE = {
    "node_pressure_cpu_waiting_seconds_total": "cpu_pressure_some_ratio",
    "node_pressure_memory_waiting_seconds_total": "memory_pressure_some_ratio",
    "node_pressure_memory_stalled_seconds_total": "memory_pressure_full_ratio",
    "node_pressure_io_waiting_seconds_total": "io_pressure_some_ratio",
    "node_pressure_io_stalled_seconds_total": "io_pressure_full_ratio",
}
_CPU = "node_cpu_seconds_total"
_NOT_DISKS = frozenset(
    {"tmpfs", "devtmpfs", "ramfs", "squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs", "fuse.lxcfs"}
)
"""Types that our own collector leaves out: memory, and images that are always full. They keep their own names."""
_SATURATED = 0.95


def translate(series: Iterable[RawSeries], hosts: Hosts) -> Iterator[Series]:
    """Series under our names where there is one, under their own where not, and what ours is made of them."""
    table: Table = {}
    cores: dict[str, dict[str, dict[str, Column]]] = {}
    for one in series:
        host = hosts.of(one.labels)
        name, label = RENAMED.get(one.name, ("", _PARTS.get(one.name)))
        if one.name == _CPU and {"cpu", "mode"} <= one.labels.keys():
            _add(cores.setdefault(host, {}).setdefault(one.labels["cpu"], {}), one.labels["mode"], one)
        elif label is not None and _is_ours(one, label):
            device = one.labels.get(label, "") if label else ""
            _add(table.setdefault(host, {}).setdefault(device, {}), one.name, one)
            if name:
                yield Series(host, name, device, one.ts, one.numbers, str(one))
                continue
        yield keep(one, hosts)
    for host, devices in table.items():
        for device, parts in devices.items():
            yield from _made(host, device, {**_sizes(parts), **_rates(parts)})
    for host, by_core in cores.items():
        yield from _made(host, "", _shares(by_core))


def _is_ours(one: RawSeries, label: str) -> bool:
    """Whether it is about something that our collectors would measure."""
    if label == "mountpoint":
        return one.labels.get("fstype", "") not in _NOT_DISKS and "mountpoint" in one.labels
    nic = one.labels.get("device", "")
    return not (one.name.startswith("node_network_") and (nic == "lo" or nic.startswith("veth")))


def _add(columns: dict[str, Column], name: str, one: RawSeries) -> None:
    """A column by time; goes on with an earlier one where a disk or a port got another name on the way."""
    column = pd.Series(one.numbers, index=one.ts)
    if name in columns:
        column = pd.concat([columns[name], column]).sort_index(kind="stable")
    columns[name] = column[~column.index.duplicated(keep="last")].dropna()


def _made(host: str, device: str, columns: Mapping[str, Column]) -> Iterator[Series]:
    for metric, column in columns.items():
        known = column[np.isfinite(column)]
        if len(known):
            ts = known.index.to_numpy(dtype=np.int64)
            values = np.asarray(known, dtype=np.float64)
            yield Series(host, metric, device, ts, values, f"what {metric} is made of")


def _sizes(parts: Mapping[str, Column]) -> dict[str, Column]:
    """What is the difference or the quotient of others; `inf` and NaN where a part lacks."""
    none = pd.Series(dtype=float, index=pd.Index([], dtype=np.int64))

    def part(name: str) -> Column:
        return parts.get(f"node_{name}", none)

    used = part("filesystem_size_bytes") - part("filesystem_free_bytes")
    inodes = part("filesystem_files") - part("filesystem_files_free")
    swapped = part("memory_SwapTotal_bytes") - part("memory_SwapFree_bytes")
    return {
        "disk_up": 1 - part("filesystem_device_error"),
        "disk_used_bytes": used,
        "disk_used_ratio": used / (used + part("filesystem_avail_bytes")),
        "disk_inodes_used": inodes,
        "inodes_used_ratio": inodes / part("filesystem_files"),
        "memory_used_ratio": 1 - part("memory_MemAvailable_bytes") / part("memory_MemTotal_bytes"),
        "swap_used_bytes": swapped,
        "swap_used_ratio": swapped / part("memory_SwapTotal_bytes"),
        "clock_offset_seconds": part("timex_offset_seconds").where(part("timex_sync_status") == 1),
        "host_uptime_seconds": part("time_seconds") - part("boot_time_seconds"),
    }


def _rates(parts: Mapping[str, Column]) -> dict[str, Column]:
    """Shares of stalled time between a value and the one before."""
    found = {}
    for name, metric in _PRESSURE.items():
        if name in parts:
            grown, passed = parts[name].diff(), pd.Series(parts[name].index, parts[name].index).diff() / 1000
            found[metric] = (grown[grown >= 0] / passed).clip(upper=1)
    return found


def _shares(cores: Mapping[str, Mapping[str, Column]]) -> dict[str, Column]:
    """Shares of processor time between a value and the one before; as `collectors/cpu.py` has them."""
    spent = {core: _spent(modes) for core, modes in cores.items()}
    whole = reduce(lambda a, b: a.add(b, fill_value=0), spent.values())  # a core may be off line for a while
    total = whole.sum(axis=1)
    total = total[total > 0]
    part = whole.loc[total.index].div(total, axis=0)
    busy = pd.DataFrame({core: 1 - (s["idle"] + s["iowait"]) / s.sum(axis=1) for core, s in spent.items()})
    known = busy.notna().sum(axis=1)
    return {
        "cpu_busy_ratio": (1 - part["idle"] - part["iowait"]).clip(lower=0),
        "cpu_user_ratio": part["user"],
        "cpu_system_ratio": part["system"],
        "cpu_iowait_ratio": part["iowait"],
        "cpu_steal_ratio": part["steal"],
        "cpu_saturated_cores_ratio": (busy > _SATURATED).sum(axis=1) / known.where(known > 0),
        "cpu_count": pd.DataFrame({core: modes["idle"] for core, modes in cores.items() if "idle" in modes}).count(
            axis=1
        ),
    }


def _spent(modes: Mapping[str, Column]) -> pd.DataFrame:
    """Seconds since the value before by kind; none where a counter began anew (a restart), or nothing grew."""
    grown = pd.DataFrame(dict(modes)).diff()
    # iowait may step back a little when a core sleeps: proc_stat(5)
    back = (grown.drop(columns="iowait", errors="ignore") < 0).any(axis=1)
    grown = grown[~back].dropna().clip(lower=0)
    kinds = {
        "user": ("user", "nice"), "system": ("system", "irq", "softirq"), "idle": ("idle",), "iowait": ("iowait",),
        "steal": ("steal",),
    }  # fmt: skip
    zero = pd.Series(0.0, grown.index)
    return pd.DataFrame({kind: sum((grown.get(name, zero) for name in names), zero) for kind, names in kinds.items()})
