"""Mail against a real SMTP server process: encrypted, logged in, once per recipient, never lost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from email.message import EmailMessage

import pytest
from faults import needs_strace
from faults import run as run_with
from smtp_server import PASSWORD, USER, Server

from healthkit.config import Config, Mail
from healthkit.errors import ConfigError, ParameterError
from healthkit.reports import outbox
from healthkit.reports.delivery import check_mail

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "server")
    yield made
    made.stop()


@pytest.fixture
def login(monkeypatch):
    monkeypatch.setenv("HEALTHKIT_SMTP_PASSWORD", PASSWORD)


def config(server, **options):
    return Config(
        host="web-1", mail=Mail(host="localhost", port=server.port, ca_file=server.ca_file, timeout=5, **options)
    )


def message(number=1, body="All is well.\n"):
    made = EmailMessage()
    made["From"] = "healthkit@example.org"
    made["To"] = "ops@example.org"
    made["Subject"] = "weekly"
    made["Message-ID"] = f"<{number}@example.org>"
    made.set_content(body)
    return made


def records(home):
    return [json.loads(path.read_text()) for path in (home / "outbox").glob("*.json")]


def test_starttls_and_login(tmp_path, server, login):
    server.start(login=True)
    outcome = outbox.send(tmp_path, config(server, user=USER), message(), ["ops@example.org"], now=NOW)
    assert outcome.sent == ("ops@example.org",)
    assert not outcome.queued
    (received,) = server.messages()
    assert received["tls"]
    assert received["login"]
    assert message_from_string(received["content"], policy=policy.default)["Message-ID"] == "<1@example.org>"
    assert not list((tmp_path / "outbox").glob("*.eml"))


def test_tls_from_the_start(tmp_path, server, login):
    server.start(login=True, tls="tls")
    assert outbox.send(tmp_path, config(server, user=USER, security="tls"), message(), ["ops@example.org"]).sent
    assert server.messages()[0]["tls"]


def test_a_wrong_password_keeps_the_mail_and_the_right_one_sends_it_once(tmp_path, server, monkeypatch):
    server.start(login=True)
    monkeypatch.setenv("HEALTHKIT_SMTP_PASSWORD", "wrong")
    outcome = outbox.send(tmp_path, config(server, user=USER), message(), ["ops@example.org"], now=NOW)
    assert "login refused: 535" in outcome.queued["ops@example.org"]
    assert "wrong" not in json.dumps(records(tmp_path))
    assert server.messages() == []
    monkeypatch.setenv("HEALTHKIT_SMTP_PASSWORD", PASSWORD)
    later = NOW + timedelta(minutes=2)
    assert outbox.flush_outbox(tmp_path, config=config(server, user=USER), now=later).sent == ("ops@example.org",)
    assert outbox.flush_outbox(tmp_path, config=config(server, user=USER), now=later, force=True) == outbox.Delivery()
    assert len(server.messages()) == 1


def test_starttls_that_is_not_offered_is_never_replaced_by_the_clear(tmp_path, server, login):
    server.start(tls="none", login=True)
    outcome = outbox.send(tmp_path, config(server, user=USER), message(), ["ops@example.org"], now=NOW)
    assert "STARTTLS" in outcome.queued["ops@example.org"]
    assert server.messages() == []


def test_a_certificate_of_somebody_else_is_refused(tmp_path, server):
    server.start()
    mail = Mail(host="localhost", port=server.port, timeout=5)  # the system's authorities do not know this one
    outcome = outbox.send(tmp_path, Config(host="web-1", mail=mail), message(), ["ops@example.org"], now=NOW)
    assert "certificate verify failed" in outcome.queued["ops@example.org"]


def test_a_password_never_leaves_unencrypted(login):
    with pytest.raises(ConfigError, match="unencrypted"):
        check_mail(Mail(host="mail.example.org", security="none", user=USER))
    check_mail(Mail(host="127.0.0.1", security="none", user=USER))
    check_mail(Mail(host="mail.example.org", security="none"))


def test_a_user_without_a_password_is_a_configuration_error():
    with pytest.raises(ConfigError, match="password"):
        check_mail(Mail(user=USER))


def test_without_encryption_on_loopback(tmp_path, server):
    server.start(tls="none")
    assert outbox.send(tmp_path, config(server, security="none"), message(), ["ops@example.org"]).sent


def test_a_temporary_failure_is_retried_with_back_off_and_gives_one_copy(tmp_path, server):
    server.start(defer=2)
    settings = config(server)
    outcome = outbox.send(tmp_path, settings, message(), ["ops@example.org"], now=NOW)
    assert outcome.queued == {"ops@example.org": "451 4.3.0 try again later"}
    assert outbox.flush_outbox(tmp_path, config=settings, now=NOW + timedelta(seconds=59)).queued
    assert records(tmp_path)[0]["tries"] == 1  # not due yet
    assert outbox.flush_outbox(tmp_path, config=settings, now=NOW + timedelta(seconds=61)).queued
    assert records(tmp_path)[0]["tries"] == 2
    assert outbox.flush_outbox(tmp_path, config=settings, now=NOW + timedelta(seconds=61 + 121)).sent
    assert len(server.messages()) == 1


def test_down_for_an_hour(tmp_path, server):
    server.start()
    server.stop()
    settings = config(server)
    assert (
        "refused" in outbox.send(tmp_path, settings, message(), ["ops@example.org"], now=NOW).queued["ops@example.org"]
    )
    now = NOW
    while now < NOW + timedelta(hours=1):
        now += timedelta(minutes=1)
        assert outbox.flush_outbox(tmp_path, config=settings, now=now).queued
    assert 5 <= records(tmp_path)[0]["tries"] <= 8
    server.start()
    assert outbox.flush_outbox(tmp_path, config=config(server), now=now + timedelta(hours=1)).sent == (
        "ops@example.org",
    )
    assert len(server.messages()) == 1


def test_one_bad_address_of_thirty_holds_nobody_up(tmp_path, server):
    people = [f"person-{i}@example.org" for i in range(30)]
    server.start(refuse=[people[3]], later=[people[7]])
    outcome = outbox.send(tmp_path, config(server), message(), people, now=NOW)
    assert len(outcome.sent) == 28
    assert outcome.refused == {people[3]: "550 5.1.1 no such user"}
    assert outcome.queued == {people[7]: "450 4.2.0 greylisted, come back later"}
    server.stop()
    server.start()
    assert people[7] in outbox.flush_outbox(tmp_path, config=config(server), now=NOW + timedelta(hours=1)).sent
    received = [address for entry in server.messages() for address in entry["to"]]
    assert sorted(received) == sorted(set(people) - {people[3]})


def test_the_same_message_is_sent_once_however_often_it_is_handed_in(tmp_path, server):
    server.start()
    for _ in range(3):
        assert outbox.send(tmp_path, config(server), message(), ["ops@example.org"]).sent == ("ops@example.org",)
    assert len(server.messages()) == 1
    outbox.send(tmp_path, config(server), message(), ["ops@example.org", "new@example.org"])
    assert [entry["to"] for entry in server.messages()] == [["ops@example.org"], ["new@example.org"]]


def test_after_five_days_it_is_given_up_and_says_so(tmp_path, server):
    server.start()
    server.stop()
    outbox.send(tmp_path, config(server), message(), ["ops@example.org"], now=NOW)
    outcome = outbox.flush_outbox(tmp_path, config=config(server), now=NOW + timedelta(days=6))
    assert outcome.refused["ops@example.org"].startswith("given up after 5 days")
    assert not list((tmp_path / "outbox").glob("*.eml"))


def test_it_is_written_down_before_the_first_try_and_only_its_owner_reads_it(tmp_path, server):
    server.start()
    server.stop()
    outbox.send(tmp_path, config(server), message(), ["ops@example.org"], now=NOW)
    (spooled,) = (tmp_path / "outbox").glob("*.eml")
    assert b"All is well." in spooled.read_bytes()
    assert spooled.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("call", ["fsync", "/rename.*", "unlink"])
def test_killed_at_any_moment_it_is_sent_and_at_most_the_one_under_way_twice(tmp_path, server, call):
    server.start(tls="none")
    settings, people = config(server, security="none"), ["a@example.org", "b@example.org"]
    for moment in range(1, 20):
        given = (tmp_path / "home", settings, message(moment), people)
        killed = run_with(outbox.send, *given, inject=f"{call}:signal=KILL:when={moment}").code
        outbox.send(*given)
        copies = Counter(entry["to"][0] for entry in server.messages() if f"<{moment}@example.org>" in entry["content"])
        assert set(copies) == set(people)
        assert sum(copies.values()) <= 3
        assert not list((tmp_path / "home" / "outbox").glob(".*.tmp"))
        if killed == 0:
            break
    assert killed == 0
    assert moment > 3


def test_a_damaged_record_stops_no_other_mail(tmp_path, server):
    server.start()
    server.stop()
    for number in (1, 2):
        outbox.send(tmp_path, config(server), message(number), ["ops@example.org"], now=NOW)
    min((tmp_path / "outbox").glob("*.json")).write_text("")
    server.start()
    assert outbox.flush_outbox(tmp_path, config=config(server), now=NOW + timedelta(hours=1)).sent == (
        "ops@example.org",
    )
    assert len(server.messages()) == 1
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1, "the message of the damaged record is kept"


@pytest.mark.parametrize(
    "address", ["ops", "a@b\r\nRCPT TO:<x@y>", "a b@example.org", "<a@example.org>", "a@", "a..b@c d"]
)
def test_what_is_no_address_is_refused_before_anything_is_written(tmp_path, address):
    with pytest.raises(ParameterError, match="not a mail address"):
        outbox.send(tmp_path, Config(), message(), [address])
    assert not (tmp_path / "outbox").exists()


def test_what_became_of_mail_is_said_in_a_line():
    assert str(outbox.Delivery()) == "nothing to send"
    assert str(outbox.Delivery(sent=("a@example.org",))) == "sent to 1 recipient"
    both = outbox.Delivery(sent=("a@example.org", "b@example.org"), queued={"c@example.org": "451 later"})
    assert str(both) == "sent to 2 recipients; queued for c@example.org: 451 later"
