"""`manage_task_queue tokens`: made and shown once, listed, revoked."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from youtility_tasks import tokens
from youtility_tasks.models import ApiToken, TaskAuditLog


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann")


def test_a_token_is_shown_once_and_opens_until_it_is_revoked(manage, ann, acme):
    made = manage(
        "tokens", "create", "ann", "--name", "ci", "--tenant", acme, "--role", "operator", "--days", 7, "--json"
    )
    listed = manage("tokens", "--json")

    token = made.json["token"]
    assert made.code == 0 and (token["user"], token["tenant"], token["role"]) == ("ann", acme, "operator")
    found = tokens.find(token["text"])
    assert found is not None and found.token_id == token["id"]
    assert token["text"] not in listed.out and [each["name"] for each in listed.json["tokens"]] == ["ci"]

    gone = manage("tokens", "revoke", token["id"], "--reason", "left the company", "--json")

    assert gone.code == 0 and gone.json["token"]["revoked_at"] and tokens.find(token["text"]) is None
    assert TaskAuditLog.objects.get(act="revoke token").reason == "left the company"
    assert manage("tokens", "revoke", token["id"]).code == 1


def test_the_page_for_people_says_that_it_is_shown_once(manage, ann):
    said = manage("tokens", "create", "ann", "--name", "laptop")

    assert said.code == 0 and "the only time" in said.out and tokens.find(said.out.split()[0]) is not None
    assert "laptop" in manage("tokens").out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("create", "bob", "--name", "x"), 1, "No user is called 'bob'"),
        (("create", "ann"), 2, "Right is"),
        (("create", "ann", "--name", "x", "--tenant", "99"), 1, "No active tenant"),
        (("create", "ann", "--name", "x", "--days", "0"), 1, "good for 0 days"),
        (("revoke", "seven"), 2, "no token's id"),
        (("revoke", "7"), 1, "No token has the id 7"),
        (("list", "--name", "x"), 2, "Right is"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_told(manage, ann, words, code, says):
    said = manage("tokens", *words)

    assert said.code == code and says in said.err
    assert not ApiToken.objects.exists()
