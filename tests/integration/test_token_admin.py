"""Tokens in the admin: shown on one page, once; revoked by an action; never changed."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from youtility_tasks import tokens
from youtility_tasks.models import ApiToken, TaskAuditLog

pytestmark = pytest.mark.django_db
PAGE = "/admin/youtility_tasks/apitoken/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_a_token_is_shown_once_and_revoked(staff: Client, acme: int) -> None:
    ann = User.objects.create_user("ann")
    made = staff.post(
        f"{PAGE}add/", {"user": ann.pk, "name": "ci", "tenant": acme, "role": "viewer", "days": 7, "because": "asked"}
    )

    (text,) = re.findall(r"ytt_[A-Za-z0-9_-]{43}", made.content.decode())
    row = ApiToken.objects.get()
    assert "no-store" in made.headers["Cache-Control"] and tokens.find(text) is not None
    assert TaskAuditLog.objects.get(act="create token").actor == "root"
    for path in (PAGE, f"{PAGE}{row.pk}/change/"):
        page = staff.get(path)
        assert page.status_code == 200 and "ci" in page.content.decode()
        assert text not in page.content.decode() and row.digest not in page.content.decode()

    staff.post(PAGE, {"action": "revoke", "_selected_action": [row.pk]})

    assert tokens.find(text) is None and TaskAuditLog.objects.get(act="revoke token").actor == "root"


def test_what_cannot_be_meant_is_told_and_makes_nothing(staff: Client) -> None:
    ann = User.objects.create_user("ann")
    for said in ({"name": " ", "days": 7}, {"name": "x", "days": 99_999}):
        staff.post(f"{PAGE}add/", {"user": ann.pk, "role": "", "tenant": "", "because": "b", **said})

    assert not ApiToken.objects.exists()
