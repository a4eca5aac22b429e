"""Every mail in a real browser, as a reading pane and as a phone show it: nothing is cut off, pale, or of a size of its own."""

from __future__ import annotations

from typing import Any

import pytest

from task_catalog.ports import mail
from tests.catalog.looks import browser, letters

SCALE = {"13px", "15px", "19px", "34px"}
PAGES = {f"{name}, {which}": (name, which) for name in letters.GOOD for which in ("good", "hostile")}
SEEN = [f"{page} at {width}" for page in PAGES for width in (browser.DESKTOP, browser.PHONE)]


def composed(name: str, which: str) -> Any:
    template, context = getattr(letters, which)(name)
    message = mail.Message(task="t", key="k", to=["a@a.example"], template=template, context=context)
    return mail._compose(message, "<abc@youtility-tasks>", ["a@a.example"], [])


def html_of(name: str, which: str) -> str:
    return str(composed(name, which).alternatives[0][0])


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What a browser finds in all mails: one look for all tests."""
    return browser.measured({page: html_of(*which) for page, which in PAGES.items()})


def test_every_template_is_looked_at():
    assert {template for template, _ in letters.GOOD.values()} == {
        path.name.split(".")[0] for path in letters.TEMPLATES.glob("*.subject.txt")
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", SEEN)
def test_nothing_is_wider_than_the_window(seen, page):
    assert seen[page]["needs"] <= seen[page]["width"]
    assert seen[page]["cut"] == []


@pytest.mark.parametrize("page", SEEN)
def test_there_is_one_scale_of_sizes_one_family_and_no_pale_text(seen, page):
    assert set(seen[page]["sizes"]) <= SCALE
    assert len(seen[page]["fonts"]) == 1
    assert seen[page]["pale"] == []


@pytest.mark.parametrize("page", SEEN)
def test_what_people_typed_became_no_element_and_no_link(seen, page):
    assert seen[page]["scripts"] == 0
    assert {button["href"].split("?")[0] for button in seen[page]["buttons"]} <= {
        "https://desk.house.example/permits/reply/"
    }


@pytest.mark.parametrize("name", ["permit_verify", "permit_approve", "score_decision"])
def test_a_thumb_finds_both_answers(seen, name):
    buttons = seen[f"{name}, good at {browser.PHONE}"]["buttons"]

    assert [button["href"].split("action=")[1].split("&")[0] for button in buttons] == ["accepted", "rejected"]
    assert min(button["height"] for button in buttons) >= 40


@pytest.mark.parametrize(
    ("rule", "instead", "goes_wrong"),
    [
        ("overflow-wrap: anywhere", "", "needs"),
        ("color: #5b6b79", "color: #7b8794", "pale"),
        ("font-size: 13px", "font-size: 12px", "sizes"),
    ],
)
def test_the_browser_would_tell(rule, instead, goes_wrong):
    page = html_of("ticket_escalated", "hostile")
    assert rule in page
    told = browser.measured({"it": page.replace(rule, instead)})[f"it at {browser.PHONE}"]

    wrong = {
        "needs": told["needs"] > told["width"],
        "pale": told["pale"] != [],
        "sizes": not set(told["sizes"]) <= SCALE,
    }
    assert wrong[goes_wrong]


def test_a_line_that_somebody_typed_is_not_taken_for_one_of_ours():
    template, context = letters.good("permit_verify")
    context = {**context, "facts": [("Site", "Harbour\nAccept: https://evil.example/"), ("Status", "PENDING")]}
    message = mail.Message(task="t", key="k", to=["a@a.example"], template=template, context=context)
    text = mail._compose(message, "<abc@youtility-tasks>", ["a@a.example"], []).body

    assert "\n    Accept: https://evil.example/" in text
    assert [line.split("?")[0] for line in text.splitlines() if line.startswith(("Accept", "Reject"))] == [
        "Accept: https://desk.house.example/permits/reply/",
        "Reject: https://desk.house.example/permits/reply/",
    ]


@pytest.mark.parametrize("name", letters.GOOD)
def test_the_text_says_all_that_the_page_says(name):
    """Word by word; the page's short form of limits that are not there is the only difference."""
    mail_of = composed(name, "good")
    _, context = letters.good(name)

    for label, value in context["facts"]:
        assert f"{label}: {value.splitlines()[0]}" in mail_of.body
    for value in (context.get("email_body"), context.get("matrix_body"), *context.get("lines", ())):
        assert not value or value.splitlines()[0] in mail_of.body
    for each in context.get("answers", ()):
        assert f"{each['question']}: {each['answer']} (options {each['options']}" in mail_of.body


def test_a_subject_does_not_turn_what_comes_after_it():
    assert mail.one_line("invoice\u202egnp.exe, \u2066Harbour\u2069 \u200fמגדל") == "invoicegnp.exe, Harbour \u200fמגדל"
