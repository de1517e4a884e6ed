"""Pending security updates, told from a real tree of apt's files."""

from __future__ import annotations

import lzma
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthkit.checks._debian import newer
from healthkit.findings import Severity

OK, INFO, UNKNOWN, WARNING, CRITICAL = Severity
SECURITY = "deb.debian.org_debian-security_dists_bookworm-security"
MAIN = "deb.debian.org_debian_dists_bookworm"


def stanza(name, version, **fields):
    head = {"Package": name, "Version": version, "Architecture": "amd64"} | fields
    return "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in head.items())


@pytest.fixture
def tree(tmp_path):
    """A host with openssl and two others installed, and two archives."""
    root = tmp_path / "root"
    lists = root / "var/lib/apt/lists"
    lists.mkdir(parents=True)
    (root / "etc/apt").mkdir(parents=True)
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    installed = [("openssl", "3.0.11-1"), ("security-tools", "1.0"), ("bash", "5.2")]
    stanzas = [stanza(name, version, Status="install ok installed") for name, version in installed]
    gone = stanza("removed", "1.0", Status="deinstall ok config-files")
    status.write_text("\n".join([*stanzas, gone]))
    release(lists, SECURITY, "Debian-Security", "stable-security")
    release(lists, MAIN, "Debian", "stable")
    packages(lists, SECURITY)
    packages(lists, MAIN)
    return root


def release(lists, name, label, suite, until=None):
    until = until or datetime.now(UTC) + timedelta(days=7)
    (lists / f"{name}_InRelease").write_text(
        f"-----BEGIN PGP SIGNED MESSAGE-----\n\nOrigin: Debian\nLabel: {label}\nSuite: {suite}\n"
        f"Codename: bookworm\nValid-Until: {until:%a, %d %b %Y %H:%M:%S} UTC\n"
    )


def packages(lists, name, *stanzas):
    (lists / f"{name}_main_binary-amd64_Packages").write_text("\n".join(stanzas))


@pytest.fixture
def judge(ask, tree):
    def judge(**others):
        found = ask("updates", root=tree, now=others.pop("now", datetime.now(UTC)), **others)
        return {finding.subject: finding for finding in found}

    return judge


def lists(tree):
    return tree / "var/lib/apt/lists"


def test_nothing_pending(judge):
    found = judge()
    assert {subject: finding.severity for subject, finding in found.items()} == {
        "package index": OK,
        "security updates": OK,
    }
    assert found["package index"].value < 1


def test_a_security_update_is_pending(judge, tree):
    packages(lists(tree), SECURITY, stanza("openssl", "3.0.15-1~deb12u1"), stanza("not-installed", "9"))
    pending = judge()["security updates"]
    assert (pending.severity, pending.value) == (WARNING, 1)
    assert pending.evidence["packages"] == {"openssl": {"from": "3.0.11-1", "to": "3.0.15-1~deb12u1"}}


def test_many_are_critical(judge, tree):
    status = tree / "var/lib/dpkg/status"
    names = [f"lib{i}" for i in range(6)]
    status.write_text("\n".join(stanza(name, "1.0", Status="install ok installed") for name in names))
    packages(lists(tree), SECURITY, *(stanza(name, "1.1") for name in names))
    assert judge()["security updates"].severity is CRITICAL


def test_a_package_is_not_a_security_update_by_its_name(judge, tree):
    """D47: grep matched `security` in the name of the package."""
    packages(lists(tree), MAIN, stanza("security-tools", "2.0"))
    assert judge()["security updates"].value == 0


def test_a_package_in_both_archives_counts(judge, tree):
    """D47: a package in two pockets was shown under one of them."""
    packages(lists(tree), MAIN, stanza("openssl", "3.0.16"))
    packages(lists(tree), SECURITY, stanza("openssl", "3.0.15"))
    assert judge()["security updates"].value == 1


def test_what_is_newer_than_the_fix_or_removed_is_not_pending(judge, tree):
    packages(lists(tree), SECURITY, stanza("bash", "5.2~rc1"), stanza("removed", "2.0"), stanza("openssl", "3.0.11-1"))
    assert judge()["security updates"].severity is OK


def test_an_index_that_was_never_fetched_knows_nothing(judge, tree):
    """D47: `apt list --upgradable` says nothing without an index, and nothing was read as `no updates`."""
    shutil.rmtree(lists(tree))
    found = judge()
    assert found["package index"].severity is UNKNOWN
    assert found["package index"].hint


def test_an_old_index_cannot_say_none(judge):
    """D47: the age of the cached index was unknown. By the time it was fetched, not by its mtime."""
    found = judge(now=datetime.now(UTC) + timedelta(days=4))
    assert found["package index"].severity is UNKNOWN
    assert found["package index"].value == pytest.approx(4, abs=0.01)
    assert found["security updates"].severity is UNKNOWN


def test_an_old_index_can_say_some(judge, tree):
    packages(lists(tree), SECURITY, stanza("openssl", "3.0.15-1~deb12u1"))
    assert judge(now=datetime.now(UTC) + timedelta(days=4))["security updates"].severity is WARNING


def test_an_archive_past_its_date_is_not_believed(judge, tree):
    release(lists(tree), SECURITY, "Debian-Security", "stable-security", until=datetime.now(UTC) - timedelta(days=1))
    found = judge()
    assert found["package index"].severity is UNKNOWN
    assert found["security updates"].severity is UNKNOWN


def test_without_a_security_archive_nobody_can_tell(judge, tree):
    (lists(tree) / f"{SECURITY}_InRelease").unlink()
    assert judge()["security updates"].severity is UNKNOWN


def test_another_system_is_unknown(judge, tree):
    shutil.rmtree(tree / "etc/apt")
    (finding,) = judge().values()
    assert finding.severity is UNKNOWN


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt")
def test_packed_lists_are_read_by_apt_itself(judge, tree):
    plain = lists(tree) / f"{SECURITY}_main_binary-amd64_Packages"
    plain.with_name(plain.name + ".xz").write_bytes(lzma.compress(stanza("openssl", "3.0.15").encode()))
    plain.unlink()
    assert judge()["security updates"].value == 1


def test_versions_of_the_manual():
    """deb-version(7): ~ sorts before the end, letters before other characters, numbers as numbers."""
    ordered = ["0~~", "0~~a", "0~", "0", "0a", "0+", "0.1", "0.9", "0.10", "0.10-1", "0.10-1+b1", "1:0"]
    assert all(newer(later, earlier) for earlier, later in pairwise(ordered))
    assert not any(newer(earlier, later) for earlier, later in pairwise(ordered))


VERSIONS = st.from_regex(r"\A([0-3]:)?[0-9][0-9a-zA-Z.+~]{0,6}(-[0-9a-zA-Z.+~]{1,4})?\Z")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("dpkg"), reason="needs dpkg")
@settings(max_examples=40)
@given(VERSIONS, VERSIONS)
def test_versions_are_ordered_as_dpkg_orders_them(one, other):
    """A second implementation: dpkg --compare-versions."""
    command = ["dpkg", "--compare-versions", one, "gt", other]
    assert newer(one, other) == (subprocess.run(command, check=False).returncode == 0)
