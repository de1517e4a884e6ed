"""Can every disk be written that should be? After an I/O error Linux remounts a file system read-only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthkit.findings import Finding, Severity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "resources"
WEIGHT = 2
LOCAL = False

METRIC = "disk_read_only"


def check(context: Context) -> Iterator[Finding]:
    """Mounts that are read-only now, except those that `/etc/fstab` asks to be so."""
    mounts = context.latest(METRIC)
    if not mounts:
        yield context.unmeasured("read_only", "disks", METRIC)
    meant = _meant_read_only(context) if context.local else {}
    for mount, flag in sorted(mounts.items()):
        bad = flag.value > 0 and mount not in meant
        yield Finding(
            "read_only",
            Severity.CRITICAL if bad else Severity.OK,
            mount,
            "read-only" + ("" if bad else ", as /etc/fstab says") if flag.value > 0 else "can be written",
            value=flag.value,
            evidence={"threshold": 0, "fstab": meant.get(mount), "source": f"samples: {METRIC}"},
            hint=f"See why (dmesg | grep -i 'remount'), check the disk, then mount -o remount,rw {mount}."
            if bad
            else "",
            ts=flag.ts,
        )


def _meant_read_only(context: Context) -> dict[str, str]:
    """Mount point and options of what fstab(5) mounts read-only."""
    try:
        lines = context.path("/etc/fstab").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    fields = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    octal = {r"\040": " ", r"\011": "\t", r"\134": "\\"}
    meant = {f[1]: f[3] for f in fields if len(f) >= 4 and "ro" in f[3].split(",")}
    for code, char in octal.items():
        meant = {mount.replace(code, char): options for mount, options in meant.items()}
    return meant
