"""The mail server keeps every message that it accepted, also when it is killed."""

from __future__ import annotations

import io
import smtplib
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from task_catalog.company_day.processes import Sink
from task_catalog.company_day.sink import read


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    sink = Sink(tmp_path / "mails.jsonl")
    sink.keep_alive()
    yield sink
    sink.stop()


def send(sink: Sink, effect: str, text: str = "Hello", **files: bytes) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "tasks@facility.example", "a@client-a.example", "Tür zu: Überfällig"
    mail["Message-ID"] = f"<{effect.replace(':', '.')}@tests>"
    mail["X-Youtility-Task"], mail["X-Youtility-Effect"], mail["X-Youtility-Tenant"] = "some_task", effect, "7"
    mail.set_content(text)
    mail.add_alternative(f"<b>{text}</b>", subtype="html")
    for name, content in files.items():
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as connection:
        connection.send_message(mail, to_addrs=["a@client-a.example", "b@client-a.example"])


def test_an_accepted_message_is_kept_with_its_envelope_and_headers(sink):
    send(sink, "mail:1")

    (kept,) = read(sink.file)

    assert kept.recipients == ("a@client-a.example", "b@client-a.example")
    assert (kept.message_id, kept.task, kept.effect, kept.tenant) == ("<mail.1@tests>", "some_task", "mail:1", "7")
    assert kept.subject == "Tür zu: Überfällig"
    assert kept.sender == "tasks@facility.example"
    assert kept.text.split() == ["Hello", "<b>Hello</b>"]


def book(text: str) -> bytes:
    """A workbook, as far as anybody looks into it here."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{text}</t>")
    return file.getvalue()


def test_the_sites_that_a_message_and_its_readable_attachments_name_are_kept(sink):
    send(sink, "mail:1", "About Harbour A003.", csv=b"Mill B001;3", xlsx=book("Park C010"), pdf=b"%PDF-1.7 \xff\x00")

    (kept,) = read(sink.file)

    assert kept.attachments == ("csv", "xlsx", "pdf")
    assert kept.sites == ("A-003", "B-001", "C-010")


def test_a_workbook_that_is_none_is_no_obstacle(sink):
    send(sink, "mail:1", xlsx=b"PK\x03\x04 and nothing more")

    assert [kept.sites for kept in read(sink.file)] == [()]


def test_a_header_that_was_folded_because_it_is_long_is_kept_on_one_line(sink):
    effect = f"wp:1:approved:{'a' * 64}"

    send(sink, effect)

    assert read(sink.file)[0].effect == effect


def test_a_killed_sink_comes_back_on_its_port_with_its_mails(sink):
    send(sink, "mail:1")
    port = sink.port
    sink._process.kill()
    sink._process.wait()
    with sink.file.open("ab") as file:
        file.write(b'{"sender": "cut o')  # what a kill in the middle of a write leaves

    sink.keep_alive()
    send(sink, "mail:2")

    assert sink.port == port
    assert [kept.effect for kept in read(sink.file)] == ["mail:1", "mail:2"]


def test_a_cut_line_does_not_count_as_a_message(tmp_path):
    file = tmp_path / "mails.jsonl"
    file.write_bytes(b'{"sender": "a')

    assert read(file) == []


def test_no_file_means_no_mail(tmp_path):
    assert read(tmp_path / "none") == []
