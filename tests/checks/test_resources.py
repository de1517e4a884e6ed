"""CPU, memory, swap, disks: judged by samples."""

from __future__ import annotations

from datetime import timedelta

import pytest

from healthkit.config import Collect, Duration, Limits
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity


def severities(findings):
    return {finding.subject: finding.severity for finding in findings}


@pytest.mark.parametrize(
    "name",
    ["cpu", "memory", "swap", "oom", "disk", "inodes", "read_only", "headroom", "performance", "freshness", "clock"],
)
def test_nothing_measured_is_unknown(ask, name):
    """D27: a missing measurement is not a bad one, and not a good one."""
    findings = ask(name)
    assert findings.worst is UNKNOWN
    assert all(finding.message for finding in findings)


def test_old_samples_do_not_speak_of_now(ask, worlds):
    old = worlds.sampled("memory_used_ratio", [0.2] * 60, end=worlds.NOW - timedelta(hours=2))
    assert ask("memory", old).worst is UNKNOWN


def test_of_another_host_no_sample_counts(ask, worlds):
    assert ask("memory", worlds.sampled("memory_used_ratio", [0.2] * 60, host="db-1")).worst is UNKNOWN


@pytest.mark.parametrize(("busy", "severity"), [(0.5, OK), (0.85, WARNING), (1.0, CRITICAL)])
def test_cpu_at_full_load_is_judged_not_broken(ask, worlds, busy, severity):
    """D03: at 100 % the old command read the word `us,` instead of a number."""
    assert ask("cpu", worlds.sampled("cpu_busy_ratio", [busy] * 60)).worst is severity


def test_cpu_time_in_the_system_counts(ask, worlds):
    """D04: only `us` was read; 80 % in the system was idle to it."""
    samples = [
        worlds.sampled("cpu_user_ratio", [0.05] * 60),
        worlds.sampled("cpu_system_ratio", [0.9] * 60),
        worlds.sampled("cpu_busy_ratio", [0.96] * 60),
    ]
    assert ask("cpu", *samples).worst is CRITICAL


def test_cpu_stolen_and_waiting_are_findings_of_their_own(ask, worlds):
    """D04: steal and iowait were not counted."""
    samples = [
        worlds.sampled("cpu_busy_ratio", [0.2] * 60),
        worlds.sampled("cpu_iowait_ratio", [0.5] * 60),
        worlds.sampled("cpu_steal_ratio", [0.4] * 60),
    ]
    assert severities(ask("cpu", *samples)) == {
        "CPU stolen": CRITICAL,
        "CPU waiting for disks": WARNING,
        "CPU busy": OK,
    }


def test_cpu_is_the_mean_of_an_hour_not_one_glance(ask, worlds):
    """D04: `top -bn1` looks once."""
    (finding,) = ask("cpu", worlds.sampled("cpu_busy_ratio", [0.1] * 59 + [1.0]))
    assert finding.severity is OK
    assert finding.value == pytest.approx((59 * 0.1 + 1) / 60)
    assert finding.evidence["n"] == 60


def test_twenty_seconds_are_not_called_an_hour_and_wake_nobody(ask, worlds):
    (finding,) = ask("cpu", worlds.sampled("cpu_busy_ratio", [1.0] * 21, every=1))
    assert "the last 20\u00a0s" in finding.message
    assert finding.severity is WARNING
    assert ask("cpu", worlds.sampled("cpu_busy_ratio", [1.0])).worst is WARNING
    assert ask("cpu", worlds.sampled("cpu_busy_ratio", [1.0] * 6)).worst is CRITICAL


def test_limits_come_from_the_configuration(ask, worlds):
    samples = worlds.sampled("cpu_busy_ratio", [0.5] * 60)
    assert ask("cpu", samples, limits=Limits(cpu=0.4)).worst is WARNING


def test_memory_counts_what_is_available(ask, worlds):
    """D40: used/total of `free` ignores what can be given back; ours is 1 - available/total, and pressure counts."""
    samples = [worlds.sampled("memory_used_ratio", [0.3] * 60), worlds.sampled("memory_available_bytes", [7e9] * 60)]
    (finding,) = ask("memory", *samples)
    assert finding.severity is OK
    assert finding.evidence["available_bytes"] == 7e9


@pytest.mark.parametrize(
    ("counter", "kills", "severity"),
    [([5, 5, 5], 0, OK), ([5, 6, 6], 1, WARNING), ([5, 7, 9], 4, CRITICAL), ([5, 0, 1], 1, WARNING)],
)
def test_killed_for_lack_of_memory(ask, worlds, counter, kills, severity):
    """D40: OOM kills were unseen. A reboot starts the counter again and is no kill."""
    (finding,) = ask("oom", worlds.sampled("oom_kills_total", counter))
    assert (finding.value, finding.severity) == (kills, severity)


def test_no_swap_is_not_applicable(ask, worlds):
    (finding,) = ask("swap", worlds.sampled("swap_total_bytes", [0]))
    assert finding.evidence["applicable"] is False


def test_swap(ask, worlds):
    samples = [worlds.sampled("swap_total_bytes", [1e9]), worlds.sampled("swap_used_ratio", [0.7])]
    assert ask("swap", *samples).worst is WARNING


def test_pressure_of_memory(ask, worlds, tmp_path):
    """D40: pressure was unseen."""
    (tmp_path / "root/proc/pressure").mkdir(parents=True)
    metrics = {"cpu_pressure_some_ratio": 0.1, "memory_pressure_full_ratio": 0.3, "io_pressure_full_ratio": 0.0}
    samples = [worlds.sampled(metric, [value] * 60) for metric, value in metrics.items()]
    assert severities(ask("pressure", *samples)) == {"memory": CRITICAL, "cpu": OK, "io": OK}
    briefly = [worlds.sampled(metric, [value] * 3) for metric, value in metrics.items()]
    assert severities(ask("pressure", *briefly)) == {"memory": WARNING, "cpu": OK, "io": OK}


def test_a_kernel_without_pressure_is_not_applicable(ask):
    (finding,) = ask("pressure")
    assert finding.evidence["applicable"] is False


def test_every_mount_is_judged(ask, worlds):
    """D35, D36: only `/` was looked at, by splitting the columns of `df -h`."""
    samples = [
        worlds.sampled("disk_used_ratio", [0.4], "/"),
        worlds.sampled("disk_used_ratio", [0.97], "/backup"),
        worlds.sampled("disk_used_ratio", [0.85], "/var with a blank\nand a line feed"),
    ]
    findings = ask("disk", *samples)
    assert severities(findings) == {
        "/": OK,
        "/backup": CRITICAL,
        "/var with a blank\nand a line feed": WARNING,
    }


def test_a_disk_without_inodes_is_full(ask, worlds):
    """D35: inodes were never counted."""
    samples = [worlds.sampled("disk_used_ratio", [0.2], "/"), worlds.sampled("inodes_used_ratio", [0.99], "/")]
    assert ask("inodes", *samples).worst is CRITICAL
    assert ask("disk", *samples).worst is OK


def test_file_systems_without_inodes_are_not_applicable(ask, worlds):
    (finding,) = ask("inodes", worlds.sampled("disk_used_ratio", [0.2], "/"))
    assert finding.evidence["applicable"] is False


def test_a_disk_that_became_read_only(ask, worlds, tmp_path):
    """D35: read-only remounts were unseen. What fstab wants read-only is as it should be."""
    fstab = tmp_path / "root/etc/fstab"
    fstab.parent.mkdir(parents=True)
    fstab.write_text("# comment\nUUID=1 /boot\\040old ext4 ro,noatime 0 2\nUUID=2 /data ext4 errors=remount-ro 0 2\n")
    samples = [
        worlds.sampled("disk_read_only", [1], "/boot old"),
        worlds.sampled("disk_read_only", [1], "/data"),
        worlds.sampled("disk_read_only", [0], "/"),
    ]
    assert severities(ask("read_only", *samples)) == {"/data": CRITICAL, "/boot old": OK, "/": OK}


def test_days_until_full(ask, worlds):
    """D21: 1 % a day is 1 % a day; with two of three days missing the old slope was three times that."""
    used = worlds.sampled("disk_used_ratio", [0.8], "/")
    days = worlds.daily("disk_used_ratio", [0.52 + 0.01 * i for i in range(28)], "/")
    sparse = days.iloc[::3]
    for history in (days, sparse):
        (finding,) = ask("headroom", used, history=[history])
        assert finding.value == pytest.approx(20, rel=0.01)
        assert finding.message.startswith("100\u00a0% full in 20 days")
        assert finding.severity is WARNING


def test_a_clean_up_does_not_hide_the_growth(ask, worlds):
    used = worlds.sampled("disk_used_ratio", [0.90], "/")
    sawtooth = [0.60 + 0.02 * i for i in range(14)] + [0.64 + 0.02 * i for i in range(14)]
    (finding,) = ask("headroom", used, history=[worlds.daily("disk_used_ratio", sawtooth, "/")])
    assert finding.severity is WARNING
    assert 0.006 < finding.evidence["slope_ratio_per_day"] < 0.02  # between net growth and growth without the clean-up


def test_no_growth_is_no_date(ask, worlds):
    used = worlds.sampled("disk_used_ratio", [0.5], "/")
    (finding,) = ask("headroom", used, history=[worlds.daily("disk_used_ratio", [0.5] * 28, "/")])
    assert (finding.severity, finding.value, finding.message) == (OK, None, "does not grow")
    slow = worlds.daily("disk_used_ratio", [0.5 + 1e-5 * day for day in range(27)], "/")
    (finding,) = ask("headroom", used, history=[slow])
    assert (finding.severity, finding.value) == (OK, None)
    assert finding.message == "not full within ten years, at the growth of the last 27 days"


def test_six_days_tell_no_growth(ask, worlds):
    """D22: thirty files gave a growth of exactly 0, whatever was in them."""
    used = worlds.sampled("disk_used_ratio", [0.5], "/")
    (finding,) = ask("headroom", used, history=[worlds.daily("disk_used_ratio", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "/")])
    assert finding.severity is UNKNOWN
    assert (finding.evidence["n"], finding.evidence["needed"]) == (6, 7)


@pytest.mark.parametrize(("now", "severity"), [(0.30, OK), (0.70, WARNING)])
def test_busier_than_usual(ask, worlds, now, severity):
    usual = [0.3 + 0.01 * (i % 3) for i in range(28)]
    samples = [worlds.sampled("cpu_busy_ratio", [now] * 600), worlds.sampled("memory_used_ratio", [0.4] * 600)]
    history = [worlds.daily("cpu_busy_ratio", usual), worlds.daily("memory_used_ratio", [0.4] * 28)]
    findings = severities(ask("performance", *samples, history=history))
    assert findings == {"CPU busy": severity, "Memory used": OK}


def test_a_new_host_has_no_usual(ask, worlds):
    samples = [worlds.sampled("cpu_busy_ratio", [0.5] * 60), worlds.sampled("memory_used_ratio", [0.4] * 60)]
    assert set(severities(ask("performance", *samples)).values()) == {UNKNOWN}


def test_freshness_and_gaps(ask, worlds):
    whole = worlds.sampled("load1", [1.0] * 1440)
    assert ask("freshness", whole).worst is OK
    holes = whole[(whole.index < 500) | (whole.index > 700)]
    found = severities(ask("freshness", holes))
    assert found == {"gaps": WARNING, "newest sample": OK}


def test_a_stopped_collector_is_seen(ask, worlds):
    for hours, severity in ((0.5, WARNING), (3, CRITICAL), (30, UNKNOWN)):
        stopped = worlds.sampled("load1", [1.0] * 60, end=worlds.NOW - timedelta(hours=hours))
        assert ask("freshness", stopped).worst is severity


def test_a_slow_rhythm_is_no_gap(ask, worlds):
    samples = worlds.sampled("load1", [1.0] * 48, every=1800, end=worlds.NOW - timedelta(minutes=20))
    assert ask("freshness", samples, collect=Collect(every=Duration(1800))).worst is OK


def test_a_failed_collector_is_unknown_not_an_old_value(ask, worlds):
    samples = [
        worlds.sampled("collector_up", [1, 1, 0], "disk"),
        worlds.sampled("collector_up", [1, 1, 1], "cpu"),
        worlds.sampled("collector_up", [1, 1, 1], "network", end=worlds.NOW - timedelta(hours=3)),
    ]
    found = ask("collectors", *samples)
    assert severities(found) == {"disk": UNKNOWN, "network": UNKNOWN, "cpu": OK}
    (silent,) = [finding for finding in found if finding.subject == "network"]
    last = samples[2]["ts"].max()
    assert silent.message.startswith(f"has not reported since {last:%Y-%m-%d %H:%M} UTC: ")
    assert silent.value is None


def test_the_clock(ask, worlds):
    samples = [worlds.sampled("clock_synchronised", [0]), worlds.sampled("clock_offset_seconds", [-42.0])]
    assert severities(ask("clock", *samples)) == {"offset": CRITICAL, "synchronised": WARNING}
