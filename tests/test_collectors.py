"""Collectors: known numbers from made-up /proc trees, and live numbers against psutil, the second implementation."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from healthkit import collectors
from healthkit.collectors import cpu, disk, host, memory, network, pressure, processes, program
from healthkit.collectors.mounts import real_mounts
from healthkit.collectors.procfs import Procfs, number
from healthkit.collectors.program import Program
from healthkit.errors import ParameterError

MEMINFO = """MemTotal:        8000 kB
MemFree:         1000 kB
MemAvailable:    6000 kB
Buffers:          100 kB
Cached:          4000 kB
SwapCached:         0 kB
SwapTotal:       2000 kB
SwapFree:        1500 kB
Dirty:             12 kB
Committed_AS:    9000 kB
HugePages_Total:    0
"""
FILESYSTEMS = (
    "nodev\tsysfs\nnodev\tproc\nnodev\ttmpfs\nnodev\tnfs4\nnodev\tfuse\nnodev\toverlay\n\text4\n\tsquashfs\n\txfs\n"
)
MOUNTINFO = r"""21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
22 21 0:20 / /proc rw - proc proc rw
23 21 0:21 / /run rw - tmpfs tmpfs rw,size=1000k
24 21 8:1 /srv/data /export rw - ext4 /dev/sda1 rw
25 21 8:17 / /mnt/with\040blank ro,relatime - xfs /dev/sdb1 rw
26 21 8:33 / /broken rw,relatime - ext4 /dev/sdc1 ro,emergency_ro
27 21 7:0 / /snap/core ro - squashfs /dev/loop0 ro
28 21 0:40 / /nfs rw - nfs4 server:/ rw,vers=4.2
29 21 0:41 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
30 21 8:49 / /covered rw - xfs /dev/sdd1 rw
31 30 8:65 / /covered rw - xfs /dev/sde1 rw
32 21 0:50 / /run/user/0/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
"""
DISKSTATS = """   8       0 sda 100 5 2000 30 200 6 4000 70 0 1500 110
   8       1 sda1 100 5 2000 30 200 6 4000 70 0 1500 110
   7       0 loop0 1 0 2 0 0 0 0 0 0 1 0
 253       0 dm-0 1 0 2 0 0 0 0 0 0 1 0
 104       0 cciss/c0d0 1 0 8 0 0 0 0 0 0 1 0 0 0 0 0 0 0
"""
NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0
  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0
  eth1:5 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 veth9: 5 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0
  ifb0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
"""
SNMP = "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm MaxConn CurrEstab InSegs OutSegs RetransSegs\nTcp: 1 -1 7 100 90 5\nUdp: InDatagrams\nUdp: 3\n"


def stat(*cores, intr=5, ctxt=6):
    """A /proc/stat: of each core user nice system idle iowait irq softirq steal."""
    whole = [sum(column) for column in zip(*cores, strict=True)]
    rows = ["cpu  " + " ".join(map(str, whole)) + " 0 0"]
    rows += [f"cpu{n} " + " ".join(map(str, core)) + " 0 0" for n, core in enumerate(cores)]
    return "\n".join(
        [*rows, f"intr {intr} 1 2 3", f"ctxt {ctxt}", "processes 70", "procs_running 3", "procs_blocked 2", ""]
    )


class Tree:
    """A made-up /proc and /sys with known numbers."""

    def __init__(self, folder):
        self.proc, self.sys = str(folder / "proc"), str(folder / "sys")
        self.folder = folder

    def write(self, name, text):
        """Change a file in place, as the kernel does: who has it open sees the new content."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def process(self, pid, *arguments, comm=None, parent=1, state="S", ticks=(0, 0), pages=1, files=0):
        name = comm or Path(arguments[0]).name[:15]
        fields = [state, parent, *[0] * 9, *ticks, *[0] * 7, 0, pages, *[0] * 20]
        self.write(f"proc/{pid}/stat", f"{pid} ({name}) ".encode() + " ".join(map(str, fields)).encode() + b"\n")
        self.write(f"proc/{pid}/cmdline", "".join(f"{item}\0" for item in arguments))
        for fd in range(files):
            self.write(f"proc/{pid}/fd/{fd}", "")


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    for name, text in {
        "stat": stat((0,) * 8, (0,) * 8),
        "loadavg": "0.50 1.25 2.00 3/456 789\n",
        "meminfo": MEMINFO,
        "vmstat": "nr_free_pages 5\npswpin 2\npswpout 3\npgmajfault 11\noom_kill 4\n",
        "self/mountinfo": MOUNTINFO,
        "filesystems": FILESYSTEMS,
        "diskstats": DISKSTATS,
        "net/dev": NET_DEV,
        "net/snmp": SNMP,
        "uptime": "1234.56 2000.00\n",
        "sys/fs/file-nr": "1000\t0\t90000\n",
    }.items():
        tree.write(f"proc/{name}", text)
    for name in ("sda", "loop0", "dm-0", "cciss!c0d0"):
        tree.write(f"sys/block/{name}/size", "1")
    for name, state in {"eth0": "up", "eth1": "down", "ifb0": "down", "lo": "unknown"}.items():
        tree.write(f"sys/class/net/{name}/operstate", f"{state}\n")
    tree.process(1, "/sbin/init")
    return tree


def values(readings):
    """{metric: value} of readings without a device, {(metric, device): value} of the others."""
    found = {}
    for metric, value, device in readings:
        key = (metric, device) if device else metric
        assert key not in found, f"twice: {key}"
        found[key] = value
    return found


def test_every_collector_has_a_first_line_metrics_and_a_way_to_collect():
    names = collectors.names()
    assert names == ["cpu", "disk", "host", "memory", "network", "pressure", "processes", "program", "service"]
    for name in names:
        module = collectors.load(name)
        assert module.__doc__.splitlines()[0].endswith(".")
        assert module.METRICS
        assert callable(module.collect)


def test_a_metric_belongs_to_one_collector():
    owners = defaultdict(list)
    for name in collectors.names():
        for metric in collectors.load(name).METRICS:
            owners[metric.name].append(name)
    assert [name for name, found in owners.items() if len(found) > 1] == []


def test_an_unknown_collector_is_named_with_the_known_ones():
    with pytest.raises(ParameterError, match=r"no collector 'gpu': there are cpu, disk"):
        collectors.load("gpu")


@pytest.mark.parametrize("name", ["cpu", "disk", "host", "memory", "network", "pressure", "processes"])
def test_a_live_collector_yields_only_what_it_declares_and_finite_numbers_within_limits(name):
    module = collectors.load(name)
    declared = {metric.name: metric for metric in module.METRICS}
    options = {"seconds": 0.05} if name in {"cpu", "pressure"} else {}
    found = list(module.collect(**options))
    assert found
    for reading in found:
        low, high = declared[reading.metric].limits
        assert low <= reading.value <= high, reading
        assert math.isfinite(reading.value)


def test_cpu_shares_are_of_the_time_between_two_looks(tree):
    with Procfs(tree.proc) as proc:
        meter = cpu.Meter(proc)
        proc.forget()
        tree.write("proc/stat", stat((30, 10, 5, 40, 5, 3, 2, 5), (98, 0, 2, 0, 0, 0, 0, 0), intr=50, ctxt=60))
        found = values(meter())
    assert found == pytest.approx(
        {
            "cpu_busy_ratio": 155 / 200,
            "cpu_user_ratio": 138 / 200,
            "cpu_system_ratio": 12 / 200,
            "cpu_iowait_ratio": 5 / 200,
            "cpu_steal_ratio": 5 / 200,
            "cpu_saturated_cores_ratio": 0.5,
            "cpu_count": 2,
            "cpu_context_switches_total": 60,
            "cpu_interrupts_total": 50,
            "load1": 0.5,
            "load5": 1.25,
            "load15": 2.0,
        }
    )


def test_cpu_says_nothing_of_an_interval_shorter_than_a_clock_tick(tree):
    found = values(cpu.collect(tree.proc, sleep=lambda _: None))
    assert "cpu_busy_ratio" not in found
    assert found["cpu_count"] == 2


def test_cpu_idle_time_that_steps_back_is_no_negative_share(tree):
    tree.write("proc/stat", stat((0, 0, 0, 100, 50, 0, 0, 0)))
    step = lambda _: tree.write("proc/stat", stat((10, 0, 0, 190, 40, 0, 0, 0)))  # noqa: E731
    found = values(cpu.collect(tree.proc, sleep=step))
    assert found["cpu_iowait_ratio"] == 0
    assert found["cpu_busy_ratio"] == pytest.approx(0.1)


def test_a_core_that_comes_or_goes_does_not_count_as_saturated(tree):
    tree.write("proc/stat", stat((0, 0, 0, 100, 0, 0, 0, 0)))
    step = lambda _: tree.write("proc/stat", stat((0, 0, 0, 200, 0, 0, 0, 0), (500, 0, 0, 0, 0, 0, 0, 0)))  # noqa: E731
    found = values(cpu.collect(tree.proc, sleep=step))
    assert found["cpu_saturated_cores_ratio"] == 0
    assert found["cpu_count"] == 2


def test_live_cpu_equals_psutil():
    psutil.cpu_times_percent()
    found = values(cpu.collect(seconds=1.0))
    other = psutil.cpu_times_percent()
    busy = 1 - (other.idle + other.iowait) / 100
    assert found["cpu_busy_ratio"] == pytest.approx(busy, abs=0.06)
    assert found["cpu_count"] == psutil.cpu_count()
    assert found["load1"] == pytest.approx(psutil.getloadavg()[0], abs=0.3)


def test_pressure_is_the_stalled_share_of_the_interval_and_absent_without_psi(tree):
    assert list(pressure.collect(tree.proc, seconds=0.01)) == []
    line = "{} avg10=0.00 avg60=0.00 avg300=0.00 total={}\n"
    tree.write("proc/pressure/cpu", line.format("some", 1_000_000) + line.format("full", 0))
    tree.write("proc/pressure/io", line.format("some", 0) + line.format("full", 0))
    times = iter((100.0, 102.0))

    def step(_):
        tree.write("proc/pressure/cpu", line.format("some", 1_500_000) + line.format("full", 0))
        tree.write("proc/pressure/io", line.format("some", 9_000_000) + line.format("full", 200_000))

    found = values(pressure.collect(tree.proc, sleep=step, clock=lambda: next(times)))
    assert found == {"cpu_pressure_some_ratio": 0.25, "io_pressure_some_ratio": 1.0, "io_pressure_full_ratio": 0.1}


def test_memory_in_bytes_and_shares(tree):
    page = os.sysconf("SC_PAGE_SIZE")
    assert values(memory.collect(tree.proc)) == {
        "memory_total_bytes": 8000 * 1024,
        "memory_available_bytes": 6000 * 1024,
        "memory_cached_bytes": 4000 * 1024,
        "memory_dirty_bytes": 12 * 1024,
        "memory_committed_bytes": 9000 * 1024,
        "memory_used_ratio": 0.25,
        "swap_total_bytes": 2000 * 1024,
        "swap_used_bytes": 500 * 1024,
        "swap_used_ratio": 0.25,
        "swap_read_bytes_total": 2 * page,
        "swap_written_bytes_total": 3 * page,
        "memory_major_faults_total": 11,
        "oom_kills_total": 4,
    }


def test_no_swap_has_no_share_and_no_count_of_kills_is_not_none_killed(tree):
    tree.write("proc/meminfo", MEMINFO.replace("2000 kB", "0 kB").replace("1500 kB", "0 kB"))
    tree.write("proc/vmstat", "pswpin 2\n")  # kernels before 4.13 do not count kills
    found = values(memory.collect(tree.proc))
    assert "swap_used_ratio" not in found
    assert "oom_kills_total" not in found


def test_live_memory_equals_psutil():
    found, other, swap = values(memory.collect()), psutil.virtual_memory(), psutil.swap_memory()
    assert found["memory_total_bytes"] == other.total
    assert found["memory_available_bytes"] == pytest.approx(other.available, rel=0.03)
    assert found["swap_total_bytes"] == swap.total


def test_real_mounts_once_each():
    found = {mount.point: mount for mount in real_mounts(MOUNTINFO.encode(), FILESYSTEMS.encode())}
    assert sorted(found) == ["/", "/broken", "/covered", "/mnt/with blank", "/nfs"]
    assert [point for point, mount in found.items() if mount.read_only] == ["/broken", "/mnt/with blank"]
    assert [point for point, mount in found.items() if mount.remote] == ["/nfs"]
    assert found["/covered"].device == "8:65", "the later mount hides the earlier"


def test_a_container_keeps_its_own_root_only():
    text = "1 0 0:40 / / rw - overlay overlay rw\n2 1 8:1 /docker/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
    assert [mount.point for mount in real_mounts(text.encode(), FILESYSTEMS.encode())] == ["/"]


def test_a_mount_point_may_be_any_bytes():
    text = rb"1 0 8:1 / /x\012y\134z" + b"\xff rw - ext4 /dev/sda1 rw\n"
    (mount,) = real_mounts(text, FILESYSTEMS.encode())
    assert os.fsencode(mount.point) == b"/x\ny\\z\xff"


def space(blocks=1000, free=300, available=200, files=100, free_files=25):
    return os.statvfs_result((4096, 4096, blocks, free, available, files, free_files, free_files, 0, 255))


def test_space_and_inodes_of_a_mount_and_counters_of_whole_disks(tree):
    found = values(disk.collect(tree.proc, tree.sys, statvfs=lambda _: space()))
    assert found["disk_total_bytes", "/"] == 1000 * 4096
    assert found["disk_used_bytes", "/"] == 700 * 4096
    assert found["disk_available_bytes", "/"] == 200 * 4096
    assert found["disk_used_ratio", "/"] == pytest.approx(700 / 900)
    assert (found["disk_inodes", "/"], found["disk_inodes_used", "/"]) == (100, 75)
    assert found["inodes_used_ratio", "/"] == 0.75
    assert (found["disk_read_only", "/"], found["disk_read_only", "/broken"]) == (0, 1)
    assert {device for metric, device in found if metric == "disk_io_seconds_total"} == {"sda", "cciss/c0d0"}
    assert found["disk_read_bytes_total", "sda"] == 2000 * 512
    assert found["disk_written_bytes_total", "sda"] == 4000 * 512
    assert (found["disk_reads_completed_total", "sda"], found["disk_writes_completed_total", "sda"]) == (100, 200)
    assert found["disk_io_seconds_total", "sda"] == 1.5


def test_a_file_system_without_inode_limit_has_no_inode_share(tree):
    found = values(disk.collect(tree.proc, tree.sys, statvfs=lambda _: space(files=0, free_files=0)))
    assert ("inodes_used_ratio", "/") not in found
    assert ("disk_used_ratio", "/") in found


def test_a_refusing_mount_is_down_and_absent_and_the_others_still_count(tree):
    def statvfs(point):
        if point == "/broken":
            raise OSError(5, "Input/output error")
        return space()

    found = values(disk.collect(tree.proc, tree.sys, statvfs=statvfs))
    assert found["disk_up", "/broken"] == 0
    assert ("disk_used_ratio", "/broken") not in found
    assert found["disk_up", "/"] == 1


def test_a_hung_network_mount_delays_one_tick_a_little_and_comes_back(tree):
    answer = threading.Event()
    asked = []

    def statvfs(point):
        if point == "/nfs":
            asked.append(point)
            answer.wait()
        return space()

    with Procfs(tree.proc) as proc:
        meter = disk.Meter(proc, tree.sys, statvfs=statvfs, patience=0.1)
        for limit in (0.5, 0.05):
            start = time.monotonic()
            found = values(meter())
            assert time.monotonic() - start < limit
            assert found["disk_up", "/nfs"] == 0
            assert ("disk_used_ratio", "/nfs") not in found
            assert found["disk_up", "/"] == 1
        assert len(asked) == 1, "the stuck one is not asked again"
        answer.set()
        time.sleep(0.05)
        assert values(meter())["disk_up", "/nfs"] == 1


def test_a_new_mount_is_seen(tree):
    with Procfs(tree.proc) as proc:
        meter = disk.Meter(proc, tree.sys, statvfs=lambda _: space())
        assert ("disk_up", "/new") not in values(meter())
        tree.write("proc/self/mountinfo", MOUNTINFO + "40 21 9:9 / /new rw - ext4 /dev/sdz rw\n")
        proc.forget()
        assert values(meter())["disk_up", "/new"] == 1


def test_live_disks_equal_psutil():
    found, usage = values(disk.collect()), psutil.disk_usage("/")
    assert found["disk_total_bytes", "/"] == usage.total
    assert found["disk_used_bytes", "/"] == pytest.approx(usage.used, rel=0.01)
    assert found["disk_used_ratio", "/"] * 100 == pytest.approx(usage.percent, abs=0.2)
    counters = psutil.disk_io_counters(perdisk=True)
    disks = {device for metric, device in found if metric == "disk_read_bytes_total"}
    assert disks
    for name in disks:
        assert found["disk_read_bytes_total", name] == pytest.approx(counters[name].read_bytes, rel=0.01)


def test_network_counters_by_interface(tree):
    found = values(network.collect(tree.proc, tree.sys))
    assert {device for metric, device in (key for key in found if isinstance(key, tuple))} == {"eth0", "eth1"}
    assert [found[f"network_receive_{what}_total", "eth0"] for what in ("bytes", "packets", "errors", "drops")] == [
        1000,
        10,
        1,
        2,
    ]
    assert [found[f"network_transmit_{what}_total", "eth0"] for what in ("bytes", "packets", "errors", "drops")] == [
        2000,
        20,
        3,
        4,
    ]
    assert (found["network_up", "eth0"], found["network_up", "eth1"]) == (1, 0)
    assert found["network_receive_bytes_total", "eth1"] == 5, "no blank after the colon"
    assert (found["tcp_connections"], found["tcp_sent_segments_total"], found["tcp_retransmitted_segments_total"]) == (
        7,
        90,
        5,
    )


def test_live_network_equals_psutil():
    found, counters, stats = values(network.collect()), psutil.net_io_counters(pernic=True), psutil.net_if_stats()
    nics = {key[1] for key in found if isinstance(key, tuple)}
    assert nics <= set(counters)
    for nic in nics:
        assert found["network_receive_bytes_total", nic] == pytest.approx(counters[nic].bytes_recv, rel=0.01, abs=1e5)
        assert found["network_up", nic] == stats[nic].isup


def test_processes_are_counted_and_zombies_once_a_minute(tree):
    tree.process(10, "/bin/a")
    tree.process(11, "/bin/b", comm="odd) Z (name", state="S")
    tree.process(12, "/bin/c", state="Z")
    now = [0.0]
    with Procfs(tree.proc) as proc:
        meter = processes.Meter(proc, clock=lambda: now[0])
        assert values(meter()) == {
            "process_count": 4,
            "thread_count": 456,
            "process_running_count": 3,
            "process_blocked_count": 2,
            "process_forks_total": 70,
            "process_zombie_count": 1,
        }
        now[0] = 30.0
        assert "process_zombie_count" not in values(meter())
        now[0] = 60.0
        assert values(meter())["process_zombie_count"] == 1


def test_a_live_zombie_is_counted():
    child = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    found = values(processes.collect())
    child.wait()
    assert found["process_zombie_count"] >= 1
    assert found["process_count"] == pytest.approx(len(psutil.pids()), rel=0.1)


def test_host_knows_its_uptime_and_files_and_says_nothing_of_an_unknowable_clock(tree):
    assert values(host.collect(tree.proc, clock=lambda: None)) == {
        "host_uptime_seconds": 1234.56,
        "host_open_files": 1000,
        "host_open_files_limit": 90000,
    }
    synchronised = values(host.collect(tree.proc, clock=lambda: host.Clock(synchronised=True, offset=-0.002)))
    assert (synchronised["clock_synchronised"], synchronised["clock_offset_seconds"]) == (1, -0.002)
    free = values(host.collect(tree.proc, clock=lambda: host.Clock(synchronised=False, offset=0.0)))
    assert free["clock_synchronised"] == 0
    assert "clock_offset_seconds" not in free


def test_live_host_equals_psutil():
    assert values(host.collect())["host_uptime_seconds"] == pytest.approx(time.time() - psutil.boot_time(), abs=3)


def test_the_clock_can_be_asked():
    clock = host.clock()
    assert clock is None or abs(clock.offset) < 10


NOT_THE_PROGRAM = {
    "the cron shell that runs its script": ("/bin/sh", "-c", "/opt/app/scripts/weekly.sh app"),
    "a script below its folder": ("/bin/bash", "/opt/app/scripts/weekly.sh"),
    "an editor": ("vim", "/etc/app"),
    "a tail of its log": ("tail", "-f", "/var/log/app"),
    "our own collector": ("python3", "-m", "healthkit.cli.resident"),
    "our own command": ("/usr/bin/python3", "/usr/bin/healthkit", "check", "app"),
}


@pytest.mark.parametrize("arguments", NOT_THE_PROGRAM.values(), ids=NOT_THE_PROGRAM)
def test_what_only_mentions_a_program_is_not_the_program(tree, arguments):
    tree.process(20, *arguments)
    assert values(program.count([Program("app", process="app")], tree.proc, own=999)) == {
        ("program_running_count", "app"): 0
    }


THE_PROGRAM = {
    "its executable": (("/opt/app/bin/app", "--serve"), None),
    "its kernel name": (("whatever",), "app"),
    "a Python script": (("/usr/bin/python3.11", "-u", "/opt/app/app.py"), None),
    "a Python module": (("python3", "-m", "app"), None),
    "a shell script": (("/bin/sh", "/usr/local/bin/app"), None),
    "a title it gave itself": (("app: master process /usr/sbin/app",), None),
    "a jar": (("java", "-Xmx1g", "-jar", "/opt/app"), None),
}


@pytest.mark.parametrize(("arguments", "comm"), THE_PROGRAM.values(), ids=THE_PROGRAM)
def test_a_program_goes_by_several_names(tree, arguments, comm):
    tree.process(20, *arguments, comm=comm)
    assert (
        values(program.count([Program("app", process="app")], tree.proc, own=999))["program_running_count", "app"] == 1
    )


def test_sums_over_the_processes_of_a_program(tree):
    tree.process(20, "/bin/app", ticks=(100, 50), pages=10, files=3)
    tree.process(21, "/bin/app", parent=20, ticks=(0, 50), pages=5, files=1)
    tree.process(22, "/bin/app", parent=20, state="Z")
    found = values(program.count([Program("web", process="app")], tree.proc, own=999))
    assert found == {
        ("program_running_count", "web"): 2,
        ("program_memory_bytes", "web"): 15 * os.sysconf("SC_PAGE_SIZE"),
        ("program_cpu_seconds_total", "web"): 200 / os.sysconf("SC_CLK_TCK"),
        ("program_open_files", "web"): 4,
    }


def test_a_pattern_finds_neither_us_nor_our_ancestors_nor_a_cron_shell(tree):
    tree.process(20, "/bin/sh", "-c", "/opt/app/run.sh")
    tree.process(30, "/bin/bash", "/opt/app/scripts/check.sh")
    tree.process(31, "python3", "/opt/app/checker.py", parent=30)
    tree.process(40, "/usr/bin/node", "/opt/app/server.js")
    found = values(program.count([Program("app", pattern="/opt/app/")], tree.proc, own=31))
    assert found["program_running_count", "app"] == 1


def test_a_proc_that_hides_others_cannot_count(tree):
    Path(tree.proc, "1", "stat").unlink()
    with pytest.raises(PermissionError, match="hides"):
        list(program.count([Program("app", process="app")], tree.proc, own=999))


def test_a_live_program_by_its_script(tmp_path):
    script = tmp_path / "hk-test-program.py"
    script.write_text("import sys; x = bytearray(30_000_000); print(1, flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        found = values(
            program.collect([Program("p", process="hk-test-program"), Program("none", process="hk-no-such")])
        )
        other = psutil.Process(child.pid)
        assert found["program_memory_bytes", "p"] == pytest.approx(other.memory_info().rss, rel=0.05)
        assert found["program_open_files", "p"] == other.num_fds()
        child.stdin.close()
    assert found["program_running_count", "p"] == 1
    assert found["program_running_count", "none"] == 0
    assert ("program_memory_bytes", "none") not in found


def test_a_file_is_read_once_a_tick_and_anew_after(tree):
    with Procfs(tree.proc) as proc:
        first = proc.read("uptime")
        tree.write("proc/uptime", "9999.00 1\n")
        assert proc.read("uptime") is first
        proc.forget()
        assert proc.read("uptime") == b"9999.00 1\n"


def test_a_long_table_is_read_whole(tree):
    table = b"x" * 200_000
    tree.write("proc/long", table)
    with Procfs(tree.proc) as proc:
        assert proc.read("long") == table


def test_number_finds_whole_keys_at_line_starts_only():
    text = b"a_oom_kill 1\noom_kill_x 2\noom_kill 3\nlast 4"
    assert number(text, b"oom_kill") == 3
    assert number(text, b"last") == 4
    assert number(text, b"a_oom_kill") == 1
    assert number(text, b"kill") is None


def test_tcp_numbers_are_of_this_host():
    before = values(network.collect())["tcp_sent_segments_total"]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x")
    assert values(network.collect())["tcp_sent_segments_total"] > before
