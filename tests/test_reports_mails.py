"""The mail: what a recipient's program gets, made from what the notebook displayed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_notebook import weekly, write

from healthkit.reports import execute, outputs
from healthkit.reports.mails import Envelope, compose, compose_failure, subject, text
from healthkit.reports.outputs import Shown, Verdict

pytestmark = pytest.mark.notebook
ENVELOPE = Envelope(
    "healthkit@web-1.example.org",
    ("ops@example.org", "lead@example.org"),
    datetime(2026, 11, 23, 2, tzinfo=UTC),
    "web-1",
)


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mail")
    return outputs.shown(execute(write(weekly(), folder / "in.ipynb"), folder / "out.ipynb", {}))


@pytest.fixture(scope="module")
def received(sections):
    sent = compose(sections, ENVELOPE, page=b"<!doctype html>page", page_name="weekly-2026-W47.html")
    return message_from_bytes(sent.as_bytes(policy=policy.SMTP), policy=policy.default)


def test_headers(received):
    assert received["Subject"] == "2 hosts 2026-W47: 87.3 (\u22124.2), 1 critical: db-3 /var: 96 % full, full on 3 Dec"
    assert received["From"] == "healthkit@web-1.example.org"
    assert received["To"] == "ops@example.org, lead@example.org"
    assert received["Date"].datetime == ENVELOPE.now
    assert received["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<weekly\.fleet\.2026-W47\.[0-9a-f]{20}@web-1\.example\.org>", received["Message-ID"])
    assert received["In-Reply-To"] == received["References"] == "<weekly.fleet.healthkit@web-1.example.org>"
    assert received["List-Id"] == "<weekly.fleet.healthkit.web-1.example.org>"


def test_parts(received):
    kinds = [part.get_content_type() for part in received.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html",
                     "image/png", "text/html"]  # fmt: skip
    attached = list(received.walk())[-1]
    assert attached.get_filename() == "weekly-2026-W47.html"
    assert attached.get_content() == "<!doctype html>page"


def test_html_is_what_mail_programs_show(received):
    html = received.get_body(("html",)).get_content()
    picture = next(part for part in received.walk() if part.get_content_type() == "image/png")
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in html
    assert int.from_bytes(picture.get_content()[16:20], "big") == 2 * 520
    assert 'alt="Disk used of db-3 /var: 92 % now, 100 % on 3 Dec."' in html
    for banned in ("<svg", "data:", "<script", "<style", "<link", "http:", "https:", "url(", "onerror=alert(1)>"):
        assert banned not in html, banned
    assert "&lt;img src=x" in html
    assert "\x1b" not in html
    assert "/var is full on 3 Dec (30 Nov to 9 Dec)" in html
    assert 'class="sev critical" style="' in html
    assert "attached: weekly-2026-W47.html" in html


def test_the_text_says_the_same(received):
    words = received.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert "1 of 2 hosts needs action now: db-3 /var: 96 % full, full on 3 Dec." in words
    assert "What needs a hand\n-----------------\ndb-3: ✖ critical: /var: 96 % full" in words
    assert "/var is full on 3 Dec" in words
    assert "\x1b" not in words
    assert "\x1b" not in received.as_string()


def test_any_fleet_fits(tmp_path):
    path = write(weekly(), tmp_path / "in.ipynb")
    sections = outputs.shown(execute(path, tmp_path / "out.ipynb", {"many": 1000}))
    message = compose(sections, ENVELOPE)
    html = message.get_body(("html",)).get_content()
    assert len(html.encode()) <= 60_000
    assert html.count('class="sev ') == 15
    assert "2985 more in the full report." in html
    assert len(message["Subject"]) <= 150
    assert message["Subject"].startswith("2 hosts 2026-W47: 87.3 (\u22124.2), 1000 critical: db-3")
    assert "more lines in the full report)" in message.get_body(("plain",)).get_content()


def test_the_same_inputs_have_the_same_id_and_others_do_not(sections):
    one, again = (
        compose(sections, ENVELOPE),
        compose(sections, replace(ENVELOPE, now=datetime(2026, 11, 24, tzinfo=UTC))),
    )
    assert one["Message-ID"] == again["Message-ID"]
    assert one["Message-ID"] != compose(sections[:2], ENVELOPE)["Message-ID"]
    assert one["References"] == compose(sections[:2], ENVELOPE)["References"]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(period="2026-W47", hosts=("web-1",), score=87.0), "web-1 2026-W47: 87"),
        (Verdict(period="2026-W47", hosts=("web-1",), score=87.0, change=0.4), "web-1 2026-W47: 87"),
        (Verdict(period="2026-W47", hosts=("a", "b"), score=87.0, change=2.0), "2 hosts 2026-W47: 87 (+2)"),
        (Verdict(period="2026-W47", hosts=("a",), so_far=True), "a 2026-W47 so far: score unknown"),
        (Verdict(period="2026-W47", hosts=("a",), score=0.0, simulated=True), "[simulated] a 2026-W47: 0"),
        (Verdict(name="mine"), "mine: score unknown"),
        (
            Verdict(period="2026-W47", score=50.0, findings=({"severity": "warning", "host": "a", "subject": "cpu", "message": "busy"},)),
            "2026-W47: 50, 1 warning: a cpu: busy",
        ),
    ],
)  # fmt: skip
def test_subject(verdict, expected):
    assert subject(verdict) == expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_be_injected(host, words):
    data = {"name": words, "period": words, "hosts": [host], "score": 1.0, "sentence": words,
            "findings": [{"severity": "critical", "host": host, "subject": words, "message": words}]}  # fmt: skip
    shown = (Shown("verdict", words, words, data, ()),)
    raw = compose(shown, replace(ENVELOPE, host=host)).as_bytes(policy=policy.SMTP)
    head = message_from_bytes(raw, policy=policy.default)
    known = {"From", "To", "Subject", "Date", "Auto-Submitted", "Message-ID", "In-Reply-To", "References", "List-Id",
             "MIME-Version", "Content-Type"}  # fmt: skip
    assert set(head.keys()) == known
    assert len(head.keys()) == len(known)


@pytest.mark.parametrize(
    "attack", ["a\r\nBcc: x@example.org", "a\nX: y\n\nbody", "a\u2028b", "a\x00b", "a\u0085b\r\r\nTo: y"]
)
def test_injection_by_name(attack):
    data = {"name": attack, "hosts": [attack], "period": attack, "score": 1.0}
    message = compose((Shown("verdict", attack, attack, data, ()),), ENVELOPE)
    again = message_from_bytes(message.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert "Bcc" not in again
    assert "X" not in again
    assert again["To"] == "ops@example.org, lead@example.org"
    assert "\n" not in str(again["Subject"])
    failure = compose_failure(attack, attack, attack, ENVELOPE)
    again = message_from_bytes(failure.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert "Bcc" not in again
    assert "X" not in again


def test_the_whole_text_for_the_archive(sections):
    verdict = outputs.verdict(sections)
    long = Shown("evidence", "Evidence", "\n".join(map(str, range(100))), {}, ())
    assert "99" in text([long], verdict, most=None)
    assert "(75 more lines in the full report)" in text([long], verdict)
