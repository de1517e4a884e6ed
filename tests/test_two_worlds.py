"""D45: 'Current resource usage is within acceptable limits' was written without a look.

Worlds that differ in everything are reported on: one quiet, one full, one of two hosts with gaps, fresh samples, earlier
reports and earlier forecasts. A sentence that all of them have in common says nothing about any, so it must not claim
anything: what is common is compared with a list of labels and of commands.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from planning_worlds import Tools, certificate, history, sound_root

import healthkit as hk
from healthkit import reports as reporting
from healthkit import sections
from healthkit.checklists import definitions, sign
from healthkit.config import Alerting, Application, Collect, Config, Database, Duration, Limits, Security, Service
from healthkit.ledger import predictions, record
from healthkit.state import State

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")]

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CADENCES = {"monthly": "2026-10", "quarterly": "2026-Q4"}
NOW = datetime(2026, 11, 4, 2, tzinfo=UTC)
PROCEDURES = (
    "optimization_review", "configuration_review", "capacity_plan", "security_audit", "architecture_review",
    "host_benchmark", "database_maintenance",
)  # fmt: skip
COMMON = re.compile(
    r"""
    [-=\s]*$                                            # rules and blank lines
    | [A-Z][A-Za-z ]+:$                                 # the name of a group, the heading of a list
    | (Period|Reviewed|healthkit):\ .*                  # of all
    | (Unknown|unknown):\ .*\bdr_drill\b.*               # true of all, with the command
    | (Start|See|Run|Install|Name)\ .*                   # what to do about it
    | \[\ \]\ .*                                        # an item of the list: a question, its owner and its date
    | [a-z-]+\ 2026-\w+:\ 0\ of\ \d+\ signed\ off;.*    # a list that nobody signed
    | \d+\ of\ \d+\ items\ are\ overdue\..*
    """,
    re.VERBOSE,
)
"""What reports may have in common."""


def rising(first, last, days=100, noise=0.004, seed=0):
    return np.linspace(first, last, days) + np.random.default_rng(seed).normal(0, noise, days)


def make(top, host, series, config, *, tools, score, signs, fault):
    """A home with history, checks, runs of every procedure, and sign-offs."""
    home, root = top / "home", top / "root"
    sound_root(root)
    for folder in (top / "opt", top / "etc", home / "config"):
        folder.mkdir(parents=True, exist_ok=True)
    fault(top)
    application = Application(directory=str(top / "opt"), config=str(top / "etc"))
    config = Config(host=host, application=application, **config(top))
    history(home, series, end=NOW, host=host, a_day=24)
    (home / "config/healthkit.yaml").write_text(f"collect: {{every: {config.collect.every:g}s}}\n")
    with State(home) as state:
        for day in range(100):
            at = NOW - timedelta(days=day)
            found = [{"check": f"check of {host}", "subject": host, "severity": "warning"}] if day < signs * 7 else []
            state.record_health_report(
                {"overall_score": score + day % 3, "coverage": 0.9, "findings": found}, host=host, now=at
            )
    with mock.patch("os.getloadavg", return_value=(signs / 10, 0.0, 0.0)):  # this machine's may be the same in both
        for name in PROCEDURES:
            hk.run(
                name, home, config=config, now=NOW - timedelta(hours=signs), dry_run=False, root=str(root), run=tools
            )
    for item in definitions(home)["architecture"].items[:signs]:
        sign(home, "architecture", definitions(home)["architecture"], item.id, who=host, now=NOW - timedelta(hours=1))
    return home


def calm(top):
    (top / "etc/production.yaml").write_text("health_monitoring: {check_interval: 900}\n")


def careless(top):
    (top / "etc/production.yaml").write_text("test_execution: {parallel: true, timeout: 9000}\n")
    certificate(top / "etc/server.pem", 3)
    (top / "opt/open").mkdir()
    (top / "opt/open").chmod(0o777)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    import sqlite3
    from contextlib import closing

    top = [tmp_path_factory.mktemp(name) for name in ("quiet", "full")]
    with closing(sqlite3.connect(top[1] / "shop.db")) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 2000)
        db.commit()
    quiet = {
        ("cpu_busy_ratio", ""): rising(0.2, 0.2), ("memory_used_ratio", ""): rising(0.3, 0.3),
        ("disk_used_ratio", "/"): rising(0.1, 0.11), ("cpu_pressure_some_ratio", ""): rising(0.02, 0.02, noise=0.001),
        ("http_response_seconds", "shop"): rising(0.1, 0.1), ("http_up", "shop"): np.ones(100),
        ("collector_up", "cpu"): np.ones(100),
    }  # fmt: skip
    full = {
        ("cpu_busy_ratio", ""): rising(0.5, 0.75), ("memory_used_ratio", ""): rising(0.5, 0.82)[:90],
        ("disk_used_ratio", "/var"): rising(0.4, 0.79), ("disk_total_bytes", "/var"): np.full(100, 1e12),
        ("http_response_seconds", "mail"): rising(1, 4.9), ("http_up", "mail"): np.r_[np.zeros(5), np.ones(95)],
        ("swap_used_ratio", ""): rising(0.1, 0.4),
    }  # fmt: skip
    newer = [{"name": "x", "version": "1", "latest_version": "2"}]
    return (
        make(top[0], "anna", quiet, lambda _: {"services": (Service(name="shop", url="http://localhost:1/"),), "security": Security(ports=())},
             tools=Tools(), score=95, signs=2, fault=calm),
        make(top[1], "bob", full, lambda t: {"limits": Limits(cpu=0.6), "databases": (Database(name="shop", path=str(t / "shop.db")),)},
             tools=Tools(nft={"nftables": []}, without={"pip_audit", "install"}, outdated=newer), score=60, signs=5, fault=careless),
        _other(tmp_path_factory.mktemp("other")),
    )  # fmt: skip


def _other(top):
    """Two hosts that were reported on before, with gaps, and samples up to now."""
    days = 80
    series = {
        ("cpu_busy_ratio", ""): rising(0.4, 0.1, days), ("memory_used_ratio", ""): rising(0.6, 0.2, days),
        ("disk_used_ratio", "/data"): rising(0.9, 0.91, days), ("inodes_used_ratio", "/data"): rising(0.2, 0.3, days),
        ("swap_used_ratio", ""): rising(0.01, 0.02, days), ("http_up", "api"): np.ones(days),
        ("http_response_seconds", "api"): rising(0.5, 0.6, days), ("collector_seconds", "cpu"): np.full(days, 700.0),
        ("collector_up", "cpu"): np.ones(days),
    }  # fmt: skip
    for values in series.values():
        values[40:47] = np.nan
    config = {"collect": Collect(every=Duration(6 * 3600)), "alerting": Alerting(webhook="http://localhost:1/")}
    history(top / "home", {key: values[:60] for key, values in series.items()}, end=NOW, host="dora", a_day=12)
    history(
        top / "home",
        {key: values[-1:] for key, values in series.items()},
        end=NOW + timedelta(days=1),
        host="carl",
        a_day=24,
    )
    early = {"config": Config(host="carl"), "root": str(top / "none"), "run": Tools()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))  # a run in a busy hour is nothing to compare with
        for name in ("security_audit", "host_benchmark"):
            hk.run(name, top / "home", now=NOW - timedelta(days=62), **early)
    home = make(top, "carl", series, lambda _: config, tools=Tools(without={"openssl"}), score=80, signs=4, fault=calm)
    for cadence, period, earlier in (("monthly", "2026-08", "2026-09"), ("quarterly", "2026-Q3", "2026-Q3")):
        with State(home) as state:
            detail = {"findings": [["carl", "disk", "/old", "warning"]]}
            state.record("reports", {"ts": NOW - timedelta(days=30), "name": cadence, "period": earlier, "scope": "all hosts",
                                     "score": 42.0, "coverage": 0.9, "worst": "warning", "detail": detail})  # fmt: skip
        then = hk.review(home, cadence, period=period, now=datetime(2026, 10, 2, tzinfo=UTC))
        record(home, predictions(then.capacity))
    return home


def shown(cadence):
    """The sections of a notebook, in order."""
    return re.findall(r"^sections\.(\w+)\(", (NOTEBOOKS / f"{cadence}.py").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def reports(worlds):
    """{cadence: {section: its text in each world}}"""
    found = {}
    for cadence, period in CADENCES.items():
        reviews = [hk.review(home, cadence, period=period, now=NOW) for home in worlds]
        found[cadence] = {name: tuple(str(getattr(sections, name)(one)) for one in reviews) for name in shown(cadence)}
    return found


def sentences(text):
    return [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]


def in_all(texts):
    """The sentences that all texts have."""
    first, *others = map(sentences, texts)
    return [line for line in first if all(line in other for other in others)]


@pytest.mark.parametrize("cadence", CADENCES)
def test_no_sentence_of_a_report_is_a_constant_claim(reports, cadence):
    constant = {}
    for name, texts in reports[cadence].items():
        common = [line for line in in_all(texts) if not COMMON.match(line)]
        if common:
            constant[name] = common
    assert constant == {}


@pytest.mark.parametrize("cadence", CADENCES)
def test_every_section_tells_the_worlds_apart(reports, cadence):
    same = {name for name, texts in reports[cadence].items() if len(set(texts)) == 1}
    assert same <= {"drills"}, "no drill ran in any"


def test_documents_of_the_procedures_have_no_constant_claim(worlds):
    """D45, D54: findings only went to stdout; the document said that all was well, if its folder was there."""
    names = ("reports/monthly/optimization-report-2026-11.md", "security-audits/security-audit-2026-11.txt")
    labels = re.compile(
        r"#+ |\d\. [A-Z]|Generated: |There is no audit of an earlier month|[-✓?i▲✖] (ok|info|unknown|does not apply)"
    )
    for name in names:
        common = in_all([(home / name).read_text(encoding="utf-8") for home in worlds])
        assert [line for line in common if not labels.match(line)] == [], name


CLAIMS = r"acceptable|within (the )?limits|optimal|successful|no (major )?(issues|problems|concerns)|everything|all is well|secure\b"


@pytest.mark.parametrize("cadence", CADENCES)
def test_what_a_notebook_itself_says_claims_nothing(cadence):
    script = (NOTEBOOKS / f"{cadence}.py").read_text(encoding="utf-8")
    assert not re.search(CLAIMS, script, re.IGNORECASE)


def test_where_nothing_ran_every_section_says_so(tmp_path):
    review = hk.review(tmp_path, "quarterly", now=NOW)
    for name, procedure in (("plan", "capacity_plan"), ("audit", "security_audit"), ("drills", "dr_drill"),
                            ("benchmark", "host_benchmark"), ("optimization", "optimization_review")):  # fmt: skip
        section = getattr(sections, name)(review)
        assert section.data["known"] is False
        assert f"healthkit run {procedure}" in section.text
        assert "unknown" in section.html.lower()
    for name in ("trends", "percentiles", "year"):
        assert not re.search(r"\d+ %", str(getattr(sections, name)(review)))


def test_records_that_cannot_be_read_are_not_the_same_as_no_run(tmp_path):
    (tmp_path / "health.db").write_bytes(b"no database" * 100)
    review = hk.review(tmp_path, "monthly", now=NOW)
    for name in ("plan", "audit", "optimization", "checklists", "architecture", "trends"):
        assert "cannot be" in str(getattr(sections, name)(review)), name


@pytest.mark.notebook
@pytest.mark.parametrize("cadence", CADENCES)
def test_the_notebook_becomes_a_report(worlds, cadence):
    made = reporting.make(worlds[1], cadence, period=CADENCES[cadence], now=NOW)
    text = made.text.read_text(encoding="utf-8")
    assert "bob" in text
    assert made.html.parent == worlds[1] / "reports" / cadence, "D54: the folder was never made"
    html = made.html.read_text(encoding="utf-8")
    for heading in re.findall(r"^# ## (.+)$", (NOTEBOOKS / f"{cadence}.py").read_text(encoding="utf-8"), re.MULTILINE):
        assert heading in html
