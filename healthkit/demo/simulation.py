"""One simulated host: every metric that the collectors write, consistent with each other.

Load drives everything: it follows the hour and the weekday, with AR(1) noise of an hour's memory whatever the distance of
the samples. Values are rounded as the kernel would: whole bytes in pages, ratios to a tenth of a per mille.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from healthkit.demo.truth import LEAK_DISK, LEAK_END, DemoTruth
from healthkit.store.tables import from_codes

Series = dict[tuple[str, str], np.ndarray]
"""Values by metric and device."""

COLLECTORS = ("cpu", "disk", "host", "memory", "network", "processes", "program", "service")
CORES = 8
GIB = 1024**3
_DAY = 86400.0


def simulate_host(truth: DemoTruth, host: str, seed: int) -> pd.DataFrame:
    """The samples of one host, as `demo_data` returns them."""
    ticks = _Ticks(truth, host, seed)
    series: Series = {}
    for part in (_cpu, _memory, _space, _traffic, _processes, _service, _collectors):
        series |= part(ticks)
    return _frame(host, ticks, series)


class _Ticks:
    """The times of the samples, and the load at these times."""

    def __init__(self, truth: DemoTruth, host: str, seed: int) -> None:
        self.truth = truth
        self.host = host
        self.role = host.partition("-")[0]
        self.rng = np.random.default_rng([seed, zlib.crc32(host.encode())])
        self.step = truth.every.total_seconds()
        self.n = -((truth.start - truth.end) // truth.every)
        self.unix = truth.start.timestamp() + self.step * np.arange(self.n)
        self.noise_size = 3.0 if self.plays("noisy") else 1.0
        weekend = (np.floor(self.unix / _DAY).astype(int) + 3) % 7 >= 5
        hour = self.unix % _DAY / 3600
        rhythm = (1 + 0.45 * np.cos((hour - 14) * 2 * np.pi / 24)) * np.where(weekend, 0.7, 1.0)
        self.load = np.clip(0.25 * rhythm + 0.02 * self.noise_size * self.noise(), 0.01, 0.95)

    def plays(self, part: str) -> bool:
        """Whether the host plays this part of the truth."""
        return bool(getattr(self.truth, f"{part}_host") == self.host)

    def since(self, moment: datetime) -> np.ndarray:
        """Seconds since *moment*, negative before."""
        return np.asarray(self.unix - moment.timestamp())

    def noise(self, memory: timedelta = timedelta(hours=1)) -> np.ndarray:
        """AR(1) noise with unit variance."""
        keep = float(np.exp(-self.step / memory.total_seconds()))
        shocks = self.rng.standard_normal(self.n)
        shocks[1:] *= np.sqrt(1 - keep**2)
        return _remember(shocks, keep)

    def smooth(self, values: np.ndarray, seconds: float) -> np.ndarray:
        """Exponential mean, as the kernel makes the load averages."""
        keep = float(np.exp(-self.step / seconds))
        shocks = values * (1 - keep)
        shocks[:1] = values[:1]
        return _remember(shocks, keep)

    def counter(self, rate: np.ndarray, unit: float = 1.0) -> np.ndarray:
        """What a counter that grows with *rate* per second shows; it starts again at a reboot."""
        total = 1e9 * unit + np.cumsum(np.maximum(rate, 0) * self.step)
        if self.plays("reboot"):
            after = np.flatnonzero(self.since(self.truth.reboot_at) >= 0)
            if len(after):
                total[after] -= total[after[0]]
        return np.floor(total / unit) * unit


def _remember(shocks: np.ndarray, keep: float) -> np.ndarray:
    """The recursion y[t] = keep * y[t-1] + shocks[t], by doubling: each pass sums over twice as many shocks."""
    total, shift = shocks.copy(), 1
    while shift < len(total) and keep**shift > 1e-12:
        total[shift:] += keep**shift * total[:-shift]
        shift *= 2
    return total


def _cpu(at: _Ticks) -> Series:
    busy = at.load.copy()
    if at.plays("shift"):
        busy += at.truth.shift_size * (at.since(at.truth.shift_at) >= 0)
    busy = np.clip(busy, 0, 1)
    steal = np.clip(0.004 + 0.002 * at.noise(), 0, 0.02)
    system = busy * 0.22
    runnable = busy * CORES * np.clip(1.05 + 0.1 * at.noise(), 0.5, 2)
    some = np.clip((busy - 0.5) * 0.4, 0, 1)
    return {
        ("cpu_busy_ratio", ""): _ratio(busy),
        ("cpu_user_ratio", ""): _ratio(np.clip(busy - system - steal, 0, 1)),
        ("cpu_system_ratio", ""): _ratio(system),
        ("cpu_iowait_ratio", ""): _ratio(
            np.clip(0.01 + 0.03 * at.load * (at.role == "db") + 0.004 * at.noise(), 0, 0.2)
        ),
        ("cpu_steal_ratio", ""): _ratio(steal),
        ("cpu_saturated_cores_ratio", ""): np.round(np.clip(busy - 0.7, 0, 1) * CORES) / CORES,
        ("cpu_count", ""): np.full(at.n, float(CORES)),
        ("load1", ""): np.round(at.smooth(runnable, 60), 2),
        ("load5", ""): np.round(at.smooth(runnable, 300), 2),
        ("load15", ""): np.round(at.smooth(runnable, 900), 2),
        ("cpu_pressure_some_ratio", ""): _ratio(some),
        ("memory_pressure_some_ratio", ""): np.zeros(at.n),
        ("memory_pressure_full_ratio", ""): np.zeros(at.n),
        ("io_pressure_some_ratio", ""): _ratio(np.clip(0.01 + 0.005 * at.noise(), 0, 1)),
        ("io_pressure_full_ratio", ""): _ratio(np.clip(0.004 + 0.002 * at.noise(), 0, 1)),
    }


def _memory(at: _Ticks) -> Series:
    total = 32.0 * GIB if at.role == "db" else 16.0 * GIB
    base = {"web": 0.42, "db": 0.61, "cache": 0.66}[at.role]
    used = np.clip(base + 0.15 * at.load + 0.008 * at.noise_size * at.noise(timedelta(hours=6)), 0.05, 0.97)
    available = _pages(total * (1 - used))
    swap = _pages(np.full(at.n, 0.02 * GIB))
    return {
        ("memory_total_bytes", ""): np.full(at.n, total),
        ("memory_available_bytes", ""): available,
        ("memory_used_ratio", ""): 1 - available / total,
        ("swap_total_bytes", ""): np.full(at.n, 4.0 * GIB),
        ("swap_used_bytes", ""): swap,
        ("swap_used_ratio", ""): swap / (4.0 * GIB),
        ("oom_kills_total", ""): np.zeros(at.n),
    }


def _space(at: _Ticks) -> Series:
    age = (at.unix - at.unix[-1]) / _DAY
    root = 18e9 + 20e6 * age + 5e7 * at.noise(timedelta(hours=12))
    series = _mount(at, "/", 50e9, np.maximum(root, 5e9), files=4e5)
    total = 400e9
    if at.plays("leak"):
        total = LEAK_DISK
        growing = np.maximum(at.since(at.truth.end), (at.truth.leak_start - at.truth.end).total_seconds())
        used = LEAK_END + at.truth.leak_bytes_per_day * growing / _DAY + 2e8 * at.noise()
    elif at.plays("sawtooth"):
        sunday = (at.unix - 3 * _DAY) % (7 * _DAY) / _DAY
        used = 110e9 + 8e9 * sunday + 2e8 * at.noise()
    else:
        used = 140e9 + 1e9 * at.noise_size * at.noise(timedelta(days=1))
    return series | _mount(at, "/var", total, used, files=1.2e6)


def _mount(at: _Ticks, device: str, total: float, used: np.ndarray, *, files: float) -> Series:
    used = np.clip(_pages(used), 0, total)
    inodes = np.floor(total / 16384)
    inodes_used = np.floor(np.clip(files + 2e-7 * used + 100 * at.noise(), 0, inodes))
    return {
        ("disk_total_bytes", device): np.full(at.n, total),
        ("disk_used_bytes", device): used,
        ("disk_available_bytes", device): total - used,
        ("disk_used_ratio", device): used / total,
        ("disk_inodes", device): np.full(at.n, inodes),
        ("disk_inodes_used", device): inodes_used,
        ("inodes_used_ratio", device): inodes_used / inodes,
        ("disk_read_only", device): np.zeros(at.n),
    }


def _traffic(at: _Ticks) -> Series:
    writes = {"web": 40.0, "db": 400.0, "cache": 15.0}[at.role] * at.load * np.exp(0.2 * at.noise())
    reads = writes * 0.6
    packets = 4e6 * at.load * np.exp(0.15 * at.noise())
    nothing = np.zeros(at.n)
    return {
        ("disk_reads_completed_total", "sda"): at.counter(reads),
        ("disk_writes_completed_total", "sda"): at.counter(writes),
        ("disk_read_bytes_total", "sda"): at.counter(reads * 16384, 512),
        ("disk_written_bytes_total", "sda"): at.counter(writes * 12288, 512),
        ("disk_io_seconds_total", "sda"): at.counter(np.clip((reads + writes) * 4e-4, 0, 1), 0.001),
        ("network_receive_bytes_total", "eth0"): at.counter(packets),
        ("network_transmit_bytes_total", "eth0"): at.counter(packets * (3.1 if at.role == "web" else 0.8)),
        ("network_receive_errors_total", "eth0"): nothing,
        ("network_transmit_errors_total", "eth0"): nothing,
        ("network_receive_drops_total", "eth0"): at.counter(np.full(at.n, 1 / 7200)) % 1e6,
        ("network_transmit_drops_total", "eth0"): nothing,
        ("network_up", "eth0"): np.ones(at.n),
    }


def _processes(at: _Ticks) -> Series:
    count = np.round(210 + 60 * at.load + 3 * at.noise())
    uptime = at.since(at.truth.start) + 40 * _DAY
    if at.plays("reboot"):
        since = at.since(at.truth.reboot_at)
        uptime = np.where(since >= 0, since + 30, uptime)
    server = {"web": "nginx", "db": "postgres", "cache": "redis-server"}[at.role]
    return {
        ("process_count", ""): count,
        ("process_running_count", ""): np.round(1 + CORES * at.load * 0.5),
        ("process_blocked_count", ""): np.floor(np.clip(at.noise() - 1, 0, 5)),
        ("process_zombie_count", ""): np.zeros(at.n),
        ("thread_count", ""): count * 3 + 40,
        ("host_simulated", ""): np.ones(at.n),
        ("host_uptime_seconds", ""): uptime,
        ("clock_synchronised", ""): np.ones(at.n),
        ("clock_offset_seconds", ""): np.round(2e-4 * at.noise(), 6),
        ("program_running_count", server): np.full(at.n, float(CORES + 1)),
        ("program_memory_bytes", server): _pages(2e9 + 5e8 * at.load + 2e7 * at.noise()),
        ("program_cpu_seconds_total", server): at.counter(at.load * CORES * 0.7, 0.01),
        ("program_open_files", server): np.round(300 + 400 * at.load),
    }


def _service(at: _Ticks) -> Series:
    if at.role != "web" and not at.plays("outage"):
        return {}
    service = at.truth.outage_service
    slower = 1 + 0.3 * (at.since(at.truth.shift_at) >= 0) * at.plays("shift")
    answer = (0.12 + 0.4 * at.load**2) * slower * np.exp(0.25 * at.noise(timedelta(minutes=10)))
    down = np.zeros(at.n, dtype=bool)
    if at.plays("outage"):
        down = (at.since(at.truth.outage_start) >= 0) & (at.since(at.truth.outage_end) < 0)
    expires = at.truth.certificate_end if at.plays("certificate") else at.truth.end + timedelta(days=64)
    answered = np.where(down, np.nan, 1.0)  # no answer has no status and no time; such rows are left out
    return {
        ("http_up", service): (~down).astype(float),
        ("http_timed_out", service): np.zeros(at.n),
        ("http_status_code", service): 200 * answered,
        ("http_response_seconds", service): np.round(answer, 6) * answered,
        ("tls_certificate_left_days", service): np.round(-at.since(expires) / _DAY, 4) * answered,
    }


def _collectors(at: _Ticks) -> Series:
    series: Series = {}
    for number, name in enumerate(COLLECTORS):
        series["collector_up", name] = np.ones(at.n)
        series["collector_seconds", name] = np.round(2e-4 * (1 + number) * np.exp(0.1 * at.noise()), 6)
    return series


def _ratio(values: np.ndarray) -> np.ndarray:
    return np.round(values, 4)


def _pages(values: np.ndarray) -> np.ndarray:
    return np.floor(values / 4096) * 4096


def _frame(host: str, at: _Ticks, series: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """All series below each other, without the gap and without what was not measured."""
    names = sorted(series)
    values = np.stack([series[name] for name in names])
    there = np.isfinite(values)
    if at.plays("gap"):
        there &= (at.since(at.truth.gap_start) < 0) | (at.since(at.truth.gap_end) >= 0)
    length = there.sum(axis=1)
    ts = np.broadcast_to(np.round(at.unix * 1000).astype("int64"), values.shape)[there]
    return pd.DataFrame(
        {
            "ts": pd.Series(ts.astype("datetime64[ms]")).dt.tz_localize("UTC"),
            "host": _names([host], [len(ts)]),
            "metric": _names([metric for metric, _ in names], length),
            "device": _names([device for _, device in names], length),
            "value": values[there],
        }
    )


def _names(names: list[str], length: Iterable[int]) -> pd.Categorical:
    distinct = sorted(set(names))
    codes = np.array([distinct.index(name) for name in names], dtype=np.int16)
    return from_codes(np.repeat(codes, np.asarray(length)), distinct)
