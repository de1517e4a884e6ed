"""Traffic, errors and drops of every network interface, and TCP retransmissions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from healthkit.collectors.procfs import Procfs
from healthkit.schema import Metric, Reading

if TYPE_CHECKING:
    from healthkit.collectors.worlds import World

METRICS = (
    Metric("network_receive_bytes_total", "counter", "Bytes received."),
    Metric("network_receive_packets_total", "counter", "Packets received."),
    Metric("network_receive_errors_total", "counter", "Packets received damaged."),
    Metric("network_receive_drops_total", "counter", "Packets received and thrown away, for want of buffers mostly."),
    Metric("network_transmit_bytes_total", "counter", "Bytes sent."),
    Metric("network_transmit_packets_total", "counter", "Packets sent."),
    Metric("network_transmit_errors_total", "counter", "Packets that could not be sent."),
    Metric("network_transmit_drops_total", "counter", "Packets thrown away before sending."),
    Metric("network_up", "gauge", "1 if the interface can carry traffic, 0 if it is down or has no carrier."),
    Metric("tcp_connections", "gauge", "TCP connections established or in CLOSE_WAIT."),
    Metric("tcp_sent_segments_total", "counter", "TCP segments sent, without those sent again."),
    Metric("tcp_retransmitted_segments_total", "counter", "TCP segments sent again: loss on the path."),
)
_COLUMNS = (
    ("network_receive_bytes_total", 0),
    ("network_receive_packets_total", 1),
    ("network_receive_errors_total", 2),
    ("network_receive_drops_total", 3),
    ("network_transmit_bytes_total", 8),
    ("network_transmit_packets_total", 9),
    ("network_transmit_errors_total", 10),
    ("network_transmit_drops_total", 11),
)
_TCP = (
    ("tcp_connections", b"CurrEstab"),
    ("tcp_sent_segments_total", b"OutSegs"),
    ("tcp_retransmitted_segments_total", b"RetransSegs"),
)


def measure(proc: Procfs, sys: Procfs) -> Iterator[Reading]:
    """The counters now. Source: proc_pid_net(5), RFC 4022.

    Left out: the loopback; one end of a container's cable (veth), which comes and goes under a new name each time; an
    interface that is down and never carried anything.
    """
    for line in proc.read("net/dev").splitlines()[2:]:
        name, _, rest = line.partition(b":")
        nic = name.strip().decode("utf-8", "surrogateescape")
        if nic == "lo" or nic.startswith("veth"):
            continue
        counts = rest.split()
        up = _is_up(sys, nic)
        if not up and not any(map(int, counts)):
            continue
        if up is not None:
            yield Reading("network_up", up, nic)
        for metric, column in _COLUMNS:
            yield Reading(metric, int(counts[column]), nic)
    yield from _tcp(proc.read_if_there("net/snmp"))


def _is_up(sys: Procfs, nic: str) -> bool | None:
    try:
        # A driver that cannot tell whether there is a carrier (tunnels, bridges of old) says "unknown" when it is up.
        return sys.read(f"class/net/{nic}/operstate").strip() in {b"up", b"unknown"}
    except OSError:
        return None


def _tcp(text: bytes) -> Iterator[Reading]:
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith(b"Tcp:")]
    if len(rows) == 2:
        values = dict(zip(rows[0], rows[1], strict=True))
        for metric, key in _TCP:
            if key in values:
                yield Reading(metric, int(values[key]))


def collect(procfs: str = "/proc", sysfs: str = "/sys") -> Iterator[Reading]:
    """The counters now."""
    with Procfs(procfs) as proc, Procfs(sysfs) as sys:
        yield from measure(proc, sys)


def watch(world: World) -> Callable[[], Iterator[Reading]]:
    """Measures on every tick."""
    return partial(measure, world.proc, world.sys)
