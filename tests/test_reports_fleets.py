"""A page for each host under a fleet's, groups, paper, and who gets which report."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_string, policy

import pytest
from smtp_server import Server

import healthkit as hk
from healthkit import demo, fleets, reports, sections
from healthkit.errors import ParameterError
from healthkit.findings import Severity
from healthkit.reports import outputs
from healthkit.reports.circulation import select

pytestmark = pytest.mark.notebook
END = datetime(2026, 11, 23, tzinfo=UTC)
NOW = END.replace(hour=2)
GROUPS = "demonstration: true\ncollect: {every: 1h}\ngroups: {web: ['web-*'], none: ['mail-*']}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("home")
    demo.write_demo(place, hosts=5, days=35, end=END, every="1h")
    (place / "config" / "healthkit.yaml").write_text(GROUPS)
    return place


@pytest.fixture(scope="module")
def fleet(home):
    return reports.make_each(home, "weekly", now=NOW, jobs=2)


def test_every_host_has_a_page_and_the_fleets_page_leads_there(home, fleet):
    folder = home / "reports" / "weekly"
    assert fleet.failed == ()
    assert [page.host for page in fleet.pages] == ["cache-1", "db-1", "db-2", "web-1", "web-2"]
    text = fleet.report.html.read_text()
    links = set(re.findall(r'<a class="host" href="([^"]+)"', text))
    assert links
    assert links <= {page.html.name for page in fleet.pages}
    for page in fleet.pages:
        assert (folder / page.html.name).stat().st_size < 40_000
        assert f'href="{fleet.report.html.name}"' in page.html.read_text()
    # Another host takes some 1.1 KB: this is 60 KB of 20 hosts, and less than 150 KB of 100.
    assert fleet.report.html.stat().st_size < 60_000 - 15 * 1_150
    index = (home / "reports" / "index.html").read_text()
    assert all(page.html.name in index for page in fleet.pages)


def test_the_mail_writes_days_as_the_page_does(home):
    rows = [row for row in sections.capacity(hk.review(home, now=NOW)).data["rows"] if row["days"] is not None]
    assert rows
    for row in rows:
        assert not re.search(r"\d{4}-\d\d", row["sentence"])
        assert f"{row['date'].day} {row['date']:%b}" in row["sentence"]


def test_a_part_of_the_fleet_says_what_the_host_s_own_report_says(home):
    asked = {"home": home, "cadence": "weekly", "now": NOW}
    with fleets.kept():
        hk.review(**asked)
        part = hk.review(**asked, hosts="db-1")
    alone = hk.review(**asked, hosts="db-1")
    assert part is not alone
    assert "findings" in vars(part)
    for name in ("verdict", "changes", "attention", "capacity", "availability", "resources", "evidence", "coverage"):
        section = getattr(sections, name)
        assert section(part)._repr_mimebundle_() == section(alone)._repr_mimebundle_(), name


def test_a_review_at_another_time_or_of_other_hosts_is_no_part(home):
    with fleets.kept():
        hk.review(home, hosts="db-1,db-2", now=NOW)
        assert "findings" not in vars(hk.review(home, hosts="db-1", now=NOW.replace(hour=3)))
        assert hk.review(home, hosts="web-1", now=NOW).hosts == ("web-1",)


def test_a_group_is_its_hosts(home):
    report = reports.make(home, "weekly", hosts=["web"], now=NOW)
    assert report.html.name == "weekly-2026-W47-web.html"
    assert hk.review(home, hosts="web, db-1", now=NOW).hosts == ("web-1", "web-2", "db-1")
    with pytest.raises(ParameterError, match=r"no samples of host none; known: cache-1, .*; groups: none, web"):
        hk.review(home, hosts="none", now=NOW)


def test_the_same_inputs_give_the_same_bytes(home, fleet):
    before = {page.html: page.html.read_bytes() for page in (fleet.report, *fleet.pages)}
    again = reports.make_each(home, "weekly", now=NOW)
    assert {page.html: page.html.read_bytes() for page in (again.report, *again.pages)} == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "period"), [("weekly", "2026-W47"), ("monthly", "2026-11"), ("quarterly", "2026-Q4")])
def test_both_engines_give_the_same_page(home, name, period):
    asked = {"period": period, "hosts": ["db-1"], "now": NOW}
    mine = reports.make(home, name, **asked).html.read_bytes()
    assert reports.make(home, name, **asked, engine="stock").html.read_bytes() == mine


@pytest.mark.slow
def test_on_paper(home):
    report = reports.make(home, "weekly", hosts=["db-1"], now=NOW, pdf=True)
    assert report.pdf.read_bytes()[:5] == b"%PDF-"
    assert report.pdf.name in (home / "reports" / "index.html").read_text()
    assert "pdf" not in reports.make(home, "weekly", hosts=["db-1"], now=NOW).as_dict()
    assert not report.pdf.exists()


PEOPLE = ["all@example.org"]
PEOPLE += [f"{{address: web{i}@example.org, hosts: [web]}}" for i in range(10)]
PEOPLE += [f"{{address: db{i}@example.org, hosts: [db-{1 + i % 2}], severity: critical}}" for i in range(10)]
PEOPLE += [f"{{address: cache{i}@example.org, hosts: [cache-1], severity: warning}}" for i in range(9)]


def test_thirty_recipients_get_what_they_asked_for_once(home, tmp_path):
    server = Server(tmp_path).start()
    address = f"host: localhost, port: {server.port}, ca_file: {server.ca_file}"
    mail = f"mail: {{{address}, recipients: {{weekly: [{', '.join(PEOPLE)}]}}}}\n"
    (home / "config" / "healthkit.yaml").write_text(GROUPS + mail)
    try:
        made = reports.circulate(home, "weekly", recipients="weekly", now=NOW)
        assert len(made) == 5
        got = {
            to: message_from_string(m["content"], policy=policy.default) for m in server.messages() for to in m["to"]
        }
        assert len(got) == len(server.messages()) == len(PEOPLE) == 30
        assert got["web3@example.org"]["Subject"].startswith("[simulated] web fleet 2026-W47: ")
        assert got["db0@example.org"]["Subject"].startswith("[simulated] db-1 2026-W47: ")
        assert got["all@example.org"]["Subject"].startswith("[simulated] 5 hosts 2026-W47: ")
        assert "web-1" not in got["cache0@example.org"].as_string()
        assert len({got[to]["References"] for to in ("all@example.org", "web1@example.org", "db0@example.org")}) == 3

        again = reports.send_again(home, made[0].html, recipients="weekly")
        assert again.sent == ("all@example.org",)
        assert len(server.messages()) == 30
        assert reports.send_again(home, made[0].notebook, to=["new@example.org"]).sent == ("new@example.org",)
        assert len(server.messages()) == 31
    finally:
        server.stop()
        (home / "config" / "healthkit.yaml").write_text(GROUPS)


def test_what_is_less_severe_is_left_out_and_counted(home):
    rows = [{"severity": s.value, "host": "a", "subject": "b", "message": "c"} for s in
            (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)]  # fmt: skip
    shown = outputs.Shown("attention", "What needs a hand", "", {"rows": rows}, ())
    assert select([shown], Severity.UNKNOWN) == (shown,)
    part = select([shown, replace(shown, name="capacity")], Severity.WARNING)
    assert [row["severity"] for row in part[0].data["rows"]] == ["critical", "warning"]
    assert "1 less severe finding is in the full report." in part[0].text
    assert part[1].data["rows"] == rows


@pytest.mark.parametrize("name", ["weekly.html", "weekly-2026-W47.failed.html"])
def test_what_is_no_report_is_not_sent(home, fleet, name):
    with pytest.raises(ParameterError, match="not a report of the archive"):
        reports.send_again(home, fleet.report.html.with_name(name), to=["a@example.org"])
