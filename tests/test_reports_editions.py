"""The one path: check, run, render, archive, mail."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import UTC, datetime
from email import message_from_string, policy

import pytest
from sample_notebook import notebook, weekly, write
from smtp_server import PASSWORD, USER, Server

from healthkit import reports
from healthkit.errors import ConfigError, DeliveryError, ParameterError, ReportError
from healthkit.reports import archive
from healthkit.state import State

pytestmark = pytest.mark.notebook
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    write(weekly(), tmp_path / "home" / "notebooks" / "mine.ipynb")
    return tmp_path / "home"


@pytest.fixture
def server(tmp_path, home, monkeypatch):
    monkeypatch.setenv("HEALTHKIT_SMTP_PASSWORD", PASSWORD)
    made = Server(tmp_path / "server").start(login=True)
    configure(home, made)
    yield made
    made.stop()


def configure(home, server):
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "healthkit.yaml").write_text(
        f"host: web-1\nmail: {{host: localhost, port: {server.port}, ca_file: {server.ca_file}, user: {USER}, timeout: 5, "
        "recipients: {operators: [operator@example.org]}}\n"
    )


def mails(server):
    return [message_from_string(entry["content"], policy=policy.default) for entry in server.messages()]


def test_made_archived_and_mailed(home, server):
    report = reports.make(home, "mine", to=["ops@example.org", "lead@example.org"], now=NOW)
    assert (report.name, report.period, report.host, report.score, report.worst) == (
        "mine",
        "2026-W47",
        "2 hosts",
        87.3,
        "critical",
    )
    assert report.sent_to == ("ops@example.org", "lead@example.org")
    assert report.html == home / "reports" / "weekly" / "mine-2026-W47.html"
    assert sorted(p.name for p in (home / "reports" / "weekly").iterdir()) == [
        "latest-mine.html", "mine-2026-W47.html", "mine-2026-W47.ipynb", "mine-2026-W47.json", "mine-2026-W47.txt"]  # fmt: skip
    assert sorted(p.name for p in (home / "reports").iterdir()) == [".lock", "index.html", "weekly"]
    first = mails(server)[0]
    assert first["Subject"].startswith("2 hosts 2026-W47: 87.3")
    assert [part.get_filename() for part in first.iter_attachments()] == ["mine-2026-W47.html"]
    given = json.loads(json.dumps(report.as_dict()))
    assert set(given) == {
        "name",
        "period",
        "host",
        "html",
        "notebook",
        "text",
        "score",
        "worst",
        "findings",
        "seconds",
        "sent_to",
    }
    assert str(report) == "mine 2026-W47, 2 hosts: score 87.3, worst critical, sent to 2"


def test_the_score_is_remembered_for_the_next_period(home):
    reports.make(home, "mine", period="2026-W46", parameters={"score": 91}, now=NOW)
    with State(home) as state:
        (row,) = state.records("reports", name="mine", period="2026-W46", scope="all hosts")
    assert (row["score"], row["worst"]) == (91, "critical")


def test_a_failure_is_heard_of_even_if_operators_cannot_be_told(home, monkeypatch):
    monkeypatch.delenv("HEALTHKIT_SMTP_PASSWORD", raising=False)
    (home / "config").mkdir()
    mail = "{user: me, recipients: {operators: [operator@example.org]}}"  # a user, and no password anywhere
    (home / "config" / "healthkit.yaml").write_text(f"mail: {mail}\n")
    write(notebook("1 / 0"), home / "notebooks" / "mine.ipynb")
    with pytest.raises(ReportError, match="ZeroDivisionError"):
        reports.make(home, "mine")


def test_mail_that_cannot_be_sent_now_is_kept_and_the_report_is_there(home, server):
    server.stop()
    with pytest.raises(DeliveryError) as caught:
        reports.make(home, "mine", to=["ops@example.org"], now=NOW)
    assert caught.value.exit_code == 75
    assert caught.value.report.html.exists()
    assert caught.value.report.sent_to == ()
    server.start(login=True)
    configure(home, server)
    outcome = reports.flush_outbox(home, force=True)
    assert outcome.sent == ("ops@example.org",)
    assert len(mails(server)) == 1


def test_a_refused_recipient_is_not_success(home, server):
    server.stop()
    server.start(login=True, refuse=["gone@example.org"])
    configure(home, server)
    with pytest.raises(DeliveryError, match="550") as caught:
        reports.make(home, "mine", to=["ops@example.org", "gone@example.org"])
    assert caught.value.exit_code == 1
    assert caught.value.report.sent_to == ("ops@example.org",)


def test_a_failing_cell_tells_operators_and_nobody_else(home, server):
    made = weekly()
    made.cells[5].source = "raise RuntimeError('no disk')"
    write(made, home / "notebooks" / "mine.ipynb")
    with pytest.raises(ReportError, match=r"cell 6 failed: RuntimeError: no disk") as caught:
        reports.make(home, "mine", period="2026-W47", to=["ops@example.org"], now=NOW)
    folder = home / "reports" / "weekly"
    assert caught.value.exit_code == 1
    assert caught.value.notebook.endswith(".failed.ipynb")
    page = next((home / "reports").glob("*/*.failed.html")).read_text()
    assert "This report is incomplete" in page
    (mail,) = mails(server)
    assert mail["To"] == "operator@example.org"
    assert "RuntimeError: no disk" in mail["Subject"]
    assert caught.value.notebook in mail.get_content()
    assert not (folder / "latest-mine.html").exists()
    assert "failed" in (home / "reports" / "index.html").read_text()


def test_a_later_success_replaces_the_failure_and_a_failure_leaves_the_success(home):
    reports.make(home, "mine", period="2026-W47")
    good = (home / "reports" / "weekly" / "mine-2026-W47.html").read_bytes()
    made = weekly()
    made.cells[-1].source = "1 / 0"
    write(made, home / "notebooks" / "mine.ipynb")
    with pytest.raises(ReportError):
        reports.make(home, "mine", period="2026-W47")
    assert (home / "reports" / "weekly" / "mine-2026-W47.html").read_bytes() == good
    assert (home / "reports" / "weekly" / "latest-mine.html").read_bytes() == good
    assert (home / "reports" / "weekly" / "mine-2026-W47.failed.html").exists()
    write(weekly(), home / "notebooks" / "mine.ipynb")
    reports.make(home, "mine", period="2026-W47")
    assert not list((home / "reports" / "weekly").glob("*.failed.*"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"parameters": {"dayz": 7}}, ParameterError, "unknown parameter 'dayz'; the notebook knows home, period"),
        ({"parameters": {"many": "x"}}, ParameterError, "many is a whole number"),
        ({"to": ["nobody"]}, ParameterError, "not a mail address"),
        ({"name": "montly"}, ParameterError, "there are .*mine.*weekly"),
        ({"name": "/nowhere/x.ipynb"}, ParameterError, "no notebook"),
        ({"period": "2026-W99"}, ParameterError, "period '2026-W99'"),
        ({"name": "weekly", "period": "2026-11"}, ParameterError, "is monthly, the report is weekly"),
        ({"name": "weekly", "period": "2999-W01"}, ParameterError, "has not begun"),
        ({"name": "weekly", "hosts": ["nobody"]}, ParameterError, "nobody"),
    ],
)
def test_what_cannot_be_asked_leaves_no_trace(home, options, error, message):
    with pytest.raises(error, match=message):
        reports.make(home, **{"name": "mine"} | options)
    assert not (home / "reports").exists()


def test_mail_settings_are_checked_before_the_notebook_runs(home):
    (home / "config").mkdir()
    (home / "config" / "healthkit.yaml").write_text("mail: {host: mail.example.org, security: none, user: me}\n")
    with pytest.raises(ConfigError, match="unencrypted"):
        reports.make(home, "mine", to=["ops@example.org"])
    assert not (home / "reports").exists()


def test_hosts_and_periods_have_reports_of_their_own(home):
    for period, score in (("2026-W46", 91), ("2026-W45", 95), ("2026-W47", 87)):
        reports.make(home, "mine", period=period, parameters={"score": score})
    reports.make(home, "mine", period="2026-W47", hosts=["db-3"])
    reports.make(home, "mine", period="2026-W46", parameters={"score": 90})  # made again later: not the latest
    folder = home / "reports" / "weekly"
    assert (folder / "latest-mine.html").read_bytes() == (folder / "mine-2026-W47.html").read_bytes()
    assert (folder / "latest-mine-db-3.html").read_bytes() == (folder / "mine-2026-W47-db-3.html").read_bytes()
    index = (home / "reports" / "index.html").read_text()
    rows = re.findall(r'<td class="nowrap">(2026-W\d\d)</td>.*?<td>([^<]*)</td><td class="num">([^<]*)</td>', index)
    assert rows == [
        ("2026-W47", "db-3", "87.3"),
        ("2026-W47", "2 hosts", "87"),
        ("2026-W46", "2 hosts", "90"),
        ("2026-W45", "2 hosts", "95"),
    ]
    assert 'aria-label="Scores of the last 3 reports, now 87"' in index
    for link in re.findall(r'href="([^"#]*\.(?:html|ipynb|json|txt))"', index):
        assert (home / "reports" / link).exists(), link
    assert "<script" not in index


def test_a_hostile_host_name_stays_in_the_archive_and_harmless(home):
    host = '../../evil<img src=x onerror=alert(1)>"\n;}*{display:none'
    report = reports.make(home, "mine", hosts=[host])
    assert report.html.parent == home / "reports" / "weekly"
    index = (home / "reports" / "index.html").read_text()
    assert "<img" not in index
    assert "display:none" not in index.partition("</style>")[0].replace("display: none", "")
    assert not (home.parent / "evil").exists()


def test_another_folder(home, tmp_path):
    report = reports.make(home, "mine", output=tmp_path / "elsewhere")
    assert report.html.is_relative_to(tmp_path / "elsewhere")
    assert not (home / "reports").exists()


def test_a_notebook_by_path_without_a_verdict(home, tmp_path):
    path = write(notebook("# Mine", "'shown'"), tmp_path / "my own notes.ipynb")
    report = reports.make(home, str(path), now=NOW)
    assert report.html == home / "reports" / "other" / "my-own-notes-2026-11-23.html"
    assert (report.score, report.worst) == (None, "unknown")


def test_indexes_made_at_once_are_whole(home):
    for number in range(3):
        reports.make(home, "mine", period=f"2026-W0{number + 1}")
    threads = [threading.Thread(target=archive.refresh, args=(home / "reports",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (home / "reports" / "index.html").read_text().count('<td class="nowrap">2026-W0') == 3
    assert sorted(p.name for p in (home / "reports").iterdir()) == [".lock", "index.html", "weekly"]


def test_what_a_killed_run_left_is_swept_up_after_a_day(home):
    reports.make(home, "mine")
    old, new = home / "reports" / ".making-old", home / "reports" / ".making-new"
    for folder in (old, new):
        folder.mkdir()
    torn = home / "reports" / "weekly" / ".mine.html.x.tmp"
    torn.write_text("half")
    for path in (old, torn):
        os.utime(path, (1.7e9, 1.7e9))
    archive.refresh(home / "reports")
    assert (old.exists(), torn.exists(), new.exists()) == (False, False, True)


def test_a_damaged_record_hides_one_report_and_breaks_nothing(home):
    for period in ("2026-W46", "2026-W47"):
        reports.make(home, "mine", period=period)
    (home / "reports" / "weekly" / "mine-2026-W46.json").write_text('{"name": ')
    archive.refresh(home / "reports")
    index = (home / "reports" / "index.html").read_text()
    assert "2026-W46" not in index
    assert "2026-W47" in index


PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"0" * 40


def branded(home, brand, rest=""):
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "healthkit.yaml").write_text(f"reports: {{brand: {{{brand}}}{rest}}}\n")


def test_a_brand_is_on_the_page(home, tmp_path):
    (tmp_path / "logo.png").write_bytes(PIXEL)
    branded(home, f'name: "Shop <b>", logo: {tmp_path / "logo.png"}, accent: "#7a1f5c"')
    page = reports.make(home, "mine", now=NOW).html.read_text()
    assert "Shop &lt;b&gt;" in page
    assert '<img src="data:image/png;base64,iVBORw0K' in page
    assert "--accent:#7a1f5c" in page


@pytest.mark.parametrize(
    ("brand", "message"),
    [
        ('accent: "#ffee00"', "contrast of 1.1"),
        ("accent: red", "accent"),
        ("logo: /nowhere.png", "logo cannot be read"),
        ("logo: /etc/hostname", "not a PNG"),
    ],
)
def test_a_brand_that_cannot_be_shown_is_a_configuration_error(home, brand, message):
    branded(home, brand)
    with pytest.raises(ConfigError, match=message):
        reports.make(home, "mine", now=NOW)
    assert not list((home / "reports").glob("*/*.html")) if (home / "reports").exists() else True


def test_old_reports_go_and_the_newest_of_a_series_stays(home):
    for week in ("2026-W30", "2026-W31", "2026-W46"):
        reports.make(home, "mine", period=week, now=NOW)
    reports.make(home, "mine", period="2026-W20", hosts=["db-3"], now=NOW)
    branded(home, "", ", keep: 4w")
    reports.make(home, "mine", period="2026-W47", now=NOW)
    kept = sorted(path.name for path in (home / "reports" / "weekly").glob("mine-*.html"))
    assert kept == ["mine-2026-W20-db-3.html", "mine-2026-W46.html", "mine-2026-W47.html"]
    assert "2026-W30" not in (home / "reports" / "index.html").read_text()


def test_a_secret_is_nowhere(home, tmp_path, caplog, capfd):
    """In notebook, page, numbers, text, records, logs, and in no process's command line while the cells run."""
    word = "hunter2-of-the-test"
    (tmp_path / "token").write_text(f"{word}\n")
    (tmp_path / "token").chmod(0o600)
    cells = ("print(api_token)", "import glob\nlen([p for p in glob.glob('/proc/[0-9]*/cmdline') if api_token.encode() in open(p, 'rb').read()])",
             "from IPython.display import HTML\nHTML(f'<b>{api_token}</b>')", "raise ValueError(api_token)")  # fmt: skip
    write(notebook(*cells, parameters='api_token = ""'), home / "notebooks" / "secret.ipynb")
    with pytest.raises(ReportError) as caught:
        reports.make(home, "secret", parameters={"api_token": f"file:{tmp_path / 'token'}"}, now=NOW)
    assert word not in str(caught.value) + caplog.text + "".join(capfd.readouterr())
    made = [path for path in home.rglob("*") if path.is_file()]
    assert {path.suffix for path in made} >= {".html", ".ipynb", ".json", ".txt"}
    assert [path.name for path in made if word.encode() in path.read_bytes()] == []
    counted = json.loads(next(home.rglob("secret*.failed.ipynb")).read_text())["cells"]
    texts = ["".join(o["data"]["text/plain"]) for c in counted for o in c.get("outputs", ()) if "data" in o]
    assert texts[0] == "0"


def test_a_secret_is_never_given_literally(home):
    write(notebook("1", parameters='api_token = ""'), home / "notebooks" / "secret.ipynb")
    with pytest.raises(ParameterError) as caught:
        reports.make(home, "secret", parameters={"api_token": "hunter2"})
    assert caught.value.exit_code == 64
    assert "hunter2" not in str(caught.value)
