"""All mails have one look, written into their elements, and nothing in them is fetched from anywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import task_catalog
from task_catalog.ports import mail
from youtility_tasks import tenant

FOLDER = Path(task_catalog.__file__).parent / "templates" / "task_catalog" / "mail"
PARTS = {"layout", "facts", "answer_links"}
TEMPLATES = sorted({path.name.split(".")[0] for path in FOLDER.iterdir()} - PARTS)
NASTY = "</td><script>alert(1)</script>\"'&{{ x }}"
CONTEXT = {
    **dict.fromkeys(
        [
            "what",
            "planned",
            "site",
            "ticketno",
            "notice",
            "job",
            "event",
            "level",
            "matrix_body",
            "permit",
            "number",
            "status",
            "step",
            "person",
            "news",
            "vendor",
            "month",
            "year",
            "score",
            "report",
        ],
        NASTY,
    ),
    "lines": [NASTY],
    "facts": [("Na<me", NASTY), ("Lines", "one\ntwo")],
    "links": {"accepted": "https://app.example/?a=1&b=2", "rejected": "https://app.example/?a=2"},
    "company_name": "Build & Sons <Ltd>",
    "valid_days": 30,
}


def got(mailbox: Any, template: str, **context: Any) -> Any:
    message = mail.Message(task="t", key="k", to=["a@a.example"], template=template, context={**CONTEXT, **context})
    with tenant(7):
        mail.deliver(message, "<abc@youtility-tasks>")
    return mailbox.received[-1]


@pytest.fixture
def fresh_inliner() -> Any:
    mail._inliner.cache_clear()
    yield
    mail._inliner.cache_clear()


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_is_dressed_alike_and_complete_in_text(mailbox, template):
    received = got(mailbox, template)

    assert received.html.count("background-color: #12395b") == 1  # the band with the company's name
    assert "Build &amp; Sons &lt;Ltd&gt;" in received.html
    assert "<style>" not in re.sub(r"<style>\s*@media.*?</style>", "", received.html, flags=re.DOTALL)
    assert "Sent automatically for Build & Sons <Ltd>." in received.text
    assert "  " not in received.message["Subject"].strip()


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_value_becomes_markup_and_nothing_is_fetched(mailbox, template):
    received = got(mailbox, template)

    assert "<script" not in received.html
    assert "{{" not in received.html.replace("{{ x }}", "")
    assert not re.search(r"<(img|link|iframe|object|script)\b|url\(|src=|@import", received.html, re.IGNORECASE)
    assert set(re.findall(r"https?://[^\"\s<]+", received.html)) <= {
        "https://app.example/?a=1&amp;b=2",
        "https://app.example/?a=2",
    }


def test_the_facts_are_a_table_in_html_and_lines_in_text(mailbox):
    received = got(mailbox, "ticket")

    assert "Na&lt;me</th>" in received.html
    assert re.search(r"one<br>\s*two</td>", received.html)
    assert "Lines: one\r\n    two" in received.text


def test_answers_are_buttons_in_html_and_plain_addresses_in_text(mailbox):
    received = got(mailbox, "permit_decision")

    assert re.search(r'href="https://app\.example/\?a=1&amp;b=2"[^>]*background-color: #1b7f4b', received.html)
    assert "Accept: https://app.example/?a=1&b=2" in received.text


def test_without_the_package_the_styles_stay_where_they_are(mailbox, fresh_inliner, monkeypatch, caplog):
    monkeypatch.setattr(mail, "is_installed", lambda package: False)
    caplog.set_level("INFO", logger="task_catalog.ports.mail")

    received = got(mailbox, "ticket")
    got(mailbox, "ticket")

    assert ".brand {" in received.html
    assert caplog.text.count("extra 'reports'") == 1


def test_a_style_sheet_of_an_overridden_layout_is_not_fetched(mailbox, settings, tmp_path):
    folder = tmp_path / "task_catalog" / "mail"
    folder.mkdir(parents=True)
    (tmp_path / "own.css").write_text("p { color: red }")
    (folder / "ticket.html").write_text(
        f"<html><head><link rel='stylesheet' href='file://{tmp_path}/own.css'>"
        "<style>p { margin: 1px }</style></head><body><p>{{ ticketno }}</p></body></html>"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    received = got(mailbox, "ticket")

    assert 'style="margin: 1px;"' in received.html
    assert "red" not in received.html
