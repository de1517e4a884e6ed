"""Worlds for planning: a host's daily numbers, a file tree that an audit has nothing to say about, and its tools."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from healthkit.checks._context import NOT_INSTALLED, run_tool
from healthkit.store import write_samples

SECURITY = "deb.debian.org_debian-security_dists_bookworm-security"
GUARDED = {
    "nftables": [
        {"chain": {"family": "inet", "table": "filter", "name": "input", "hook": "input", "policy": "drop"}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"accept": None}]}},
    ]
}
SAFE = {"dependencies": [{"name": "flask", "version": "3.0.0", "vulns": []}]}


def history(home, series, *, end, host="web-1", a_day=4):
    """Write *a_day* equal samples for each daily value; the last value is yesterday's, NaN = not measured.

    series: values by (metric, device).
    """
    midnight = datetime(end.year, end.month, end.day, tzinfo=UTC)
    rows = []
    for (metric, device), values in series.items():
        for i, value in enumerate(values):
            day = midnight - timedelta(days=len(values) - i)
            if np.isfinite(value):
                rows += [
                    (day + timedelta(hours=24 / a_day * k), host, metric, device, float(value)) for k in range(a_day)
                ]
    frame = pd.DataFrame(rows, columns=["ts", "host", "metric", "device", "value"])
    write_samples(home, frame.assign(ts=pd.to_datetime(frame["ts"], utc=True).astype("datetime64[ms, UTC]")))


def stanza(name, version, **fields):
    head = {"Package": name, "Version": version, "Architecture": "amd64"} | fields
    return "".join(f"{key}: {value}\n" for key, value in head.items())


def sound_root(root):
    """A Debian without a fault: users, sudoers, keys, an apt index, package lists, and a log of logins."""
    files = {
        "etc/passwd": "root:x:0:0::/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\nwww:x:33:33::/:/usr/sbin/nologin\n",
        "etc/shadow": "root:*:1::::::\nanna:$y$abc:1::::::\nwww:*:1::::::\n",
        "etc/group": "root:x:0:\nsudo:x:27:anna\n",
        "etc/sudoers": "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n",
        "etc/ssh/ssh_host_ed25519_key": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION="12 (bookworm)"\n',
        "etc/apt/sources.list": "",
        "usr/bin/su": "#!",
        "var/lib/dpkg/info/util-linux.list": "/.\n/bin\n/bin/su\n",
        "var/lib/dpkg/status": "\n".join(
            stanza(n, "1.0", Status="install ok installed") for n in ("openssl", "bash", "zlib")
        ),
        "var/log/auth.log": "",
        f"var/lib/apt/lists/{SECURITY}_main_binary-amd64_Packages": "",
    }
    until = datetime.now(UTC) + timedelta(days=7)
    files[f"var/lib/apt/lists/{SECURITY}_InRelease"] = (
        f"Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nValid-Until: {until:%a, %d %b %Y %H:%M:%S} UTC\n"
    )
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    for name, mode in (
        ("etc/shadow", 0o640),
        ("etc/sudoers", 0o440),
        ("etc/ssh/ssh_host_ed25519_key", 0o600),
        ("usr/bin/su", 0o4755),
    ):
        (root / name).chmod(mode)


class Tools:
    """The host's programs: what nft, pip-audit and pip say is given, openssl is real, the rest is not installed."""

    def __init__(self, *, nft=GUARDED, audit=SAFE, outdated=(), without=()):
        self.answers = {"nft": nft, "pip_audit": audit, "list": list(outdated), "install": ""}
        self.without = set(without)

    def __call__(self, args, *, timeout, stdin=""):
        name = next((word for word in self.answers if word in args or f"{word}".replace("_", "-") in args), args[0])
        if name in self.without or (name not in self.answers and name != "openssl"):
            raise FileNotFoundError(2, NOT_INSTALLED, args[0])
        if name == "openssl":
            return run_tool(args, timeout=timeout, stdin=stdin)
        return subprocess.CompletedProcess(args, 0, json.dumps(self.answers[name]), "")


def certificate(path, days):
    """A self-signed certificate with so many days left; its key is thrown away."""
    lost = path.with_suffix(".lost")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(lost)]
    command = ["openssl", "req", "-x509", *key, "-subj", "/CN=localhost", "-days", str(days), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    lost.unlink()
    path.chmod(0o644)
