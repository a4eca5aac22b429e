"""The mail port against a real mail server: what arrives, what is refused and what that means."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.ports import mail
from youtility_tasks import BadInput, Transient, effects, tenant


def message(*to: str, **changes: Any) -> mail.Message:
    facts: dict[str, Any] = {
        "task": "send_reminder_email",
        "key": "reminder-mail:5",
        "to": to or ("a@a.example",),
        "template": "reminder",
        "context": {"job": "Boiler <check>", "planned": "03-Mar-2025 05:55", "facts": [("Site", "A & B <1>")]},
    }
    return mail.Message(**{**facts, **changes})


def send(*to: str, **changes: Any) -> mail.SendReport:
    with tenant(7):
        return mail.deliver(message(*to, **changes), "<abc@youtility-tasks>")


def test_a_mail_arrives_with_text_html_and_the_headers_that_tell_it_apart(mailbox):
    report = send(" a@a.example ", "b@a.example", cc=["c@a.example"], reply_to="desk@a.example")

    (got,) = mailbox.received
    assert report.accepted == got.recipients == ("a@a.example", "b@a.example", "c@a.example")
    assert report.warnings == ()
    assert got.sender == "desk@house.example"
    headers = {
        "Message-ID": "<abc@youtility-tasks>",
        "Auto-Submitted": "auto-generated",
        "X-Youtility-Task": "send_reminder_email",
        "X-Youtility-Effect": "reminder-mail:5",
        "X-Youtility-Tenant": "7",
        "Subject": "Reminder: Boiler <check>, 03-Mar-2025 05:55",
        "From": "Facility desk <desk@house.example>",
        "To": "a@a.example, b@a.example",
        "Cc": "c@a.example",
        "Reply-To": "desk@a.example",
    }
    assert {name: got.message[name] for name in headers} == headers
    assert "Site: A & B <1>" in got.text
    assert "A &amp; B &lt;1&gt;" in got.html
    assert "<1>" not in got.html


def test_the_same_address_in_other_letters_is_written_to_once(mailbox):
    send("a@a.example", "A@A.example", cc=["a@A.EXAMPLE", "b@a.example"])

    assert mailbox.received[0].recipients == ("a@a.example", "b@a.example")


def test_invalid_addresses_are_left_out_with_a_warning(mailbox):
    report = send("a@a.example", "nobody", "")

    assert report.accepted == ("a@a.example",)
    assert len(report.warnings) == 2


def test_a_mail_to_nobody_is_bad_input(mailbox):
    with pytest.raises(BadInput, match="no valid recipient"):
        send("nobody")

    assert mailbox.received == []


@pytest.mark.parametrize("answer", ["550 no such user", "450 but there is no next attempt"])
def test_one_recipient_refused_is_a_warning_and_the_others_get_the_mail(mailbox, answer):
    mailbox.on_recipient["gone@a.example"] = answer

    report = send("a@a.example", "gone@a.example")

    assert report.accepted == ("a@a.example",)
    assert "'gone@a.example'" in report.warnings[0]
    assert answer in report.warnings[0]
    assert mailbox.received[0].recipients == ("a@a.example",)


def test_every_recipient_refused_for_good_is_bad_input(mailbox):
    mailbox.on_recipient = {"a@a.example": "550 no such user", "b@a.example": "551 moved"}

    with pytest.raises(BadInput, match="551 moved"):
        send("a@a.example", "b@a.example")


@pytest.mark.parametrize("answer", ["450 mailbox busy", "421 shutting down"])
def test_every_recipient_refused_for_now_is_transient(mailbox, answer):
    mailbox.on_recipient = {"a@a.example": answer, "b@a.example": "550 no such user"}

    with pytest.raises(Transient, match=answer[:3]):
        send("a@a.example", "b@a.example")


def as_an_effect(*to: str) -> bool:
    with tenant(7):
        return effects.perform("reminder-mail:5", lambda message_id: mail.deliver(message(*to), message_id))


@pytest.mark.parametrize("answer", ["450 mailbox busy", "451 greylisted"])
def test_who_is_refused_for_now_gets_the_mail_later_and_nobody_gets_it_twice(transactional_db, mailbox, answer):
    mailbox.on_recipient["b@xn--bcher-kva.example"] = answer
    for _ in range(2):
        with pytest.raises(Transient, match=answer):
            as_an_effect("a@a.example", "b@bücher.example", "c@a.example")

    mailbox.on_recipient.clear()
    assert as_an_effect("A@a.example", "b@bücher.example", "c@a.example") is True

    first, second = mailbox.received
    assert first.recipients == ("a@a.example", "c@a.example")
    assert second.recipients == ("b@xn--bcher-kva.example",)
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert second.message["To"] == "A@a.example, b@xn--bcher-kva.example, c@a.example"
    assert as_an_effect("a@a.example") is False


def test_who_is_refused_for_now_and_then_for_good_is_a_warning(transactional_db, mailbox):
    mailbox.on_recipient["b@a.example"] = "450 mailbox busy"
    with pytest.raises(Transient):
        as_an_effect("a@a.example", "b@a.example")

    mailbox.on_recipient["b@a.example"] = "550 no such user"
    assert as_an_effect("a@a.example", "b@a.example") is True

    assert [each.recipients for each in mailbox.received] == [("a@a.example",)]


def test_nothing_is_left_to_send_when_who_was_refused_is_no_recipient_any_more(transactional_db, mailbox):
    mailbox.on_recipient["b@a.example"] = "450 mailbox busy"
    with pytest.raises(Transient):
        as_an_effect("a@a.example", "b@a.example")

    assert as_an_effect("a@a.example") is True

    assert len(mailbox.received) == 1


def test_what_one_effect_has_done_is_not_known_to_the_next(transactional_db, mailbox):
    mailbox.on_recipient["b@a.example"] = "450 mailbox busy"
    with pytest.raises(Transient):
        as_an_effect("a@a.example", "b@a.example")
    with tenant(8):
        effects.perform("reminder-mail:5", lambda message_id: mail.deliver(message("a@a.example"), message_id))

    assert effects.part() is None
    assert [each.recipients for each in mailbox.received] == [("a@a.example",)] * 2


@pytest.mark.parametrize(("answer", "error"), [("552 too large", BadInput), ("451 try later", Transient)])
def test_the_answer_to_the_message_itself_decides_too(mailbox, answer, error):
    mailbox.after_data = answer

    with pytest.raises(error, match=answer):
        send()


def test_a_connection_dropped_after_the_message_is_transient_and_the_next_attempt_has_the_same_id(mailbox):
    mailbox.after_data = "drop"
    with pytest.raises(Transient):
        send()

    mailbox.after_data = "250 taken"
    send()

    assert [each.message["Message-ID"] for each in mailbox.received] == ["<abc@youtility-tasks>"] * 2


def test_a_mail_server_that_is_down_is_unreachable(no_mail_server):
    with pytest.raises(mail.Unreachable, match="could not be reached"):
        send()


def test_a_mail_server_that_never_answers_is_given_up_after_the_catalogues_time(no_mail_server, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "mail_timeout_s": 0.2}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        no_mail_server(silent.getsockname()[1])

        with pytest.raises(mail.Unreachable, match="timed out"):
            send()


def test_the_messages_of_one_session_share_a_connection(mailbox):
    with mail.session():
        send()
        send()
        with mail.session():
            send()
    send()

    assert len(mailbox.received) == 4
    assert mailbox.connections == 2


def test_a_connection_that_the_server_has_ended_is_replaced(mailbox):
    mailbox.hangs_up_after = 1
    with mail.session():
        send()
        mailbox.wait_until_it_hung_up()
        send()

    assert len(mailbox.received) == 2
    assert mailbox.connections == 2


def test_a_refusal_does_not_spoil_the_connection_for_the_next_message(mailbox):
    mailbox.on_recipient["gone@a.example"] = "550 no such user"
    with mail.session():
        with pytest.raises(BadInput):
            send("gone@a.example")
        send()

    assert len(mailbox.received) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "x\r\nBcc: all@evil.example"},
        {"task": "x\nBcc: all@evil.example"},
        {"reply_to": "a@a.example\nBcc: all@evil.example"},
    ],
)
def test_a_line_break_in_a_header_is_refused(mailbox, changes):
    with pytest.raises(BadInput, match="control character"):
        send(**changes)

    assert mailbox.received == []


def test_a_subject_made_of_foreign_text_stays_one_line(mailbox):
    send(context={"job": "a\r\nBcc: all@evil.example\r\n\r\n  b" + "x" * 300, "planned": "now", "facts": []})

    (got,) = mailbox.received
    assert got.message["Bcc"] is None
    subject = got.message["Subject"].strip()
    assert subject.startswith("Reminder: a Bcc: all@evil.example bxxx")
    assert len(subject) == 200
    assert got.recipients == ("a@a.example",)


@given(st.text(max_size=400))
def test_d15_any_text_becomes_one_line_without_runs_of_blanks(text):
    line = mail.one_line(text)

    assert len(line) <= 200
    assert line == " ".join(line.split())
    assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in line)


def test_an_international_domain_is_written_in_ascii(mailbox):
    report = send("a@bücher.example")

    assert mailbox.received[0].recipients == ("a@xn--bcher-kva.example",)
    assert report.accepted == ("a@bücher.example",)


def test_an_attachment_goes_along(mailbox):
    send(attachments=[mail.Attachment(name="r.csv", content=b"a,b\n", media_type="text/csv")])

    (part,) = mailbox.received[0].message.iter_attachments()
    assert (part.get_filename(), part.get_content_type()) == ("r.csv", "text/csv")


def test_an_adopter_can_override_a_template(mailbox, settings, tmp_path):
    folder = tmp_path / "task_catalog" / "mail"
    folder.mkdir(parents=True)
    (folder / "reminder.subject.txt").write_text("Our own words: {{ job }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    send(context={"job": "Boiler", "planned": "now", "facts": []})

    assert mailbox.received[0].message["Subject"] == "Our own words: Boiler"


def test_another_mail_backend_than_smtp_works_too(settings, mailoutbox):
    report = send("a@a.example", "b@a.example")

    assert report.accepted == ("a@a.example", "b@a.example")
    assert mailoutbox[0].to == ["a@a.example", "b@a.example"]
    assert mailoutbox[0].extra_headers["Message-ID"] == "<abc@youtility-tasks>"
