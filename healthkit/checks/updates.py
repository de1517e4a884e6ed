"""Are security updates pending, and how fresh is the index that says so?

An index that was never or long ago fetched knows of no update: that is UNKNOWN, not "none". The archives' own indices
are compared with what is installed: by the archive's label, never by a package's name; also where a package lies in
two archives, is pinned or on hold. That needs no resolver, and takes a tenth of the time of `apt-get --simulate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from healthkit.checks._debian import newer
from healthkit.findings import Finding, Severity
from healthkit.quantities import listed, quantity

if TYPE_CHECKING:
    from healthkit.checks import Context

COMPONENT = "security"
WEIGHT = 3

CRITICAL = 6
"""Pending security updates from which the runbook's score had no more to lose."""
REFRESH = "Fetch the index (apt-get update) and have it fetched daily (apt install unattended-upgrades)."


class _Archive(NamedTuple):
    """One archive's index, as apt fetched it."""

    release: Path
    fetched: datetime
    valid_until: datetime | None
    security: bool

    @property
    def packages(self) -> list[Path]:
        """Its lists of packages, compressed or not."""
        prefix = re.sub(r"(In)?Release\Z", "", self.release.name)
        found = self.release.parent.glob(f"{prefix}*_Packages*")
        return sorted(path for path in found if re.search(r"_Packages(\.\w+)?\Z", path.name))


def check(context: Context) -> Iterator[Finding]:
    """Age of apt's index, and what the security archives have newer than what is installed. Changes nothing."""
    if not context.path("/etc/apt").is_dir():
        hint = "Only apt is known here; watch the updates of this system by its own means."
        yield Finding("updates", Severity.UNKNOWN, "updates", "this system does not use apt", hint=hint)
        return
    lists = context.path("/var/lib/apt/lists")
    archives = [_archive(path) for path in sorted(lists.glob("*Release")) if path.is_file()]
    if not archives:
        message = "the package index was never fetched"
        yield Finding("updates", Severity.UNKNOWN, "package index", message, hint=REFRESH)
        return
    age = _index(context, archives)
    yield age
    yield _pending(context, archives, trusted=age.severity is Severity.OK)


def _archive(release: Path) -> _Archive:
    """What an archive says of itself.

    A refresh renames its file anew, also an unchanged one: the ctime is when it was last fetched, while the mtime is
    when the archive made it.

    Source: https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files
    """
    with release.open(encoding="utf-8", errors="replace") as file:
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", file.read(8192), re.MULTILINE))
    until = None
    if "Valid-Until" in fields:
        try:
            until = parsedate_to_datetime(fields["Valid-Until"].replace(" UTC", " +0000"))
        except ValueError:
            until = None
    suites = (fields.get("Suite", ""), fields.get("Codename", ""))
    security = fields.get("Label") == "Debian-Security" or any(suite.endswith("-security") for suite in suites)
    fetched = datetime.fromtimestamp(release.stat().st_ctime, UTC)
    return _Archive(release, fetched, until if until and until.tzinfo else None, security)


def _index(context: Context, archives: list[_Archive]) -> Finding:
    """How long ago the longest untouched archive was fetched, and whether one is past what its maker vouches for."""
    oldest = min(archives, key=lambda archive: archive.fetched)
    age = context.now - oldest.fetched
    allowed = timedelta(seconds=float(context.config.security.index_age))
    expired = {a.release.name: a.valid_until for a in archives if a.valid_until and a.valid_until < context.now}
    message = f"fetched {quantity(max(age.total_seconds(), 0), 'seconds')} ago"
    if expired:
        message = f"{len(expired)} of {len(archives)} archives are past their Valid-Until: later updates are not seen"
    elif age > allowed:
        message = f"the oldest of {len(archives)} archives was {message}: later updates are not seen"
    stale = bool(expired) or age > allowed
    return Finding(
        "updates",
        Severity.UNKNOWN if stale else Severity.OK,
        "package index",
        message,
        value=age.total_seconds() / 86400,
        unit="days",
        evidence={
            "threshold": allowed.total_seconds() / 86400,
            "fetched": {archive.release.name: archive.fetched.isoformat() for archive in archives},
            "expired": {name: until.isoformat() for name, until in expired.items()},
            "source": str(oldest.release),
        },
        hint=REFRESH if stale else "",
    )


def _pending(context: Context, archives: list[_Archive], *, trusted: bool) -> Finding:
    """What the security archives have newer than what is installed."""
    lists = [path for archive in archives if archive.security for path in archive.packages]
    if not lists:
        message = "no security archive is among the sources"
        hint = "Add it: deb http://security.debian.org/debian-security <release>-security main."
        return Finding("updates", Severity.UNKNOWN, "security updates", message, hint=hint)
    installed = _installed(context.path("/var/lib/dpkg/status"))
    pending: dict[str, dict[str, str]] = {}
    for path in lists:
        for stanza in _read(context, path).split("\n\n"):
            name, version, arch = _identity(stanza)
            have = installed.get((name, arch))
            if have and newer(version, have) and newer(version, pending.get(name, {}).get("to", have)):
                pending[name] = {"from": have, "to": version}
    return _judged(pending, [str(path) for path in lists], trusted=trusted)


def _judged(pending: Mapping[str, Mapping[str, str]], lists: list[str], *, trusted: bool) -> Finding:
    count = len(pending)
    severity = Severity.OK if trusted else Severity.UNKNOWN
    message = "none pending" if trusted else "none pending as far as the old index knows"
    if count:
        severity = Severity.CRITICAL if count >= CRITICAL else Severity.WARNING
        message = f"{count} pending: {listed(sorted(pending), 5)}"
    evidence = {"threshold": 0, "critical": CRITICAL, "packages": dict(pending), "source": ", ".join(lists)}
    hint = "Install them: apt-get upgrade; or let unattended-upgrades do it."
    return Finding(
        "updates",
        severity,
        "security updates",
        message,
        value=float(count),
        evidence=evidence,
        hint=hint if count else "" if trusted else REFRESH,
    )


def _identity(stanza: str) -> tuple[str, str, str]:
    fields = dict(re.findall(r"^(Package|Version|Architecture): (\S+)", stanza, re.MULTILINE))
    return fields.get("Package", ""), fields.get("Version", ""), fields.get("Architecture", "")


def _installed(status: Path) -> dict[tuple[str, str], str]:
    """Version of every installed package, by name and architecture, from dpkg's own list."""
    stanzas = status.read_text(encoding="utf-8", errors="replace").split("\n\n")
    present = [stanza for stanza in stanzas if re.search(r"^Status: \S+ \S+ installed$", stanza, re.MULTILINE)]
    return {(name, arch): version for name, version, arch in map(_identity, present)}


def _read(context: Context, path: Path) -> str:
    """A list of packages; apt unpacks what it has packed itself (lz4, xz, ...)."""
    if path.name.endswith("_Packages"):  # `suffix` would take a host's name for one
        return path.read_text(encoding="utf-8", errors="replace")
    result = context.tool("/usr/lib/apt/apt-helper", "cat-file", str(path))
    if result.returncode:
        raise OSError(5, result.stderr.strip() or "apt-helper failed", str(path))
    return result.stdout
