"""Answer links: what is signed can be read back, and nothing else can."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core import signing

from task_catalog import replies
from task_catalog.replies import BadReply, Reply

REPLY = Reply(step="verify", womid="12", peopleid=5, client_id=7, action="accepted")


def query(reply: Reply = REPLY) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(replies.link(reply, path="/permits/reply/")).query))


def test_a_link_leads_to_the_applications_page_and_says_in_clear_what_it_always_said():
    parts = urlsplit(replies.link(REPLY, path="/permits/reply/"))

    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://app.house.example/permits/reply/"
    assert query() | {"token": ""} == {
        "action": "accepted",
        "womid": "12",
        "peopleid": "5",
        "client_id": "7",
        "token": "",
    }


def test_an_answer_is_read_back_from_the_links_query_or_from_its_token_alone():
    assert replies.read(query(), step="verify") == REPLY
    assert replies.read({"token": query()["token"]}, step="verify") == REPLY


@pytest.mark.parametrize(
    ("name", "value"), [("action", "rejected"), ("womid", "13"), ("peopleid", "6"), ("client_id", "8")]
)
def test_a_link_that_was_changed_decides_nothing(name, value):
    with pytest.raises(BadReply, match=f"another {name}"):
        replies.read(query() | {name: value}, step="verify")


@pytest.mark.parametrize("token", [None, "", "x", "a:b:c"])
def test_a_link_without_our_token_decides_nothing(token):
    with pytest.raises(BadReply, match="not sent by us"):
        replies.read(query() | {"token": token}, step="verify")


def test_a_token_with_one_letter_changed_decides_nothing():
    token = query()["token"]
    forged = ("b" if token[0] != "b" else "c") + token[1:]

    with pytest.raises(BadReply):
        replies.read({"token": forged}, step="verify")


def test_a_verifiers_token_is_no_approvers():
    with pytest.raises(BadReply, match="another question"):
        replies.read(query(), step="approval")


@pytest.mark.parametrize("signed", ["text", {}, ["verify"], ["verify", "12", 5, 7, "deleted"]])
def test_something_else_that_we_signed_with_the_same_salt_is_no_answer(signed):
    with pytest.raises(BadReply, match="another question"):
        replies.read({"token": signing.dumps(signed, salt=replies.SALT)}, step="verify")


def test_what_we_signed_for_another_purpose_is_no_answer():
    other = signing.dumps(["verify", "12", 5, 7, "accepted"], salt="sessions")

    with pytest.raises(BadReply, match="not sent by us"):
        replies.read({"token": other}, step="verify")


def test_a_link_has_its_day(settings, monkeypatch):
    token = query()["token"]
    then = signing.time.time() + 31 * 86_400
    monkeypatch.setattr(signing.time, "time", lambda: then)

    with pytest.raises(BadReply, match="older than 30 days"):
        replies.read({"token": token}, step="verify")

    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "reply_valid_days": 60}
    assert replies.read({"token": token}, step="verify") == REPLY


def test_a_token_of_the_key_before_is_still_good(settings):
    token = query()["token"]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key"

    assert replies.read({"token": token}, step="verify") == REPLY
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadReply):
        replies.read({"token": token}, step="verify")
